"""Noise alone, to be added to a flow."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow import checks
from wflow.checks import real_field
from wflow.flows import AbstractContinuousFlow
from wflow.measures import Particles, UnsupportedMeasureError


class Diffusion(AbstractContinuousFlow):
    r"""$dx = \sigma\odot dW$ on Particles, a deviation for each coordinate.

    Added to the gradient flow of a quadratic energy it is an Ornstein-Uhlenbeck process
    with noise covariance $Q = \mathrm{diag}(\sigma^2)$ per unit of time; a Q that is
    not diagonal becomes so in coordinates along its axes.

    Attributes:
        deviation: $\sigma$, (d,) or one number.

    Raises:
        ValueError: a deviation that is negative or not finite, or is a matrix.
    """

    deviation: Float[Array, "..."] = eqx.field(converter=real_field("deviation"))

    def __check_init__(self) -> None:
        if jnp.ndim(self.deviation) > 0:
            checks.shape(self, "deviation", self.deviation, ("d",))
        checks.non_negative(self, "deviation", self.deviation)

    def separable(self, mu: Any) -> bool:
        del mu
        return True

    def _particles(self, mu: Any) -> Particles:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        return mu

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        del t
        return jax.tree.map(jnp.zeros_like, self._particles(mu).state)

    def noise(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        del t
        law = self._particles(mu)
        return jnp.broadcast_to(self.deviation, law.x.shape), jnp.zeros_like(law.logw)
