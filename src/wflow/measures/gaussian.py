"""Gaussian measures and Gaussian mixtures."""

import math
from collections.abc import Callable
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks

from .base import AbstractDensity, AbstractMeasure, moving_field
from .particles import Particles


# Gauss-Hermite nodes per axis up to this dimension, degree-5 cubature above.
_NODES = 8
_TENSOR_DIM = 4
_HALF_LOG_2PI = math.log(2 * math.pi) / 2


class GaussianDifferential(NamedTuple):
    r"""$(g_m, G) = (\nabla_m F, \mathrm{sym}\,\nabla_S F)$, ``(d,)`` and ``(d, d)``."""

    mean: Float[Array, " d"]
    cov: Float[Array, "d d"]


def standard_quadrature(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes ``(q, dim)`` and weights ``(q,)`` for the standard normal law.

    Tensor Gauss-Hermite (exact to degree 15 per axis) up to dimension 4; above, the
    cubature with 2 dim^2 + 1 nodes, exact to degree 5.

    Reference: Stroud, Approximate Calculation of Multiple Integrals (1971), E_n^{r^2}
    5-2.
    """
    if dim <= _TENSOR_DIM:
        z, w = np.polynomial.hermite_e.hermegauss(_NODES)
        w = w / w.sum()
        nodes = np.stack(np.meshgrid(*[z] * dim, indexing="ij"), -1).reshape(-1, dim)
        weights = np.prod(
            np.stack(np.meshgrid(*[w] * dim, indexing="ij"), -1).reshape(-1, dim), -1
        )
        return nodes, weights
    eye = np.eye(dim)
    axis = np.sqrt(dim + 2) * np.concatenate([eye, -eye])
    i, j = np.triu_indices(dim, 1)
    pairs = np.sqrt((dim + 2) / 2) * np.concatenate(
        [a * eye[i] + b * eye[j] for a in (1, -1) for b in (1, -1)]
    )
    nodes = np.concatenate([np.zeros((1, dim)), axis, pairs])
    weights = np.concatenate(
        [
            [2 / (dim + 2)],
            np.full(len(axis), (4 - dim) / (2 * (dim + 2) ** 2)),
            np.full(len(pairs), 1 / (dim + 2) ** 2),
        ]
    )
    return nodes, weights


class Gaussian(AbstractMeasure, AbstractDensity):
    """$N(m, S)$ with mean ``(d,)`` and covariance ``(d, d)``, symmetric and positive.

    ``integrate`` is a quadrature (see ``standard_quadrature``), exact for polynomials
    of degree 5 in every dimension. Numbers of less than single precision are taken in
    single precision.

    Raises:
        ValueError: other shapes, a mean that is not finite, or a covariance that is not
            symmetric and positive definite, at any scale.
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
        return jax.scipy.stats.multivariate_normal.logpdf(x, self.mean, self.cov)

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


class GaussianMixture(AbstractDensity):
    r"""$\sum_c a_c N(m_c, S_c)$: an analytic density, used as a target.

    Args:
        means: ``(k, d)``.
        covs: ``(k, d, d)``; variances ``(k,)``, or one for all, are those of
            components alike in all directions.
        weights: ``(k,)``, normalised on use; equal by default.

    Raises:
        ValueError: other shapes, means that are not finite, a covariance that is not
            symmetric and positive semidefinite, weights that are negative, not finite
            or all zero.
    """

    means: Float[Array, "k d"] = eqx.field(converter=moving_field("means"))
    covs: Float[Array, "k d d"] = eqx.field(converter=moving_field("covs"))
    weights: Float[Array, " k"] = eqx.field(converter=moving_field("weights"))

    def __init__(
        self,
        means: Float[ArrayLike, "k d"],
        covs: Float[ArrayLike, "..."],
        weights: Float[ArrayLike, " k"] | None = None,
    ):
        self.means = moving_field("means")(means)
        self.covs = moving_field("covs")(covs)
        k, d = (*jnp.shape(self.means), 0, 0)[:2]
        if jnp.shape(self.covs) in ((), (k,)):
            eye = jnp.eye(d, dtype=self.covs.dtype)
            self.covs = jnp.broadcast_to(self.covs, (k,))[:, None, None] * eye
        equal = jnp.full(k, 1 / max(k, 1), self.means.dtype)
        self.weights = equal if weights is None else weights

    def __check_init__(self) -> None:
        if jnp.ndim(self.means) != 2 or 0 in jnp.shape(self.means):
            raise ValueError(
                "GaussianMixture: expected means of shape (k, d), k and d >= 1, found "
                f"{jnp.shape(self.means)}."
            )
        k, d = jnp.shape(self.means)
        if jnp.shape(self.covs) != (k, d, d) or jnp.shape(self.weights) != (k,):
            raise ValueError(
                f"GaussianMixture: expected covs ({k}, {d}, {d}) and weights ({k},), "
                f"found {jnp.shape(self.covs)} and {jnp.shape(self.weights)}."
            )
        checks.finite(self, "means", self.means)
        # A flat component has no density, but it has integrals.
        checks.covariance(self, "covs", self.covs, singular=True)
        covs = checks.known(self.covs)
        if covs is not None and not np.trace(covs, axis1=1, axis2=2).all():
            raise ValueError(
                "GaussianMixture: expected covs other than zero, found one of zeros."
            )
        checks.weights(self, "weights", self.weights)

    def log_density(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        x = checks.to_real(x, "x")
        checks.shape(self, "x", x, self.means.shape[1:])
        # Inverses that all points share: solves would be batched one by one.
        roots = jnp.linalg.cholesky(self.covs)
        eye = jnp.broadcast_to(jnp.eye(roots.shape[-1], dtype=roots.dtype), roots.shape)
        inverse = jax.scipy.linalg.solve_triangular(roots, eye, lower=True)
        z = jnp.einsum("kij,kj->ki", inverse, x - self.means)
        log_scale = jnp.sum(jnp.log(jnp.diagonal(inverse, axis1=1, axis2=2)), axis=1)
        logs = log_scale - jnp.sum(z**2, axis=1) / 2 - z.shape[1] * _HALF_LOG_2PI
        return jax.nn.logsumexp(logs, b=self.weights / self.weights.sum())

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        checks.count(self, "n", n, 0)
        which, noise = jax.random.split(key)
        c = jax.random.categorical(which, jnp.log(self.weights), shape=(n,))
        z = jax.random.normal(noise, (n, self.means.shape[1]), self.means.dtype)
        return self.means[c] + jnp.einsum(
            "nij,nj->ni", jnp.linalg.cholesky(self.covs)[c], z
        )

    def convolved(self, bandwidth: Float[ArrayLike, ""]) -> Self:
        r"""The mixture convolved with $N(0, h^2 I)$: what a kernel estimate sees.

        Raises:
            ValueError: a bandwidth that is negative, not finite or not one number.
        """
        checks.shape("GaussianMixture.convolved", "bandwidth", bandwidth, ())
        checks.non_negative("GaussianMixture.convolved", "bandwidth", bandwidth)
        blur = jnp.asarray(bandwidth, self.covs.dtype) ** 2 * jnp.eye(
            self.means.shape[1], dtype=self.covs.dtype
        )
        return type(self)(self.means, self.covs + blur, self.weights)

    @property
    def mean(self) -> Float[Array, " d"]:
        """Mean of the mixture."""
        return self.weights @ self.means / self.weights.sum()

    @property
    def cov(self) -> Float[Array, "d d"]:
        """Covariance of the mixture."""
        a = self.weights / self.weights.sum()
        centred = self.means - self.mean
        return (
            jnp.einsum("k,kij->ij", a, self.covs) + (a[:, None] * centred).T @ centred
        )

    def integrate(self, function: Callable[[Array], Array]) -> Array:
        """The integral of ``function``, by the components' quadratures."""
        checks.function(self, "function", function, "x")
        per_component = jax.vmap(lambda m, s: Gaussian(m, s).integrate(function))(
            self.means, self.covs
        )
        return jnp.tensordot(self.weights / self.weights.sum(), per_component, axes=1)
