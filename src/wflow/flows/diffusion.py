"""Noise alone, to be added to a flow."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.measures import Gaussian, Particles, Phase, Point, UnsupportedMeasureError
from wflow.measures.base import State

from .base import AbstractIndependentFlow
from .noise import Noise, check_amplitude


class Diffusion(AbstractIndependentFlow[Particles | Phase | Gaussian | Point]):
    r"""Brownian noise alone, to be added to another law.

    $dx = \sigma\,dW$: every particle is shaken, in its velocity on a Phase.

    Added to the gradient flow of a quadratic energy it is an Ornstein-Uhlenbeck process
    with noise covariance $Q = \sigma\sigma^\top$ per unit of time. On a Gaussian, the
    law of one particle, $\dot S = Q$ without chance.

    Attributes:
        deviation: $\sigma$, a number, one for every coordinate ``(d,)``, or a matrix
            ``(d, d)`` for noise along any axes.

    Raises:
        ValueError: a deviation of another shape, that is not finite, or numbers that
            are negative.

    Reference: Pavliotis, Stochastic Processes and Applications (2014), section 3.7.
    """

    deviation: Float[Array, "..."] = eqx.field(converter=real_field("deviation"))

    def __check_init__(self) -> None:
        check_amplitude(self, "deviation", self.deviation)

    def velocity(
        self, mu: Particles | Phase | Gaussian | Point, t: ArrayLike = 0.0
    ) -> State:
        del t
        match mu:
            case Particles() | Phase(measure=Particles()) | Point():
                return jax.tree.map(jnp.zeros_like, mu.state)
            case Gaussian():
                root = jnp.asarray(self.deviation, mu.dtype)
                if root.ndim < 2:
                    root = jnp.diag(jnp.broadcast_to(root, (mu.dim,)))
                checks.shape(self, "deviation", root, (mu.dim, mu.dim))
                return jnp.zeros_like(mu.mean), root @ root.T
        raise UnsupportedMeasureError(
            self, mu, "Particles, a Phase of Particles, Gaussian and Point"
        )

    def noise(
        self, mu: Particles | Phase | Gaussian | Point, t: ArrayLike = 0.0
    ) -> Noise | None:
        del t
        return None if isinstance(mu, Gaussian) else Noise(self.deviation)
