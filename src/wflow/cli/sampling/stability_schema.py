"""The config of a stability study, and its functions on the circle."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


if TYPE_CHECKING:
    from jax import Array


NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Wave(Strict):
    """amplitude * cos(frequency * x + phase), or with sin; a whole frequency."""

    kind: Literal["cos", "sin"]
    amplitude: float
    frequency: Annotated[int, Field(ge=1)] = 1
    phase: float = 0.0


Series = Annotated[list[Wave], Field(min_length=1)]


class StabilityConfig(StudyParams):
    """Two flows on the circle [0, 2 pi) from one start.

    Attributes:
        alpha: strength of the transport.
        beta: strength of the reaction.
        potential: V of the one target.
        discrepancy: delta = V - V', V' of the other target.
        initial: logarithm of the common start, up to a constant.
        cells: of the grid, centred at 2 pi j / cells.
        refine: points for each cell over which suprema are taken; 1 is their centres.
        rtol: of the solver.
        times: at which the flows are compared.
    """

    task: Literal["sampling_stability"]
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0
    potential: Series
    discrepancy: Series
    initial: Series
    cells: Annotated[int, Field(ge=8)] = 128
    refine: Annotated[int, Field(ge=1)] = 1
    rtol: Positive = 1e-9
    times: Annotated[list[Positive], Field(min_length=1)]

    @model_validator(mode="after")
    def _checked(self) -> "StabilityConfig":
        if self.alpha == 0 and self.beta == 0:
            raise ValueError("alpha and beta: expected at least one above zero.")
        if sorted(set(self.times)) != self.times:
            raise ValueError("times: expected increasing times.")
        return self


def series(waves: Sequence[Wave]) -> "Callable[[Array], Array]":
    """The sum of the waves, at a point of shape ``(1,)``."""
    import jax.numpy as jnp

    shifts = [
        wave.phase - (math.pi / 2 if wave.kind == "sin" else 0.0) for wave in waves
    ]

    def function(x: "Array") -> "Array":
        return sum(
            wave.amplitude * jnp.cos(wave.frequency * x[0] + shift)
            for wave, shift in zip(waves, shifts, strict=True)
        )

    return function
