"""Functions on the circle as sums of waves."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from pydantic import Field

from wflow.studies import Count, Strict


class Wave(Strict):
    """amplitude * cos(frequency * x + phase), or with sin; a whole frequency."""

    wave: Literal["cos", "sin"]
    amplitude: float
    frequency: Count = 1
    phase: float = 0.0

    def __call__(self, x: jax.Array) -> jax.Array:
        """At a point of shape ``(1,)``."""
        shift = self.phase - (math.pi / 2 if self.wave == "sin" else 0.0)
        return self.amplitude * jnp.cos(self.frequency * x[0] + shift)


Series = Annotated[list[Wave], Field(min_length=1)]


def total(waves: Series) -> Callable[[jax.Array], Any]:
    """The sum of the waves."""
    return lambda x: sum(wave(x) for wave in waves)
