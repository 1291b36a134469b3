"""A flow of particles that are as old as they are."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import non_negative
from wflow.measures.base import Mu, State

from .base import AbstractContinuousFlow, check_flow
from .noise import Noise


class AgedFlow(AbstractContinuousFlow[Mu]):
    r"""``flow`` for a time of its own for every particle, on $s \in [0, 1]$."""

    flow: AbstractContinuousFlow[Mu]
    ages: Float[Array, "*shape"]

    def __check_init__(self) -> None:
        check_flow(self, self.flow)
        non_negative(self, "ages", self.ages)

    def _times(self, factor: Array, rate: Array) -> Array:
        if factor.shape != rate.shape[: factor.ndim]:
            raise ValueError(
                "AgedFlow: expected ages of one for every particle, found shape "
                f"{factor.shape} for rates of shape {rate.shape}."
            )
        return factor.reshape(factor.shape + (1,) * (rate.ndim - factor.ndim)) * rate

    def velocity(self, mu: Mu, t: ArrayLike = 0.0) -> State:
        rates = self.flow.velocity(mu, t)
        return jax.tree.map(lambda rate: self._times(self.ages, rate), rates)

    def noise(self, mu: Mu, t: ArrayLike = 0.0) -> Noise | None:
        noise = self.flow.noise(mu, t)
        if noise is None:
            return None
        root = jnp.sqrt(self.ages)
        ones = jax.tree.map(jnp.ones_like, mu.state)
        return noise.scaled(mu, jax.tree.map(lambda one: self._times(root, one), ones))
