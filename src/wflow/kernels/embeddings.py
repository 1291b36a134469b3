"""Closed-form integrals of the Gaussian kernel against Gaussian mixtures."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.measures import GaussianMixture

from .radial import GaussianKernel


def _log_smoothed(
    kernel: GaussianKernel, difference: Float[Array, " d"], cov: Float[Array, "d d"]
) -> Float[Array, ""]:
    r"""Logarithm of a Gaussian kernel that is averaged over a normal distribution.

    $\log E\,k(\Delta + Z)$, $Z \sim N(0, S)$: one Gaussian integral.
    """
    d, dtype = difference.shape[0], difference.dtype
    h2 = kernel.color(kernel.color(jnp.eye(d, dtype=dtype), adjoint=True))
    factor = jnp.linalg.cholesky(h2 + cov)
    z = jax.scipy.linalg.solve_triangular(factor, difference, lower=True)
    log_ratio = kernel.log_volume(d) - jnp.sum(jnp.log(jnp.diagonal(factor)))
    return log_ratio.astype(dtype) - z @ z / 2


def _weights(mixture: GaussianMixture) -> Array:
    return mixture.weights / jnp.sum(mixture.weights)


def mixture_embedding(
    kernel: GaussianKernel, mixture: GaussianMixture, x: Float[Array, "n d"]
) -> Float[Array, " n"]:
    r"""A Gaussian mixture seen through a Gaussian kernel, in closed form.

    $\int k(x_i, y)\,d\nu(y)$, the kernel mean embedding.

    $= \sum_c a_c \sqrt{|H| / |H + S_c|}\, e^{-\frac12 |x_i - m_c|^2_{(H + S_c)^{-1}}}$
    with $H = h h^\top$; weights are normalized.

    Args:
        kernel: the Gaussian kernel.
        mixture: the mixture, ``k`` components.
        x: points, ``(n, d)``.

    Returns:
        The embedding at the points, ``(n,)``.

    Raises:
        TypeError: another kernel, or no mixture.
        ValueError: the points are not ``(n, d)`` with the d of the mixture.
    """
    x = _checked("mixture_embedding", kernel, mixture, x)
    return _weights(mixture) @ jnp.exp(_log_components(kernel, mixture, x))


def log_mixture_embedding(
    kernel: GaussianKernel, mixture: GaussianMixture, x: Float[Array, "n d"]
) -> Float[Array, " n"]:
    """Logarithm of ``mixture_embedding``, however far the points.

    Raises:
        TypeError: another kernel, or no mixture.
        ValueError: the points are not ``(n, d)`` with the d of the mixture.
    """
    x = _checked("log_mixture_embedding", kernel, mixture, x)
    logs = _log_components(kernel, mixture, x)
    return jax.nn.logsumexp(logs, axis=0, b=_weights(mixture)[:, None])


def _checked(
    owner: str, kernel: GaussianKernel, mixture: GaussianMixture, x: Array
) -> Array:
    checks.instance(owner, "kernel", kernel, GaussianKernel, "a Gaussian kernel")
    checks.instance(owner, "mixture", mixture, GaussianMixture, "a GaussianMixture")
    x = checks.at_least_single(checks.to_real(x, "x"))
    checks.shape(owner, "x", x, ("n", mixture.means.shape[1]))
    return x


def _log_components(
    kernel: GaussianKernel, mixture: GaussianMixture, x: Float[Array, "n d"]
) -> Float[Array, "k n"]:
    def component(mean: Array, cov: Array) -> Array:
        return jax.vmap(lambda point: _log_smoothed(kernel, point - mean, cov))(x)

    return jax.vmap(component)(mixture.means, mixture.covs)


def mixture_double_integral(
    kernel: GaussianKernel, first: GaussianMixture, second: GaussianMixture
) -> Float[Array, ""]:
    r"""The mean similarity of two Gaussian mixtures, in closed form.

    $\iint k(x, y)\,d\mu(x)\,d\nu(y)$.

    $= \sum_{cc'} a_c b_{c'} \sqrt{|H| / |H + S_c + S_{c'}|}\,
    e^{-\frac12 |m_c - m_{c'}|^2_{(H + S_c + S_{c'})^{-1}}}$; weights are normalized.

    Raises:
        TypeError: another kernel, or no mixtures.
        ValueError: mixtures of different dimension.
    """
    owner = "mixture_double_integral"
    checks.instance(owner, "first", first, GaussianMixture, "a GaussianMixture")
    _checked(owner, kernel, first, first.means)
    checks.instance(owner, "second", second, GaussianMixture, "a GaussianMixture")
    checks.shape(owner, "second", second.means, ("components", first.means.shape[1]))

    def pair(m: Array, s: Array, n: Array, t: Array) -> Array:
        return jnp.exp(_log_smoothed(kernel, m - n, s + t))

    values = jax.vmap(jax.vmap(pair, (None, None, 0, 0)), (0, 0, None, None))(
        first.means, first.covs, second.means, second.covs
    )
    return _weights(first) @ values @ _weights(second)
