"""Rules for bandwidths."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import logsumexp
from jaxtyping import Array, Float

from .radial import Gaussian


def _check_cloud(x: Array, rule: str) -> None:
    if x.ndim != 2 or x.shape[0] < 2:
        raise ValueError(
            f"{rule}: expected x of shape (n, d) with n >= 2, found {x.shape}."
        )


def median_bandwidth(
    x: Float[Array, "n d"], max_points: int = 1024
) -> Float[Array, ""]:
    r"""$h^2 = \mathrm{median}_{i<j} |x_i - x_j|^2 / (2 \log(n + 1))$, returned as h.

    With $k = \exp(-r^2 / (2h^2))$ the sum of a typical row of the kernel matrix is then
    about one. Weights are ignored.

    Args:
        x: points, ``(n, d)``.
        max_points: of more points, evenly spaced rows that number at most this many
            stand for all in the median (n in the logarithm stays).

    Returns:
        The bandwidth, a length.

    Raises:
        ValueError: fewer than two points, or ``max_points < 2``.
        RuntimeError: at least half the pairs coincide.

    Reference: Liu, Wang, NeurIPS 2016, section 5 (there with log n, and twice $h^2$).
    """
    _check_cloud(x, "median_bandwidth")
    if max_points < 2:
        raise ValueError(
            f"median_bandwidth: expected max_points >= 2, found {max_points}."
        )
    n = x.shape[0]
    rows = np.linspace(0, n - 1, min(n, max_points)).round().astype(int)
    points = x[rows]
    i, j = np.triu_indices(len(rows), 1)
    # Coordinate by coordinate: exact for close points, no (pairs, d) array.
    r2 = sum((column[i] - column[j]) ** 2 for column in points.T)
    h2 = jnp.median(r2) / (2 * math.log(n + 1))
    h2 = eqx.error_if(
        h2, ~(h2 > 0), "median_bandwidth: at least half the pairs of points coincide."
    )
    return jnp.sqrt(h2)


def silverman_bandwidth(
    x: Float[Array, "n d"], logw: Float[Array, " n"] | None = None
) -> Float[Array, " d"]:
    r"""$h = c_d\,\mathrm{ESS}^{-1/(d+4)}\,\sigma$, $c_d = (4/(d+2))^{1/(d+4)}$.

    $\sigma$ are the weighted standard deviations per coordinate and
    $\mathrm{ESS} = (\sum w)^2 / \sum w^2$.

    Args:
        x: points, ``(n, d)``.
        logw: log-weights, ``(n,)``, not necessarily normalised; None is uniform.

    Returns:
        Bandwidths per coordinate, ``(d,)``, lengths.

    Raises:
        ValueError: fewer than two points.
        RuntimeError: the points of positive weight coincide in some coordinate.

    Reference: Silverman, Density Estimation (1986), equation (4.14) and table 4.1.
    """
    factor, cov = _silverman(x, logw, "silverman_bandwidth")
    var = jnp.diagonal(cov)
    var = eqx.error_if(
        var,
        ~jnp.all(var > 0),
        "silverman_bandwidth: the points coincide in some coordinate.",
    )
    return factor * jnp.sqrt(var)


def silverman_matrix(
    x: Float[Array, "n d"], logw: Float[Array, " n"] | None = None
) -> Float[Array, "d d"]:
    r"""$h h^\top = c_d^2\,\mathrm{ESS}^{-2/(d+4)}\,C$, $c_d = (4/(d+2))^{1/(d+4)}$.

    C is the weighted covariance, and h its lower Cholesky factor: a kernel along the
    directions in which the points lie.

    Args:
        x: points, ``(n, d)``.
        logw: log-weights, ``(n,)``, not necessarily normalised; None is uniform.

    Returns:
        A bandwidth matrix, ``(d, d)``, of lengths.

    Raises:
        ValueError: fewer than two points.
        RuntimeError: the points of positive weight lie in a plane.

    Reference: Silverman, Density Estimation (1986), section 4.2.1 and table 4.1.
    """
    factor, cov = _silverman(x, logw, "silverman_matrix")
    root = jnp.linalg.cholesky(cov)
    root = eqx.error_if(
        root,
        ~jnp.all(jnp.isfinite(root)),
        "silverman_matrix: the points of positive weight lie in a plane.",
    )
    return factor * root


def _silverman(x: Array, logw: Array | None, rule: str) -> tuple[Array, Array]:
    """The rule's factor, and the weighted covariance."""
    _check_cloud(x, rule)
    n, d = x.shape
    logw = jnp.zeros(n, x.dtype) if logw is None else logw - logsumexp(logw)
    w = jnp.exp(logw)
    w = w / jnp.sum(w)
    centred = x - w @ x
    cov = (w[:, None] * centred).T @ centred
    ess = 1 / jnp.sum(w**2)
    factor = (4 / (d + 2)) ** (1 / (d + 4)) * ess ** (-1 / (d + 4))
    return factor, cov


class MedianGaussian(eqx.Module):
    """The Gaussian kernel with ``median_bandwidth`` of the points it is given.

    The bandwidth is not differentiated.
    """

    max_points: int = eqx.field(static=True, default=256)

    def __call__(self, x: Float[Array, "n d"]) -> Gaussian:
        """The kernel for the points ``x``."""
        bandwidth = median_bandwidth(jax.lax.stop_gradient(x), self.max_points)
        return Gaussian(bandwidth)
