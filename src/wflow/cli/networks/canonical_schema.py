"""The configs of the studies of canonical regularisation."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Several = Annotated[int, Field(ge=2)]
Pair = Annotated[tuple[float, float], Field(strict=False)]


class Strengths(Strict):
    """Strengths of a penalty, evenly spaced in their logarithm.

    Attributes:
        low: the least.
        high: the largest.
        count: how many.
    """

    low: Positive = 1e-4
    high: Positive = 10.0
    count: Several = 11

    @model_validator(mode="after")
    def _checked(self) -> "Strengths":
        if not self.low < self.high:
            raise ValueError("low: expected low < high.")
        return self

    def values(self) -> list[float]:
        """From the least to the largest."""
        return np.geomspace(self.low, self.high, self.count).tolist()


class Descent(Strict):
    """Gradient descent on all points.

    Attributes:
        rate: of learning.
        steps: their number.
    """

    rate: Positive
    steps: Count


class FinetuningConfig(StudyParams):
    """What a study of fine-tuning has, whatever it trains on.

    Attributes:
        repeats: independent draws of weights and data, all from the one seed.
        strengths: of every penalty; one is chosen for each repeat on a validation set.
        pretraining: without a penalty.
        finetuning: under every penalty and strength.
    """

    repeats: Several = 12
    strengths: Strengths = Strengths()
    pretraining: Descent
    finetuning: Descent

    @model_validator(mode="after")
    def _stable(self) -> "FinetuningConfig":
        # Decay alone multiplies weights by 1 - rate * strength.
        most = 2 / self.finetuning.rate
        if not self.strengths.high < most:
            raise ValueError(
                f"strengths.high: expected less than 2 / finetuning.rate = {most:g}, "
                f"where descent diverges, found {self.strengths.high:g}."
            )
        return self


class FinetuneConfig(FinetuningConfig):
    """A shallow network on a wave, fine-tuned on few noisy points of a tilted one.

    Attributes:
        units: of the hidden layer.
        points: to fine-tune on.
        validation: points for the choice of a strength, as noisy.
        noise_variance: of the targets.
    """

    task: Literal["canonical_finetune"]
    units: Count = 64
    points: Count = 15
    validation: Count = 60
    noise_variance: Annotated[float, Field(ge=0)] = 0.25


class DigitsData(Strict):
    """Images of 8 x 8 pixels: some digits to learn from, others to move on to.

    Attributes:
        kind: of the data.
        old: digits of the pretraining.
        new: digits of the fine-tuning.
        label_noise: share of the new labels, validation included, drawn at random.
    """

    kind: Literal["digits"]
    old: Annotated[list[Annotated[int, Field(ge=0, le=9)]], Field(min_length=2)]
    new: Annotated[list[Annotated[int, Field(ge=0, le=9)]], Field(min_length=2)]
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.2


class TumoursData(Strict):
    """Breast tumours, benign or malignant: the smooth half first, then the other.

    Attributes:
        kind: of the data.
        label_noise: share of the new labels, validation included, drawn at random.
    """

    kind: Literal["breast_cancer"]
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.2


class DiabetesData(Strict):
    """Progress of diabetes: the younger half first, then the older.

    Attributes:
        kind: of the data.
        noise_variance: added to the new targets, of unit variance, validation included.
    """

    kind: Literal["diabetes"]
    noise_variance: Annotated[float, Field(ge=0)] = 0.25


PackagedData = DigitsData | TumoursData | DiabetesData


class TransferConfig(FinetuningConfig):
    """A network with two hidden layers, pretrained and fine-tuned on packaged data.

    Attributes:
        data: which.
        width: of the hidden layers.
        points: to fine-tune on.
        validation: points for the choice of a strength.
        held_out: points of the first task on which forgetting is measured.
    """

    task: Literal["canonical_transfer"]
    data: Annotated[PackagedData, Field(discriminator="kind")]
    width: Count = 64
    points: Several = 30
    validation: Several = 60
    held_out: Several = 100


class PredictionConfig(Strict):
    """u (v . x) trained on x = (1, 0) and asked at x = (0, 1).

    Attributes:
        start: u and v_1.
        weight: v_2, which no gradient of the loss moves.
        target: at the training input.
    """

    start: Pair = (1.0, 0.0)
    weight: Positive = 1.0
    target: float = 3.0


class BiasConfig(StudyParams):
    """Where u v goes from a start to a target as penalties vanish.

    Attributes:
        start: u and v.
        target: of their product.
        vanishing: the strength at which bias is measured, for geodesic and arc ridge.
        ridge: the strength of the vanishing anchored and standard ridge, whose flows
            run to time 60/strength: they drift along the fibre that slowly.
        strengths: of the path of arc ridge, from one run and from separate runs.
        dial: u^2 - v^2 of starts with v = 0, from feature learning to the kernel
            regime; their target is 1.
        prediction: what bias means where the network was not trained.
        rtol: of all solves.
    """

    task: Literal["canonical_bias"]
    start: Pair = (2.0, 0.0)
    target: float = 1.0
    vanishing: Positive = 1e-6
    ridge: Positive = 1e-5
    strengths: Strengths = Strengths()
    dial: Annotated[list[Positive], Field(min_length=1)] = [1.0, 4.0, 64.0, 1024.0]
    prediction: PredictionConfig = PredictionConfig()
    rtol: Positive = 1e-10


class KernelConfig(StudyParams):
    """Linear outputs with a random Jacobian, where everything is known.

    Attributes:
        outputs: n, of training.
        parameters: p >= n.
        strengths: of all penalties.
        rtol: of all solves.
    """

    task: Literal["canonical_kernel"]
    outputs: Count = 4
    parameters: Count = 16
    strengths: Strengths = Strengths(low=0.01, high=1.0, count=3)
    rtol: Positive = 1e-10

    @model_validator(mode="after")
    def _invertible(self) -> "KernelConfig":
        if self.parameters < self.outputs:
            raise ValueError("parameters: expected at least as many as outputs.")
        return self
