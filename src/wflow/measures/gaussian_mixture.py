"""Mixtures of Gaussians."""

from collections.abc import Callable
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks

from .base import AbstractDensity, moving_field
from .gaussian import HALF_LOG_2PI, Gaussian


class GaussianMixture(AbstractDensity):
    r"""A mixture of normal distributions in closed form, used as a target.

    $\sum_c a_c N(m_c, S_c)$.

    Args:
        means: ``(k, d)``.
        covs: ``(k, d, d)``; variances ``(k,)``, or one for all, are those of
            components alike in all directions.
        weights: ``(k,)``, normalized on use; equal by default.

    Raises:
        ValueError: other shapes, means that are not finite, a covariance that is not
            symmetric and positive semidefinite, weights that are negative, not finite
            or all zero.

    Examples:
        >>> import wflow as wf
        >>> two = wf.GaussianMixture([[-1.0], [1.0]], 0.25, weights=[1.0, 3.0])
        >>> print(two.mean, two.cov)
        [0.5] [[1.]]
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
        self.weights = equal if weights is None else moving_field("weights")(weights)

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
        logs = log_scale - jnp.sum(z**2, axis=1) / 2 - z.shape[1] * HALF_LOG_2PI
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
        centered = self.means - self.mean
        return (
            jnp.einsum("k,kij->ij", a, self.covs) + (a[:, None] * centered).T @ centered
        )

    def integrate(self, function: Callable[[Array], Array]) -> Array:
        """The integral of ``function``, by the components' quadratures."""
        checks.function(self, "function", function, "x")
        per_component = jax.vmap(lambda m, s: Gaussian(m, s).integrate(function))(
            self.means, self.covs
        )
        return jnp.tensordot(self.weights / self.weights.sum(), per_component, axes=1)
