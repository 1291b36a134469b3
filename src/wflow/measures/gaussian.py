"""Gaussian measures."""

import math
from collections.abc import Callable
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks

from .base import AbstractDensity, AbstractMeasure, moving_field
from .particles import Particles
from .quadrature import standard_quadrature


HALF_LOG_2PI = math.log(2 * math.pi) / 2


class GaussianDifferential(NamedTuple):
    r"""Slopes of an energy in the mean and covariance of a Gaussian.

    $(g_m, G) = (\nabla_m F, \mathrm{sym}\,\nabla_S F)$, ``(d,)`` and ``(d, d)``.
    """

    mean: Float[Array, " d"]
    cov: Float[Array, "d d"]


class Gaussian(AbstractMeasure, AbstractDensity):
    """A normal distribution, which moves by its mean and its covariance.

    $N(m, S)$ with mean ``(d,)`` and covariance ``(d, d)``, symmetric and positive.

    ``integrate`` is a quadrature (see ``standard_quadrature``), exact for polynomials
    of degree 5 in every dimension. Numbers of less than single precision are taken in
    single precision.

    Raises:
        ValueError: other shapes, a mean that is not finite, or a covariance that is not
            symmetric and positive definite, at any scale.

    Examples:
        >>> import wflow as wf
        >>> bell = wf.Gaussian([1.0], [[4.0]])
        >>> print(round(float(bell.integrate(lambda x: x[0] ** 2)), 3))
        5.0
    """

    mean: Float[Array, " d"] = eqx.field(converter=moving_field("mean"))
    cov: Float[Array, "d d"] = eqx.field(converter=moving_field("cov"))

    def __check_init__(self) -> None:
        shape = jnp.shape(self.mean)
        if len(shape) != 1 or shape[0] == 0 or jnp.shape(self.cov) != shape * 2:
            raise ValueError(
                "Gaussian: expected mean of shape (d,) and cov of shape (d, d), d >= 1,"
                f" found {shape} and {jnp.shape(self.cov)}."
            )
        checks.finite(self, "mean", self.mean)
        checks.covariance(self, "cov", self.cov)

    @classmethod
    def from_samples(
        cls, x: Float[ArrayLike, "n d"], weights: Float[ArrayLike, " n"] | None = None
    ) -> Self:
        """The Gaussian with the samples' mean and covariance (divisor: the mass).

        Raises:
            ValueError: as ``Particles.from_samples``, or the samples are not finite or
                lie in a plane.
        """
        particles = Particles.from_samples(x, weights)
        checks.finite("Gaussian.from_samples", "x", particles.x)
        mean, cov = particles.mean, particles.cov
        checks.covariance("Gaussian.from_samples", "the covariance of x", cov)
        return cls(mean, cov)

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return self.mean.shape[0]

    def log_density(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        x = checks.to_real(x, "x")
        if x.shape[-1:] != self.mean.shape:
            raise ValueError(
                f"Gaussian: expected x of shape ({self.dim},), found {x.shape}."
            )
        log = jax.scipy.stats.multivariate_normal.logpdf(x, self.mean, self.cov)
        return jnp.asarray(log)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        checks.count(self, "n", n, 0)
        return jax.random.multivariate_normal(
            key, self.mean, self.cov, shape=(n,), dtype=self.mean.dtype
        )

    def integrate(self, function: Callable[[Array], Array]) -> Array:
        checks.function(self, "function", function, "x")
        nodes, weights = standard_quadrature(self.dim)
        nodes = jnp.asarray(nodes, self.mean.dtype)
        x = self.mean + nodes @ jnp.linalg.cholesky(self.cov).T
        return jnp.tensordot(
            jnp.asarray(weights, x.dtype), jax.vmap(function)(x), axes=1
        )

    @property
    def state(self) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
        return self.mean, self.cov

    def with_state(self, state: tuple[Array, Array]) -> Self:
        return eqx.tree_at(lambda mu: (mu.mean, mu.cov), self, state)

    def differential(
        self, functional: Callable[[Self], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], GaussianDifferential]:
        value, (mean, cov) = jax.value_and_grad(
            lambda state: functional(self.with_state(state))
        )(self.state)
        return value, GaussianDifferential(mean, (cov + cov.T) / 2)
