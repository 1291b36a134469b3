"""Langevin steps whose density is known: weights without a kernel estimate."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from wflow.checks import function
from wflow.flows import AbstractJumpFlow
from wflow.flows.base import (
    Strength,
    check_strength,
    one_log_density,
    strength_at,
    strength_field,
)
from wflow.kernels import GaussianKernel
from wflow.kernels.sums import log_matvec
from wflow.measures import Particles, UnsupportedMeasureError

from .reweighting import check_share, reweighted


class TransitionMixtureFlow(AbstractJumpFlow):
    r"""Langevin steps with weights that need no density estimate of the particles.

    $x_i = y_i + \alpha h\nabla\log\pi(y_i) + \sqrt{2\alpha h}\,\xi_i$, then $\log w_i
    \leftarrow \log w_i - (1 - e^{-\beta h})\,(\log\hat\rho - \log\pi)(x_i)$ with
    $\hat\rho = \sum_j w_j N(y_j + \alpha h\nabla\log\pi(y_j), 2\alpha h I)$.

    Transport and reaction of the spherical Hellinger-Kantorovich flow in one step of
    length h, with the exact law of a Langevin step for the density: a kernel estimate
    of bandwidth $\sqrt{2\alpha h}$ that needs no choice. Weights are differentiable,
    resampling is not.

    Attributes:
        log_density: of the target, at one point.
        alpha: strength of the transport, a number or a schedule; not zero.
        beta: strength of the reaction, likewise.
        resample_below: as in ``ReweightingFlow``.

    Raises:
        ValueError: a negative strength, or a share outside [0, 1].
        TypeError: ``log_density`` is no function.

    Reference: Crucinio, Pathiraja, arXiv:2506.05905, algorithm 1.
    """

    log_density: Callable[[Array], Array]
    alpha: Strength = strength_field("alpha", default=1.0)
    beta: Strength = strength_field("beta", default=1.0)
    resample_below: float | None = eqx.field(static=True, default=0.5)

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")
        check_strength(self, "alpha", self.alpha)
        check_strength(self, "beta", self.beta)
        check_share(self, self.resample_below)

    def log_density_at(self, mu: Any, t: ArrayLike) -> Array | None:
        del t
        return jax.vmap(self.log_density)(mu.x)

    def jump(
        self, mu: Any, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        noise_key, resampling_key = jax.random.split(key)
        log_density = one_log_density(self, self.log_density)
        alpha, beta = (strength_at(s, t, mu.dtype) for s in (self.alpha, self.beta))
        std = jnp.sqrt(2 * alpha * dt)
        centers = mu.x + alpha * dt * jax.vmap(jax.grad(log_density))(mu.x)
        x = centers + std * jax.random.normal(noise_key, mu.x.shape, mu.dtype)
        log_rho = log_matvec(GaussianKernel(std), x, centers, mu.w)
        excess = log_rho - jax.vmap(log_density)(x)
        moved = mu.with_state((x, mu.logw))
        gain = jnp.expm1(-beta * dt) * excess
        return reweighted(moved, gain, self.resample_below, resampling_key)
