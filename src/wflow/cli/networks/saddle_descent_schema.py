"""Configs of the studies of plain gradient descent from small starts."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import StudyParams

from .saddle_schema import Count, InverseScale, Labels, Positive, Sizes


# A step as a share of the largest at which descent can rest.
StepShare = Annotated[float, Field(gt=0, lt=1)]


class DescentConfig(StudyParams):
    """Gradient descent and an adaptive solve in the weights, beside the flow.

    Attributes:
        samples: n.
        width: neurons.
        instances: labels and initialisations.
        labels: their law.
        least_gap: an instance is drawn again until every jump leads its runner-up of
            the same sign and samples by that much slow time.
        inverse_scales: log(1 / scale), increasing; the same draw at every scale.
        step_shares: steps of descent, over the largest at which it can rest.
        rtol: of the adaptive solve in the weights; its atol is rtol times the scale.
        max_steps: of that solve; a run that needs more is left out.
        points: saved states of each run.
    """

    task: Literal["saddle_descent"]
    samples: Count = 12
    width: Count = 8
    instances: Count = 6
    labels: Labels = Labels()
    least_gap: Annotated[float, Field(ge=0)] = 0.1
    inverse_scales: Annotated[list[InverseScale], Field(min_length=2)]
    step_shares: Annotated[list[StepShare], Field(min_length=1)]
    rtol: Positive = 1e-7
    max_steps: Annotated[int, Field(ge=1)] = 50_000
    points: Annotated[int, Field(ge=10)] = 4000

    @model_validator(mode="after")
    def _checked(self) -> "DescentConfig":
        if sorted(set(self.inverse_scales)) != self.inverse_scales:
            raise ValueError("inverse_scales: expected increasing scales.")
        if sorted(set(self.step_shares), reverse=True) != self.step_shares:
            raise ValueError("step_shares: expected decreasing shares.")
        return self


class WidthConfig(StudyParams):
    """How often gradient descent from weights of size 1 / sqrt(width) fits all samples.

    Attributes:
        samples: n.
        widths: of the networks, increasing.
        dims: of random inputs, each at least n; orthogonal ones are run beside them.
        draws: for each width and kind of input; the same ones for all widths.
        labels: their law; sizes of at least 1.
        lengths: of the inputs.
        scale: of the weights, 1 for w of length about 1 in a network with the factor
            1 / width.
        step_share: of descent, over the largest at which it can rest.
        steps: of descent, rounded to hundreds.
    """

    task: Literal["saddle_width"]
    samples: Count = 50
    widths: Annotated[list[Count], Field(min_length=2)]
    dims: Annotated[list[Count], Field(min_length=1)]
    draws: Count = 20
    labels: Labels = Labels(low=1.0, high=2.0)
    lengths: Sizes = Sizes(low=1.0, high=2.0)
    scale: Positive = 1.0
    step_share: StepShare = 0.5
    steps: Annotated[int, Field(ge=100)] = 4000

    @model_validator(mode="after")
    def _checked(self) -> "WidthConfig":
        if sorted(set(self.widths)) != self.widths:
            raise ValueError("widths: expected increasing widths.")
        if sorted(set(self.dims)) != self.dims or self.dims[0] < self.samples:
            raise ValueError(
                "dims: expected increasing dimensions, none below samples = "
                f"{self.samples}."
            )
        if self.labels.low < 1:
            raise ValueError(
                "labels.low: success is a sum of squared residuals below 1; expected "
                "labels of size >= 1, so that it leaves no sample out."
            )
        return self


class NearOrthogonalConfig(StudyParams):
    """Gradient descent on inputs that are nearly orthogonal, beside the limit process.

    Attributes:
        samples: n.
        width: neurons.
        instances: labels and initialisations.
        labels: their law.
        least_gap: as of the staircase.
        dims: of random unit inputs, each at least n.
        cosines: root mean squares that the cosines of random inputs are scaled to,
            decreasing.
        inverse_scales: log(1 / scale), increasing; the same draw at every scale.
        step_share: of descent, over the largest at which it can rest.
        points: saved states of each run.
    """

    task: Literal["saddle_near_orthogonal"]
    samples: Annotated[int, Field(ge=2)] = 12
    width: Count = 8
    instances: Count = 20
    labels: Labels = Labels()
    least_gap: Annotated[float, Field(ge=0)] = 0.1
    dims: list[Count] = []
    cosines: Annotated[list[Positive], Field(min_length=2)]
    inverse_scales: Annotated[list[InverseScale], Field(min_length=1)]
    step_share: StepShare = 0.05
    points: Annotated[int, Field(ge=10)] = 1000

    @model_validator(mode="after")
    def _checked(self) -> "NearOrthogonalConfig":
        if any(dim < self.samples for dim in self.dims):
            raise ValueError(f"dims: expected none below samples = {self.samples}.")
        if sorted(set(self.cosines), reverse=True) != self.cosines:
            raise ValueError("cosines: expected decreasing cosines.")
        if self.cosines[0] * self.samples > 0.5:
            raise ValueError(
                "cosines: expected at most 1 / (2 samples) = "
                f"{0.5 / self.samples:.3g}, so that no input depends on the others."
            )
        if sorted(set(self.inverse_scales)) != self.inverse_scales:
            raise ValueError("inverse_scales: expected increasing scales.")
        if self.inverse_scales[-1] > 700:
            raise ValueError(
                "inverse_scales: gradient descent has weights of exp(-scale); "
                "expected at most 700."
            )
        return self
