"""Rules for bandwidths."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import logsumexp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import at_least_single, to_real

from .radial import GaussianKernel


# Points that differ by no more than this many units of rounding coincide.
_ROUNDING = 4


def _cloud(x: ArrayLike, rule: str) -> Float[Array, "n d"]:
    """Two points or more, finite where they are known."""
    x = at_least_single(to_real(x, "x"))
    if x.ndim != 2 or x.shape[0] < 2 or x.shape[1] == 0:
        raise ValueError(
            f"{rule}: expected x of shape (n, d) with n >= 2, found {x.shape}: a "
            "bandwidth is read off the spread of points."
        )
    checks.finite(rule, "x", x)
    return x


def _resolution(x: Float[Array, "n d"]) -> Float[Array, " d"]:
    """The distances below which coordinates of this size do not differ."""
    return _ROUNDING * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(x), axis=0)


def median_bandwidth(
    x: Float[Array, "n d"], max_points: int = 1024
) -> Float[Array, ""]:
    r"""A kernel width from the median distance between the points.

    $h^2 = \mathrm{median}_{i<j} |x_i - x_j|^2 / (2 \log(n + 1))$, returned as h.

    With $k = \exp(-r^2 / (2h^2))$ the sum of a typical row of the kernel matrix is then
    about one. Weights are ignored.

    Args:
        x: points, ``(n, d)``.
        max_points: of more points, evenly spaced rows that number at most this many
            stand for all in the median (n in the logarithm stays).

    Returns:
        The bandwidth, a length.

    Raises:
        ValueError: fewer than two points, points that are not finite,
            ``max_points < 2``, or at least half the pairs coincide, up to rounding.
            What compiled code finds is a ``RuntimeError``.
        TypeError: ``max_points`` is no whole number.

    Reference: Liu, Wang, NeurIPS 2016, section 5 (there with log n, and twice $h^2$).
    """
    x = _cloud(x, "median_bandwidth")
    checks.count("median_bandwidth", "max_points", max_points, 2)
    n = x.shape[0]
    rows = np.linspace(0, n - 1, min(n, max_points)).round().astype(int)
    points = x[rows]
    i, j = np.triu_indices(len(rows), 1)
    # Coordinate by coordinate: exact for close points, no (pairs, d) array.
    r2 = sum((column[i] - column[j]) ** 2 for column in points.T)
    middle = jnp.median(r2)
    # Written so that nan, which is no coincidence, passes and shows.
    coincide = (middle <= jnp.min(_resolution(x)) ** 2) | (middle <= 0)
    middle = checks.require(
        middle,
        ~coincide,
        "median_bandwidth: at least half the pairs of points x coincide, which leaves "
        "no bandwidth; give one.",
    )
    return jnp.sqrt(middle / (2 * math.log(n + 1)))


def silverman_bandwidth(
    x: Float[Array, "n d"], logw: Float[Array, " n"] | None = None
) -> Float[Array, " d"]:
    r"""Silverman's width of a density estimate, one for each coordinate.

    $h = c_d\,\mathrm{ESS}^{-1/(d+4)}\,\sigma$, $c_d = (4/(d+2))^{1/(d+4)}$.

    $\sigma$ are the weighted standard deviations per coordinate and
    $\mathrm{ESS} = (\sum w)^2 / \sum w^2$.

    Args:
        x: points, ``(n, d)``.
        logw: log-weights, ``(n,)``, not necessarily normalized; None is uniform.

    Returns:
        Bandwidths per coordinate, ``(d,)``, lengths.

    Raises:
        ValueError: fewer than two points, points that are not finite, or points of
            positive weight that coincide in some coordinate, up to rounding. What
            compiled code finds is a ``RuntimeError``.

    Reference: Silverman, Density Estimation (1986), equation (4.14) and table 4.1.
    """
    factor, cov, spread = _silverman(x, logw, "silverman_bandwidth")
    var = jnp.diagonal(cov)
    var = checks.require(
        var,
        spread & ~(var <= 0),
        "silverman_bandwidth: the points x of positive weight coincide in some "
        "coordinate, which leaves no bandwidth; give one.",
    )
    return factor * jnp.sqrt(var)


def silverman_matrix(
    x: Float[Array, "n d"], logw: Float[Array, " n"] | None = None
) -> Float[Array, "d d"]:
    r"""Silverman's width along the directions in which the points lie.

    $h h^\top = c_d^2\,\mathrm{ESS}^{-2/(d+4)}\,C$, $c_d = (4/(d+2))^{1/(d+4)}$.

    C is the weighted covariance, and h its lower Cholesky factor: a kernel along the
    directions in which the points lie.

    Args:
        x: points, ``(n, d)``.
        logw: log-weights, ``(n,)``, not necessarily normalized; None is uniform.

    Returns:
        A bandwidth matrix, ``(d, d)``, of lengths.

    Raises:
        ValueError: fewer than two points, points that are not finite, or points of
            positive weight that lie in a plane, up to rounding. What compiled code
            finds is a ``RuntimeError``.

    Reference: Silverman, Density Estimation (1986), section 4.2.1 and table 4.1.
    """
    factor, cov, spread = _silverman(x, logw, "silverman_matrix")
    root = jnp.linalg.cholesky(cov)
    # Rounding of the covariance leaves pivots of this size.
    least = len(cov) * jnp.finfo(cov.dtype).eps * jnp.diagonal(cov)
    flat = ~jnp.isfinite(cov).all() | (jnp.diagonal(root) ** 2 > least)
    root = checks.require(
        root,
        spread & flat,
        "silverman_matrix: the points x of positive weight lie in a plane, which "
        "leaves no bandwidth matrix; give one.",
    )
    return factor * root


def _silverman(
    x: ArrayLike, logw: ArrayLike | None, rule: str
) -> tuple[Array, Array, Array]:
    """The rule's factor, the weighted covariance, and whether coordinates differ."""
    x = _cloud(x, rule)
    n, d = x.shape
    if logw is not None:
        logw = at_least_single(to_real(logw, "logw"))
        checks.shape(rule, "logw", logw, (n,))
        top = checks.known(jnp.max(logw))
        if top is not None and not np.isfinite(top):
            raise ValueError(
                f"{rule}: expected logw finite, or -inf for some points, found {top}."
            )
    logw = jnp.zeros(n, x.dtype) if logw is None else logw - logsumexp(logw)
    w = jnp.exp(logw)
    w = w / jnp.sum(w)
    centered = x - w @ x
    cov = (w[:, None] * centered).T @ centered
    ess = 1 / jnp.sum(w**2)
    factor = (4 / (d + 2)) ** (1 / (d + 4)) * ess ** (-1 / (d + 4))
    # By the extremes, not by the variance, in which equal points differ by rounding.
    heavy = (w > 0)[:, None]
    high = jnp.max(jnp.where(heavy, x, -jnp.inf), axis=0)
    low = jnp.min(jnp.where(heavy, x, jnp.inf), axis=0)
    return factor, cov, ~(high - low <= _resolution(x))


class MedianGaussian(eqx.Module):
    """The Gaussian kernel with ``median_bandwidth`` of the points it is given.

    The bandwidth is not differentiated.

    Raises:
        TypeError: ``max_points`` is no whole number.
        ValueError: it is below 2.
    """

    max_points: int = eqx.field(static=True, default=256)

    def __check_init__(self) -> None:
        checks.count(self, "max_points", self.max_points, 2)

    def __call__(self, x: Float[Array, "n d"]) -> GaussianKernel:
        """The kernel for the points ``x``."""
        bandwidth = median_bandwidth(jax.lax.stop_gradient(x), self.max_points)
        return GaussianKernel(bandwidth)
