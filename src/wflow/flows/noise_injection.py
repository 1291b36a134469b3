"""Descent with the force read off at shaken positions."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from wflow.energies import AbstractEnergy
from wflow.measures import Particles, UnsupportedMeasureError

from .base import (
    AbstractJumpFlow,
    Strength,
    as_strength,
    check_strength,
    strength_at,
)


class NoiseInjectionFlow(AbstractJumpFlow):
    r"""$x_i \leftarrow x_i - h\nabla\frac{\delta F}{\delta\mu}(x_i + b\,\xi_i)$,
    $\xi_i \sim N(0, I)$: an Euler step of the Wasserstein gradient flow of F.

    Unlike Langevin noise it does not move the target: where F has its minimum the force
    vanishes everywhere. It frees particles that a discrepancy with a short kernel has
    lost. ``level`` b is a length, a number or a schedule (a function of time).

    Raises:
        ValueError: a negative level.

    Reference: Arbel, Korba, Salim, Gretton, NeurIPS 2019, equation (17).
    """

    energy: AbstractEnergy
    level: Strength = eqx.field(converter=as_strength, default=1.0)

    def __check_init__(self) -> None:
        check_strength(self, "level", self.level)

    def separable(self, mu: Any) -> bool:
        del mu
        return self.energy.separable

    def jump(
        self, mu: Any, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        level = strength_at(self.level, t, mu.dtype)
        shaken = mu.x + level * jax.random.normal(key, mu.x.shape, mu.dtype)

        def landscape(points: Array) -> Array:
            return jnp.sum(self.energy.first_variation(mu, points, t))

        return mu.with_state((mu.x - dt * jax.grad(landscape)(shaken), mu.logw))
