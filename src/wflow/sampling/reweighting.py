"""The Fisher-Rao reaction by weights, in a step that is exact and never too long."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.nn import logsumexp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import instance, shape, within
from wflow.energies import KLDivergence
from wflow.flows import AbstractJumpFlow
from wflow.flows.base import (
    Strength,
    check_strength,
    strength_at,
    strength_field,
)
from wflow.measures import Gaussian, Grid, Particles, UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError
from wflow.measures.resampling import resampled


class ReweightingFlow(AbstractJumpFlow):
    r"""Raise weights where a target has more mass than the particles, and lower others.

    $\rho \leftarrow \rho\,(\pi/\hat\rho)^{1 - e^{-\beta h}}$, normalized: a step h of
    $\partial_t\rho = -\beta\rho\,(\log(\rho/\pi) - \text{mean})$, the Fisher-Rao flow.

    Exact on a Grid, and on a Gaussian with a Gaussian target. On Particles the weights
    move, $\log w_i \leftarrow \log w_i - (1 - e^{-\beta h})\Lambda_i$ with $\Lambda =
    \log\hat\rho - \log\pi$ and the density $\hat\rho$ of the energy, such as
    ``KDE(form="plug_in")``. The total mass is kept.

    Add it to a transport for a spherical Hellinger-Kantorovich flow:
    ``LangevinFlow(KLDivergence(log_density)) + ReweightingFlow(kl)``. Its weights are
    differentiable; resampling carries no gradient.

    Attributes:
        energy: the Kullback-Leibler divergence, with a density for Particles.
        rate: $\beta$, a number or a schedule (a function of time).
        resample_below: resample Particles systematically where the effective sample
            size falls below this share of their number; None never does.

    Raises:
        TypeError: the energy is not a ``KLDivergence``.
        ValueError: a negative rate, or a share outside [0, 1].

    References: Lu, Slepcev, Wang, Nonlinearity 36 (2023), equation (1.4); resampling:
    Crucinio, Pathiraja, arXiv:2506.05905.
    """

    energy: KLDivergence
    rate: Strength = strength_field("rate", default=1.0)
    resample_below: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        instance(self, "energy", self.energy, KLDivergence, "a KLDivergence")
        check_strength(self, "rate", self.rate)
        check_share(self, self.resample_below)

    @property
    def random(self) -> bool:
        return self.resample_below is not None

    def log_density_at(self, mu: Any, t: ArrayLike) -> Array | None:
        match mu:
            case Particles():
                return self.energy.differential(mu, t).w
            case Grid():
                return mu.evaluate(self.energy.log_density)
        return None

    def jump(self, mu: Any, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray) -> Any:
        c = -jnp.expm1(-strength_at(self.rate, t, mu.dtype) * dt)
        match mu:
            case Particles():
                differential = self.energy.differential(mu, t)
                if differential.entropy is not None:
                    raise ImplicitEntropyError(self)
                return reweighted(mu, -c * differential.w, self.resample_below, key)
            case Grid():
                return self._on_grid(mu, c)
            case Gaussian():
                # rho exp(-c dF/drho), the first variation being quadratic.
                g, quadratic = self.energy.differential(mu, t)
                precision = jnp.linalg.inv(mu.cov) + 2 * c * quadratic
                cov = jnp.linalg.inv(precision)
                cov = (cov + cov.T) / 2
                return mu.with_state((mu.mean - c * cov @ g, cov))
        raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")

    def _on_grid(self, mu: Grid, c: Float[Array, ""]) -> Grid:
        empty = mu.density <= 0
        log_rho = jnp.log(jnp.where(empty, 1, mu.density))
        log_pi = mu.evaluate(self.energy.log_density).astype(mu.dtype)
        logs = jnp.where(empty, -jnp.inf, (1 - c) * log_rho + c * log_pi)
        return mu.with_state(jnp.exp(logs - logsumexp(logs)) * mu.mass / mu.cell_volume)


def reweighted(
    mu: Particles,
    gain: Float[Array, " n"],
    resample_below: float | None,
    key: PRNGKeyArray,
) -> Particles:
    """``mu`` with ``gain`` added to its log-weights, its mass kept, resampled."""
    logw = mu.logw + gain
    logw = logw - logsumexp(logw) + mu.log_mass
    moved = mu.with_state((mu.x, logw))
    if resample_below is None:
        return moved
    return resampled(key, moved, moved.ess < resample_below * mu.n)


def check_share(owner: object, share: float | None) -> None:
    """Refuse a share of the particles outside [0, 1].

    Raises:
        ValueError: it is outside.
    """
    if share is not None:
        shape(owner, "resample_below", share, ())
        within(owner, "resample_below", share, 0, 1)
