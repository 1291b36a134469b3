"""Configs of the saddle-to-saddle studies."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


if TYPE_CHECKING:
    from jax import Array

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
# log(1 / scale) of an initialisation, and several of them.
InverseScale = Annotated[float, Field(gt=0)]


class Sizes(Strict):
    """Sizes, uniform between ``low`` and ``high``."""

    low: Positive = 0.5
    high: Positive = 1.5

    @model_validator(mode="after")
    def _ordered(self) -> "Sizes":
        if self.low > self.high:
            raise ValueError("low: expected low <= high.")
        return self


class Labels(Sizes):
    """Labels of random sign and such sizes."""

    def draw(self, key: "Array", n: int) -> "Array":
        """Labels ``(n,)``."""
        import jax

        sizes, signs = jax.random.split(key)
        size = jax.random.uniform(sizes, (n,), minval=self.low, maxval=self.high)
        return size * jax.random.rademacher(signs, (n,), size.dtype)


class StaircaseConfig(StudyParams):
    """The flow at several scales beside the limit of a vanishing one.

    Attributes:
        samples: n.
        width: neurons.
        instances: labels and initialisations.
        labels: their law.
        least_gap: an instance is drawn again until every jump leads its runner-up of
            the same sign and samples by that much slow time.
        inverse_scales: log(1 / scale), increasing; the same draw at every scale.
        rtol: of the solver.
    """

    task: Literal["saddle_staircase"]
    samples: Count = 12
    width: Count = 8
    instances: Count = 6
    labels: Labels = Labels()
    least_gap: Annotated[float, Field(ge=0)] = 0.1
    inverse_scales: Annotated[list[InverseScale], Field(min_length=2)]
    rtol: Positive = 1e-7

    @model_validator(mode="after")
    def _checked(self) -> "StaircaseConfig":
        if sorted(set(self.inverse_scales)) != self.inverse_scales:
            raise ValueError("inverse_scales: expected increasing scales.")
        return self


class FlowCheck(Strict):
    """Runs of the flow itself, to see whether it interpolates where it should.

    Attributes:
        samples: n.
        widths: of the networks.
        draws: for each width.
        inverse_scale: log(1 / scale) of the initialisation.
    """

    samples: Count
    widths: Annotated[list[Count], Field(min_length=1)]
    draws: Count
    inverse_scale: InverseScale = 50.0


class InterpolationConfig(StudyParams):
    """How wide a network must be to fit all samples.

    Attributes:
        samples: numbers n of samples, half of each sign (one more of the negative).
        widths: of the networks.
        draws: of signs and units for each n and width.
        labels: of the runs of the flow.
        flow: these runs; none where it is left out.
    """

    task: Literal["saddle_interpolation"]
    samples: Annotated[list[Count], Field(min_length=1)]
    widths: Annotated[list[Count], Field(min_length=1)]
    draws: Count = 4000
    labels: Labels = Labels()
    flow: FlowCheck | None = None


class NormCase(Strict):
    """A number of samples and a width."""

    samples: Count
    width: Count


class NormConfig(StudyParams):
    """The size of the learnt network against the number of samples.

    Attributes:
        cases: samples and widths; the slope is fitted through all.
        repeats: draws of labels, signs and units for each.
        labels: their law.
        flow: cases that the flow itself is run on.
        flow_repeats: draws of each of them.
        inverse_scale: log(1 / scale) of its initialisation.
    """

    task: Literal["saddle_norm"]
    cases: Annotated[list[NormCase], Field(min_length=2)]
    repeats: Count = 40
    labels: Labels = Labels()
    flow: list[NormCase] = []
    flow_repeats: Count = 4
    inverse_scale: InverseScale = 200.0
