"""Configs of the propagation-of-chaos studies."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seeds = Annotated[int, Field(ge=2)]


class Width(Strict):
    """Networks of m neurons, and how many of them."""

    neurons: Count
    seeds: Seeds


Widths = Annotated[list[Width], Field(min_length=2)]


class WidthsConfig(StudyParams):
    """What every study over the width has.

    Attributes:
        widths: increasing.
        resamples: of seeds, for intervals.
    """

    widths: Widths
    resamples: Count = 1000

    @property
    def neurons(self) -> list[int]:
        """The widths alone."""
        return [width.neurons for width in self.widths]

    @property
    def networks(self) -> list[int]:
        """How many of every width."""
        return [width.seeds for width in self.widths]

    @model_validator(mode="after")
    def _increasing(self) -> "WidthsConfig":
        if sorted(set(self.neurons)) != self.neurons:
            raise ValueError("widths: expected increasing neurons.")
        return self


class QuadraticConfig(WidthsConfig):
    """Quadratic neurons that start near a saddle, by their closed moment equation.

    Attributes:
        dim: d.
        scale: neurons start from N(0, scale I / d); the teacher is one direction.
        horizon: of time.
        step: between saved times.
        long_horizon: to which the decay of the limit's loss is fitted.
    """

    task: Literal["chaos_quadratic"]
    dim: Count = 8
    scale: Positive = 1e-3
    horizon: Positive = 1.2
    step: Positive = 0.01
    long_horizon: Annotated[float, Field(gt=60)] = 20000.0


class ExponentsConfig(WidthsConfig):
    """Diagonal networks whose loss falls like t^-c, for several c.

    Attributes:
        exponents: c.
        dim: number of coordinates.
        spectrum: p of the inputs' probabilities k^-p.
        window: first and last time of the fit of c.
    """

    task: Literal["chaos_exponents"]
    exponents: Annotated[list[Positive], Field(min_length=1)]
    dim: Count = 400
    spectrum: Annotated[float, Field(gt=1)] = 2.0
    window: Annotated[list[Positive], Field(min_length=2, max_length=2)] = [30.0, 300.0]

    @model_validator(mode="after")
    def _reachable(self) -> "ExponentsConfig":
        least = (self.spectrum - 1) / self.spectrum
        if min(self.exponents) <= least:
            raise ValueError(
                f"exponents: expected more than (p - 1) / p = {least:g}, found "
                f"{min(self.exponents):g}."
            )
        if self.window[0] >= self.window[1]:
            raise ValueError("window: expected the first time before the last.")
        return self


class SingleIndexConfig(WidthsConfig):
    """Spherical neurons that learn one direction, in the population.

    Attributes:
        targets: for a name the squares of the Hermite coefficients, from degree 0.
        dims: d.
        reference: neurons of the reference network.
        horizon: of time.
    """

    task: Literal["chaos_single_index"]
    targets: Annotated[dict[str, list[NonNegative]], Field(min_length=1)]
    dims: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    reference: Count = 1024
    horizon: Positive = 30.0


class TeacherConfig(WidthsConfig):
    """Neurons a phi(b.x) that learn a few neurons, with feature learning.

    Attributes:
        activation: phi.
        inputs: number of fixed inputs; null is the whole population (erf alone).
        dim: of inputs.
        teacher: neurons of the teacher.
        reference: neurons of the reference network.
        horizon: of time.
    """

    task: Literal["chaos_teacher"]
    activation: Literal["tanh", "erf", "relu"] = "tanh"
    inputs: Count | None = 2000
    dim: Count = 5
    teacher: Count = 4
    reference: Count = 1024
    horizon: Positive = 100.0

    @model_validator(mode="after")
    def _population(self) -> "TeacherConfig":
        if self.inputs is None and self.activation != "erf":
            raise ValueError(
                "inputs: the whole population is known for erf alone, found "
                f"{self.activation}; give a number."
            )
        return self


class SamplesStepsConfig(StudyParams):
    """Finite samples and finite steps in quadratic networks.

    Attributes:
        teacher: eigenvalues of the teacher.
        samples: numbers of inputs, increasing.
        sample_seeds: draws of inputs for each.
        sample_horizon: of time.
        steps: of gradient descent, decreasing.
        width: neurons that descend.
        step_seeds: networks.
        step_horizon: of time.
        resamples: of seeds, for intervals.
    """

    task: Literal["chaos_samples_steps"]
    teacher: Annotated[list[NonNegative], Field(min_length=1)]
    samples: Annotated[list[Count], Field(min_length=2)]
    sample_seeds: Seeds = 100
    sample_horizon: Positive = 3.0
    steps: Annotated[list[Positive], Field(min_length=2)]
    width: Count = 32
    step_seeds: Seeds = 32
    step_horizon: Positive = 6.0
    resamples: Count = 1000


class NoisyConfig(WidthsConfig):
    """Quadratic neurons with noise and weight decay, beside those without.

    Attributes:
        dim: d.
        scale: neurons start from N(0, scale I / d); the teacher is one direction.
        temperatures: of the noise, increasing; the largest is studied over widths.
        decay: of weights, in units of the temperature.
        horizon: of time.
        step: of the solver, with noise.
    """

    task: Literal["chaos_noisy"]
    dim: Count = 4
    scale: Positive = 0.1
    temperatures: Annotated[list[Positive], Field(min_length=2)]
    decay: NonNegative = 1.0
    horizon: Positive = 10.0
    step: Positive = 0.005
