"""The configs of the flows of scaled layers and of decay on norms."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


class Channel(Strict):
    """One scalar channel: loss curvature/2 (w g - target)^2 from w, g."""

    curvature: Positive
    target: float
    weight: float
    scale: float


class FlowConfig(StudyParams):
    """Least squares of a layer with scales, and single channels in closed form.

    Attributes:
        rows: of the data.
        inputs: d of the layer.
        outputs: m of the layer.
        signal: norm of the teacher's last column; the first is zero, the others lie
            evenly between.
        noise: deviation of the targets from the teacher.
        deviation: of the entries of W at the start; all scales start at one.
        end: of the flows whose invariants are watched.
        late: when the sharpness is taken.
        decay: rate on W and, where equal, on g.
        channels: start and loss of each; together they cover c < 0, = 0 and > 0.
        times: number of saved times.
        rtol: of the solver.
    """

    task: Literal["scale_flow"]
    rows: Count = 20
    inputs: Count = 4
    outputs: Count = 3
    signal: Positive = 3.0
    noise: NonNegative = 1.0
    deviation: Positive = 0.3
    end: Positive = 2.0
    late: Positive = 200.0
    decay: Positive = 0.2
    channels: Annotated[list[Channel], Field(min_length=1)]
    times: Annotated[int, Field(ge=2)] = 81
    rtol: Positive = 1e-12

    @model_validator(mode="after")
    def _checked(self) -> "FlowConfig":
        signs = {
            (c.weight**2 > c.scale**2) - (c.weight**2 < c.scale**2)
            for c in self.channels
        }
        if len(signs) < 3:
            raise ValueError("channels: expected some with c < 0, c = 0 and c > 0.")
        if self.late <= self.end:
            raise ValueError("late: expected later than end.")
        return self


class OutputNormConfig(StudyParams):
    """A student of its own form, with its scale before the maps or behind them.

    Attributes:
        decays: coupled, on the scale alone.
        runs: seeds in turn, from the seed on.
        size: of the input.
        hidden: of the map.
        target: every entry of the teacher's scale.
        batch: fresh Gaussian inputs in a step.
        steps: of Adam.
        rate: at the start; it falls as a cosine to zero.
        held_out: inputs of the test.
    """

    task: Literal["scale_output_norm"]
    decays: Annotated[list[NonNegative], Field(min_length=2)]
    runs: Count = 3
    size: Count = 16
    hidden: Count = 32
    target: Positive = 3.0
    batch: Count = 128
    steps: Count = 4000
    rate: Positive = 1e-2
    held_out: Count = 4096

    @model_validator(mode="after")
    def _checked(self) -> "OutputNormConfig":
        if sorted(set(self.decays)) != self.decays:
            raise ValueError("decays: expected increasing rates.")
        return self
