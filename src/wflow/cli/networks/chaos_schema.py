"""Configs of the propagation-of-chaos studies."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.cli.config import Strict, TaskConfig


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Width(Strict):
    """Networks of m neurons, and how many of them."""

    neurons: Count
    seeds: Annotated[int, Field(ge=2)]


class QuadraticConfig(TaskConfig):
    """Quadratic neurons that start near a saddle, by their closed moment equation.

    Attributes:
        dim: d.
        scale: neurons start from N(0, scale I / d); the teacher is one direction.
        widths: increasing.
        horizon: of time.
        step: between saved times.
        long_horizon: to which the decay of the limit's loss is fitted.
        resamples: of seeds, for intervals.
    """

    task: Literal["chaos_quadratic"]
    dim: Count = 8
    scale: Positive = 1e-3
    widths: Annotated[list[Width], Field(min_length=2)]
    horizon: Positive = 1.2
    step: Positive = 0.01
    long_horizon: Annotated[float, Field(gt=10)] = 1000.0
    resamples: Count = 1000

    @model_validator(mode="after")
    def _checked(self) -> "QuadraticConfig":
        m = [width.neurons for width in self.widths]
        if sorted(set(m)) != m:
            raise ValueError("widths: expected increasing neurons.")
        return self
