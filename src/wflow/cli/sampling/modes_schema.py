"""The config of a study of how samplers find the masses of modes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams

from .methods import ChainConfig, MethodConfig, SHKConfig
from .targets import MixtureTarget


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


class GridConfig(Strict):
    """The same flow as a partial differential equation on a box without flux.

    Attributes:
        low: of the box, on every axis.
        high: of the box.
        cells: on every axis.
        alpha: strength of the transport.
        beta: strength of the reaction.
    """

    low: float
    high: float
    cells: Annotated[int, Field(ge=8)] = 64
    alpha: Annotated[float, Field(ge=0)] = 1.0
    beta: Annotated[float, Field(ge=0)] = 1.0

    @model_validator(mode="after")
    def _checked(self) -> "GridConfig":
        if not self.low < self.high:
            raise ValueError("low: expected low < high.")
        return self


class Baseline(Strict):
    """A method at the best of several steps, by the mean error over the runs.

    Attributes:
        kind: of the method.
        step_sizes: to try, each with ``steps`` steps.
        steps: their number.
    """

    kind: Literal["ula", "mala", "svgd"]
    step_sizes: Annotated[list[Positive], Field(min_length=1)]
    steps: Count

    def methods(self) -> list[ChainConfig]:
        """One for each step size."""
        return [
            ChainConfig(kind=self.kind, step=step, steps=self.steps)
            for step in self.step_sizes
        ]


class ModesConfig(StudyParams):
    """Shares of particles near the modes of a mixture, from a start with wrong ones.

    Attributes:
        target: a mixture; a particle counts for the nearest centre.
        start: shares of the particles that start in each component.
        particles: their number.
        repeats: runs of every method, from starts of their own; means are reported.
        methods: by name.
        baselines: by name.
        grid: of the flow without particles, for the figure.
    """

    task: Literal["sampling_modes"]
    target: MixtureTarget
    start: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2)]
    particles: Annotated[int, Field(ge=2)]
    repeats: Count = 5
    methods: Annotated[dict[Name, MethodConfig], Field(min_length=1)]
    baselines: dict[Name, Baseline] = {}
    grid: GridConfig | None = None

    @model_validator(mode="after")
    def _checked(self) -> "ModesConfig":
        k = len(self.target.centres)
        if len(self.start) != k or abs(sum(self.start) - 1) > 1e-9:
            raise ValueError(
                f"start: expected {k} shares that sum to 1, one for each centre, found "
                f"{self.start}."
            )
        if both := self.methods.keys() & self.baselines.keys():
            raise ValueError(f"baselines: {min(both)} is among the methods already.")
        if self.grid is not None and self.target.dim > 2:
            raise ValueError("grid: expected a target in one or two dimensions.")
        if self.grid is not None and not self.time:
            raise ValueError(
                "grid: expected a method of kind shk, which sets the time."
            )
        return self

    @property
    def time(self) -> float:
        """How long the flow runs: as long as the first method of kind shk."""
        flows = (m for m in self.methods.values() if isinstance(m, SHKConfig))
        first = next(flows, None)
        return 0.0 if first is None else first.step * first.steps
