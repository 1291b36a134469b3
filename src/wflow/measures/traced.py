"""A measure and points carried by the field that it makes."""

from typing import Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks

from .base import AbstractCarrier, State, moving_field
from .particles import Particles


class Traced(AbstractCarrier):
    """Particles, and points that are carried along and that nothing feels.

    The points, tracers, go with ``TracerFlow`` along the field of the particles.

    Attributes:
        measure: the particles.
        tracers: the points, ``(m, d)``.

    Raises:
        TypeError: the measure is not Particles.
        ValueError: particles and tracers differ in dimension.
    """

    measure: Particles
    tracers: Float[Array, "m d"] = eqx.field(converter=moving_field("tracers"))

    def __check_init__(self) -> None:
        checks.instance(self, "measure", self.measure, Particles, "Particles")
        shape = jnp.shape(self.tracers)
        if len(shape) != 2 or shape[0] == 0 or shape[1] != self.measure.dim:
            raise ValueError(
                f"Traced: expected tracers of shape (m, {self.measure.dim}), found "
                f"{shape}."
            )

    @property
    def state(self) -> tuple[State, Float[Array, "m d"]]:
        return self.measure.state, self.tracers

    def with_state(self, state: tuple[State, Array]) -> Self:
        measure, tracers = state
        return eqx.tree_at(
            lambda mu: (mu.measure, mu.tracers),
            self,
            (self.measure.with_state(measure), tracers),
        )
