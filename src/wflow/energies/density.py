"""Densities for particles: kernel-smoothed, or a Gaussian closure."""

import abc
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.checks import real_field
from wflow.kernels import GaussianKernel, silverman_bandwidth
from wflow.kernels.bandwidth import silverman_matrix
from wflow.kernels.base import check_bandwidth
from wflow.kernels.sums import gradient_matvec, log_matvec, matvec
from wflow.measures import Particles
from wflow.measures.particles import refuse_period


class AbstractParticleDensity(eqx.Module):
    """How particles are given a density.

    Where the energy is differentiated in ``mu`` some numbers stay as they are, such as
    a bandwidth chosen from the cloud: they are computed from the particles ``held``, by
    default from ``mu``.
    """

    @abc.abstractmethod
    def entropy(self, mu: Particles, held: Particles | None = None) -> Float[Array, ""]:
        r"""$\int \log\hat\rho\,d\mu$, with the derivatives that the form asks for."""

    @abc.abstractmethod
    def fisher_information(
        self, mu: Particles, held: Particles | None = None
    ) -> Float[Array, ""]:
        r"""$\int |\nabla\log\hat\rho|^2\,d\mu$, likewise."""


class KDE(AbstractParticleDensity):
    r"""A density of particles, by a Gaussian bell at each of them.

    $\hat\rho(x) = \sum_j w_j N(x; x_j, h h^\top)$, self term included.

    ``bandwidth`` h: a length, ``(d,)`` for one length per axis, or ``(d, d)``; None is
    Silverman's rule with the effective sample size, a constant where the energy is
    differentiated: per axis, or with ``correlated=True`` a multiple of the particles'
    covariance.
    ``form="blob"`` differentiates the smoothed functional exactly; ``form="plug_in"``
    differentiates as if $\hat\rho$ were given, so that the velocity is minus its
    score, as samplers use it. On a torus the kernel is that of the shortest way, a
    density for bandwidths short against the period; Silverman's rule has none there.

    Raises:
        ValueError: a bandwidth that is not above zero, nan or infinite, a matrix that
            is not invertible, or an unknown form; when evaluated, no bandwidth for
            particles with a period.

    References: Carrillo, Craig, Patacchini, Calc. Var. 58 (2019), equation (5) (blob).
    """

    bandwidth: Float[Array, "..."] | None = eqx.field(
        converter=real_field("bandwidth", optional=True), default=None
    )
    form: Literal["blob", "plug_in"] = eqx.field(static=True, default="blob")
    correlated: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        checks.one_of(self, "form", self.form, ("blob", "plug_in"))
        checks.one_of(self, "correlated", self.correlated, (True, False))
        if self.bandwidth is not None:
            check_bandwidth(self, self.bandwidth)

    def _bandwidth(self, mu: Particles) -> Array:
        if self.bandwidth is not None:
            return jnp.asarray(self.bandwidth, mu.dtype)
        refuse_period("KDE without a bandwidth", mu)
        if self.correlated:
            return silverman_matrix(mu.x, mu.logw)
        return silverman_bandwidth(mu.x, mu.logw)

    def _estimate(
        self, mu: Particles, held: Particles | None
    ) -> tuple[GaussianKernel, Array, Array]:
        """The kernel, and the points and weights that it is put on."""
        held = mu if held is None else held
        cloud = held if self.form == "plug_in" else mu
        return GaussianKernel(self._bandwidth(held)), cloud.x, cloud.w

    def log_density(
        self, mu: Particles, held: Particles | None = None
    ) -> Float[Array, " n"]:
        r"""$\log\hat\rho$ at the particles."""
        kernel, x, w = self._estimate(mu, held)
        log_normalizer = kernel.log_volume(mu.dim) + mu.dim * jnp.log(2 * jnp.pi) / 2
        logs = log_matvec(kernel, mu.x, x, w, period=mu.period)
        return logs - log_normalizer

    def entropy(self, mu: Particles, held: Particles | None = None) -> Float[Array, ""]:
        return mu.w @ self.log_density(mu, held)

    def fisher_information(
        self, mu: Particles, held: Particles | None = None
    ) -> Float[Array, ""]:
        kernel, x, w = self._estimate(mu, held)
        total = matvec(kernel, mu.x, x, w, period=mu.period)
        # Zero at a point of weight zero far from all others, which does not count.
        total = jnp.where(total <= 0, 1, total)
        gradient = gradient_matvec(kernel, mu.x, x, w, period=mu.period)
        return mu.w @ jnp.sum((gradient / total[:, None]) ** 2, axis=1)


class GaussianClosure(AbstractParticleDensity):
    """The density of the Gaussian with the particles' mean and covariance.

    Exact for Gaussian laws; differentiated exactly (its entropy's gradient is the
    Gaussian's score).

    Raises:
        ValueError: when evaluated, particles that lie in a plane or are not finite,
            where they are known.
    """

    def _check_spread(self, mu: Particles) -> None:
        checks.covariance(self, "the covariance of the particles' x", mu.cov)

    def entropy(self, mu: Particles, held: Particles | None = None) -> Float[Array, ""]:
        del held
        self._check_spread(mu)
        return mu.mass * gaussian_entropy(mu.cov) + mu.mass * jnp.log(mu.mass)

    def fisher_information(
        self, mu: Particles, held: Particles | None = None
    ) -> Float[Array, ""]:
        del held
        self._check_spread(mu)
        return mu.mass * jnp.trace(jnp.linalg.inv(mu.cov))


def gaussian_entropy(cov: Float[Array, "d d"]) -> Float[Array, ""]:
    r"""The negative entropy of a normal distribution.

    $\int \rho\log\rho = -\frac12\log\det(2\pi e S)$ of a Gaussian.
    """
    d = cov.shape[0]
    return -(jnp.linalg.slogdet(cov)[1] + d * (1 + jnp.log(2 * jnp.pi))) / 2
