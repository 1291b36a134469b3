"""How good an ensemble is: against the truth, and against a reference posterior."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from wflow.kernels import AbstractKernel, matvec


def rmse(
    mean: Float[Array, "*times d"], truth: Float[ArrayLike, "*times d"]
) -> Float[Array, "*times"]:
    r"""$\sqrt{\frac1d \sum_j (\bar x_j - x_j)^2}$, for every time."""
    return jnp.sqrt(jnp.mean((mean - jnp.asarray(truth)) ** 2, axis=-1))


def crps(
    x: Float[Array, "n d"],
    truth: Float[ArrayLike, " d"],
    weights: Float[Array, " n"] | None = None,
) -> Float[Array, " d"]:
    r"""$\sum_i w_i |x_i - x^*| - \frac12 \sum_{ij} w_i w_j |x_i - x_j|$ by component.

    The continuous ranked probability score $\int (F(s) - 1_{s \ge x^*})^2\,ds$ of the
    weighted sample; for one member the absolute error.

    Args:
        x: members, ``(n, d)``.
        truth: what came true, ``(d,)``.
        weights: ``(n,)``, normalised here; None is uniform.

    Reference: Gneiting, Raftery, JASA 102 (2007), equation (20).
    """
    w = _normalised(x, weights)
    near = w @ jnp.abs(x - jnp.asarray(truth, x.dtype))
    order = jnp.argsort(x, axis=0)
    levels = jnp.cumsum(w[order], axis=0)[:-1]
    gaps = jnp.diff(jnp.take_along_axis(x, order, axis=0), axis=0)
    # Every gap lies between a share F of the mass and the rest.
    return near - jnp.sum(levels * (1 - levels) * gaps, axis=0)


def gaussian_crps(
    mean: Float[Array, "*shape"],
    std: Float[Array, "*shape"],
    truth: Float[ArrayLike, "*shape"],
) -> Float[Array, "*shape"]:
    r"""$\sigma\,(z(2\Phi(z) - 1) + 2\varphi(z) - \pi^{-1/2})$, $z = (x^* - m)/\sigma$.

    Reference: Gneiting, Raftery, JASA 102 (2007), equation (21).
    """
    z = (jnp.asarray(truth) - mean) / std
    cdf, pdf = jax.scipy.stats.norm.cdf(z), jax.scipy.stats.norm.pdf(z)
    return std * (z * (2 * cdf - 1) + 2 * pdf - jnp.pi**-0.5)


def level_of(
    x: Float[Array, "n d"],
    truth: Float[ArrayLike, " d"],
    weights: Float[Array, " n"] | None = None,
) -> Float[Array, " d"]:
    r"""$\sum_i w_i 1_{x_i < x^*}$: the truth's level in the sample, by component."""
    return _normalised(x, weights) @ (x < jnp.asarray(truth, x.dtype)).astype(x.dtype)


def covered(
    x: Float[Array, "n d"],
    truth: Float[ArrayLike, " d"],
    weights: Float[Array, " n"] | None = None,
    level: float = 0.9,
) -> Array:
    """Whether the truth lies in the central interval of the sample, by component.

    The interval reaches from the (1 - level)/2 to the (1 + level)/2 quantile, each the
    least member below which, itself counted, that share of the weights lies.
    """
    w = _normalised(x, weights)
    order = jnp.argsort(x, axis=0)
    levels = jnp.cumsum(w[order], axis=0)
    ordered = jnp.take_along_axis(x, order, axis=0)

    def quantile(share: float) -> Float[Array, " d"]:
        # Rounding in the sum must not move a quantile by one member.
        reached = levels >= share - 8 * jnp.finfo(x.dtype).eps
        return jnp.take_along_axis(ordered, jnp.argmax(reached, axis=0)[None], 0)[0]

    truth = jnp.asarray(truth, x.dtype)
    inside = quantile((1 - level) / 2) <= truth
    return inside & (truth <= quantile((1 + level) / 2))


def rank_histogram(
    levels: Float[Array, "..."], members: int, bins: int | None = None
) -> Int[Array, " bins"]:
    """How often the truth had each rank among the members, over times and components.

    Args:
        levels: from ``level_of``, of any shape; nan is not counted.
        members: of the ensemble; ranks go from 0 to this number.
        bins: number of bins, a divisor of members + 1; None is one for each rank.

    Raises:
        ValueError: bins is no such divisor.
    """
    bins = members + 1 if bins is None else bins
    if bins < 1 or (members + 1) % bins:
        raise ValueError(
            f"rank_histogram: expected bins that divide {members + 1}, found {bins}."
        )
    known = ~jnp.isnan(levels)
    ranks = jnp.round(jnp.where(known, levels, 0) * members).astype(int)
    counts = jnp.zeros(bins, int)
    return counts.at[ranks // ((members + 1) // bins)].add(known.astype(int))


def mmd_squared(
    kernel: AbstractKernel, x: Float[Array, "n d"], y: Float[Array, "m d"]
) -> Float[Array, ""]:
    r"""The unbiased estimate of $\mathrm{MMD}_k^2$, pairs of a point with itself left
    out; it may be negative.

    Reference: Gretton et al., JMLR 13 (2012), equation (3).
    """
    n, m = x.shape[0], y.shape[0]
    ones_x, ones_y = jnp.ones(n, x.dtype), jnp.ones(m, x.dtype)

    def within(a: Array, ones: Array) -> Array:
        diagonal = jnp.sum(jax.vmap(kernel)(a, a))
        size = a.shape[0]
        return (ones @ matvec(kernel, a, a, ones) - diagonal) / (size * (size - 1))

    across = ones_x @ matvec(kernel, x, y, ones_y) / (n * m)
    return within(x, ones_x) + within(y, ones_y) - 2 * across


def w1_of_line(
    x: Float[Array, " n"],
    y: Float[Array, " m"],
    weights_x: Float[Array, " n"] | None = None,
    weights_y: Float[Array, " m"] | None = None,
) -> Float[Array, ""]:
    r"""$W_1 = \int |F(s) - G(s)|\,ds$ of two weighted samples of the real line.

    Exact, by sorting; weights are normalised here. A Grid is its ``atoms``.
    """
    signed = jnp.concatenate([_normalised(x, weights_x), -_normalised(y, weights_y)])
    points = jnp.concatenate([x, y])
    order = jnp.argsort(points)
    difference = jnp.cumsum(signed[order])[:-1]
    return jnp.sum(jnp.abs(difference) * jnp.diff(points[order]))


def sliced_w1(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    weights_x: Float[Array, " n"] | None = None,
    weights_y: Float[Array, " m"] | None = None,
    *,
    key: PRNGKeyArray,
    directions: int = 100,
) -> Float[Array, ""]:
    r"""The mean of $W_1$ of the projections onto random directions.

    Reference: Bonneel et al., J. Math. Imaging Vis. 51 (2015), section 3.
    """
    z = jax.random.normal(key, (directions, x.shape[1]), x.dtype)
    z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
    along = lambda e: w1_of_line(x @ e, y @ e, weights_x, weights_y)
    return jnp.mean(jax.lax.map(along, z))


def _normalised(x: Array, weights: Array | None) -> Float[Array, " n"]:
    n = x.shape[0]
    if weights is None:
        return jnp.full(n, 1 / n, x.dtype)
    if jnp.shape(weights) != (n,):
        raise ValueError(
            f"expected weights of shape ({n},), found {jnp.shape(weights)}."
        )
    return weights / jnp.sum(weights)
