"""Closed-form integrals of the Gaussian kernel against Gaussian mixtures."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.measures import GaussianMixture

from .radial import Gaussian


def _smoothed(
    kernel: Gaussian, difference: Float[Array, " d"], cov: Float[Array, "d d"]
) -> Float[Array, ""]:
    r"""$E\,k(\Delta + Z)$, $Z \sim N(0, S)$: one Gaussian integral."""
    dtype = difference.dtype
    h2 = jnp.broadcast_to(jnp.asarray(kernel.bandwidth, dtype) ** 2, difference.shape)
    factor = jnp.linalg.cholesky(jnp.diag(h2) + cov)
    z = jax.scipy.linalg.solve_triangular(factor, difference, lower=True)
    log_ratio = jnp.sum(jnp.log(h2)) / 2 - jnp.sum(jnp.log(jnp.diagonal(factor)))
    return jnp.exp(log_ratio - z @ z / 2)


def _weights(mixture: GaussianMixture) -> Array:
    return mixture.weights / jnp.sum(mixture.weights)


def mixture_embedding(
    kernel: Gaussian, mixture: GaussianMixture, x: Float[Array, "n d"]
) -> Float[Array, " n"]:
    r"""$\int k(x_i, y)\,d\nu(y)$, the kernel mean embedding of a mixture.

    $= \sum_c a_c \sqrt{|H| / |H + S_c|}\, e^{-\frac12 |x_i - m_c|^2_{(H + S_c)^{-1}}}$
    with $H = \mathrm{diag}(h^2)$; weights are normalised.

    Args:
        kernel: the Gaussian kernel, bandwidth scalar or ``(d,)``.
        mixture: the mixture, ``k`` components.
        x: points, ``(n, d)``.

    Returns:
        The embedding at the points, ``(n,)``.
    """

    def component(mean: Array, cov: Array) -> Array:
        return jax.vmap(lambda point: _smoothed(kernel, point - mean, cov))(x)

    return _weights(mixture) @ jax.vmap(component)(mixture.means, mixture.covs)


def mixture_double_integral(
    kernel: Gaussian, first: GaussianMixture, second: GaussianMixture
) -> Float[Array, ""]:
    r"""$\iint k(x, y)\,d\mu(x)\,d\nu(y)$ for two mixtures.

    $= \sum_{cc'} a_c b_{c'} \sqrt{|H| / |H + S_c + S_{c'}|}\,
    e^{-\frac12 |m_c - m_{c'}|^2_{(H + S_c + S_{c'})^{-1}}}$; weights are normalised.
    """

    def pair(m: Array, s: Array, n: Array, t: Array) -> Array:
        return _smoothed(kernel, m - n, s + t)

    values = jax.vmap(jax.vmap(pair, (None, None, 0, 0)), (0, 0, None, None))(
        first.means, first.covs, second.means, second.covs
    )
    return _weights(first) @ values @ _weights(second)
