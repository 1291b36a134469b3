"""How good an ensemble is against the truth."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from wflow import checks
from wflow.checks import to_real


def rmse(
    mean: Float[Array, "*times d"], truth: Float[ArrayLike, "*times d"]
) -> Float[Array, "*times"]:
    r"""Root mean square error of an estimate, for every time.

    $\sqrt{\frac1d \sum_j (\bar x_j - x_j)^2}$.

    Raises:
        ValueError: mean and truth are not of one shape, or not real.
    """
    mean, truth = to_real(mean, "mean"), to_real(truth, "truth")
    if mean.ndim == 0 or mean.shape[-1] == 0:
        raise ValueError(
            f"rmse: expected mean of shape (..., d), found shape {mean.shape}."
        )
    checks.shape("rmse", "truth", truth, mean.shape)
    return jnp.sqrt(jnp.mean((mean - truth) ** 2, axis=-1))


def crps(
    x: Float[Array, "n d"],
    truth: Float[ArrayLike, " d"],
    weights: Float[Array, " n"] | None = None,
) -> Float[Array, " d"]:
    r"""Continuous ranked probability score of a sample, by component; lower is better.

    $\sum_i w_i |x_i - x^*| - \frac12 \sum_{ij} w_i w_j |x_i - x_j|$, which is $\int
    (F(s) - 1_{s \ge x^*})^2\,ds$ of the weighted sample; for one member the absolute
    error.

    Args:
        x: members, ``(n, d)``.
        truth: what came true, ``(d,)``.
        weights: ``(n,)``, normalized here; None is uniform.

    Raises:
        ValueError: shapes that do not fit together, or weights that are negative, not
            finite or of sum 0.

    Reference: Gneiting, Raftery, JASA 102 (2007), equation (20).
    """
    x, truth = _sample("crps", x, truth)
    w = normalized("crps", x, weights)
    near = w @ jnp.abs(x - truth)
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
    r"""Continuous ranked probability score of a Gaussian, in closed form.

    $\sigma\,(z(2\Phi(z) - 1) + 2\varphi(z) - \pi^{-1/2})$, $z = (x^* - m)/\sigma$. Its
    limit for a standard deviation of zero is the absolute error.

    Args:
        mean: m, of any shape.
        std: $\sigma$, of that shape.
        truth: what came true, $x^*$, of that shape.

    Raises:
        ValueError: mean, std and truth are not of one shape, or std is negative.

    Reference: Gneiting, Raftery, JASA 102 (2007), equation (21).
    """
    mean, std = to_real(mean, "mean"), to_real(std, "std")
    truth = to_real(truth, "truth")
    for name, value in (("std", std), ("truth", truth)):
        checks.shape("gaussian_crps", name, value, mean.shape)
    _not_negative("gaussian_crps", "std", std)
    sure = std == 0
    z = (truth - mean) / jnp.where(sure, 1, std)
    cdf, pdf = jax.scipy.stats.norm.cdf(z), jax.scipy.stats.norm.pdf(z)
    score = std * (z * (2 * cdf - 1) + 2 * pdf - jnp.pi**-0.5)
    return jnp.where(sure, jnp.abs(truth - mean), score)


def level_of(
    x: Float[Array, "n d"],
    truth: Float[ArrayLike, " d"],
    weights: Float[Array, " n"] | None = None,
) -> Float[Array, " d"]:
    r"""The share of a sample below the truth, by component: its level there.

    $\sum_i w_i 1_{x_i < x^*}$; a component with a nan has the level nan.

    Args:
        x: members, ``(n, d)``.
        truth: what came true, ``(d,)``.
        weights: ``(n,)``, normalized here; None is uniform.

    Raises:
        ValueError: shapes that do not fit together, or weights that are negative, not
            finite or of sum 0.
    """
    x, truth = _sample("level_of", x, truth)
    level = normalized("level_of", x, weights) @ (x < truth).astype(x.dtype)
    lost = jnp.isnan(truth) | jnp.isnan(x).any(axis=0)
    return jnp.where(lost, jnp.nan, level)


def covered(
    x: Float[Array, "n d"],
    truth: Float[ArrayLike, " d"],
    weights: Float[Array, " n"] | None = None,
    level: float = 0.9,
) -> Array:
    """Whether the truth lies in the central interval of the sample, by component.

    The interval reaches from the (1 - level)/2 to the (1 + level)/2 quantile, each the
    least member below which, itself counted, that share of the weights lies. A truth or
    members that are traced and nan count as not covered.

    Raises:
        ValueError: shapes that do not fit together, a level outside [0, 1], numbers
            that are known and not finite, or weights that are negative, not finite or
            of sum 0.
    """
    x, truth = _sample("covered", x, truth)
    w = normalized("covered", x, weights)
    check_level("covered", level)
    checks.finite("covered", "x", x)
    checks.finite("covered", "truth", truth)
    order = jnp.argsort(x, axis=0)
    levels = jnp.cumsum(w[order], axis=0)
    ordered = jnp.take_along_axis(x, order, axis=0)

    def quantile(share: float) -> Float[Array, " d"]:
        # Rounding in the sum must not move a quantile by one member.
        reached = levels >= share - 8 * jnp.finfo(x.dtype).eps
        return jnp.take_along_axis(ordered, jnp.argmax(reached, axis=0)[None], 0)[0]

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
        ValueError: bins is no such divisor, members below 1, or a level that is known
            lies outside [0, 1].
        TypeError: members or bins is no whole number.
    """
    levels = _levels("rank_histogram", levels, members)
    bins = members + 1 if bins is None else bins
    checks.count("rank_histogram", "bins", bins)
    if (members + 1) % bins:
        raise ValueError(
            f"rank_histogram: expected bins that divide {members + 1}, found {bins}."
        )
    known = ~jnp.isnan(levels)
    ranks = jnp.round(jnp.where(known, levels, 0) * members).astype(int)
    counts = jnp.zeros(bins, int)
    return counts.at[ranks // ((members + 1) // bins)].add(known.astype(int))


def level_shares(
    levels: Float[ArrayLike, "..."], members: int, bins: int
) -> Float[Array, " bins"]:
    r"""Shares of the truth in so many equal bins of [0, 1], of any number.

    A level $r/n$ of n members stands for its whole rank, the interval from
    $r/(n + 1)$ to $(r + 1)/(n + 1)$, so that ranks that are all as frequent fill any
    bins evenly; ``rank_histogram`` counts, in bins that divide n + 1.

    Args:
        levels: from ``level_of``, of any shape; nan is not counted.
        members: of the ensemble, n.
        bins: number of bins.

    Returns:
        Shares of sum one, ``(bins,)``; zero where every level is nan.

    Raises:
        ValueError: members or bins below 1, or a level that is known lies outside
            [0, 1].
        TypeError: members or bins is no whole number.
    """
    levels = _levels("level_shares", levels, members)
    checks.count("level_shares", "bins", bins)
    known = ~jnp.isnan(levels).ravel()
    ranks = members * jnp.where(known, levels.ravel(), 0)
    edges = jnp.linspace(0, members + 1, bins + 1, dtype=ranks.dtype)
    below = jnp.clip(edges[:, None] - ranks, 0, 1) @ known.astype(ranks.dtype)
    return jnp.diff(below) / jnp.maximum(jnp.sum(known), 1)


def _levels(owner: str, levels: ArrayLike, members: int) -> Float[Array, "..."]:
    """Levels of an ensemble: shares of its weight, nan where they are not known."""
    levels = to_real(levels, "levels")
    checks.count(owner, "members", members)
    found = checks.known(levels)
    if found is not None:
        # Weights sum to one but for rounding.
        slack = 1e-3 / members
        checks.within(owner, "levels", found[~np.isnan(found)], -slack, 1 + slack)
    return levels


def check_level(owner: object, level: ArrayLike) -> None:
    """Refuse a level that is no number in [0, 1].

    Raises:
        ValueError: it is not.
    """
    checks.within(owner, "level", level, 0, 1)
    checks.shape(owner, "level", level, ())


def _sample(owner: str, x: ArrayLike, truth: ArrayLike) -> tuple[Array, Array]:
    x, truth = to_real(x, "x"), to_real(truth, "truth")
    checks.shape(owner, "x", x, ("n", "d"))
    not_empty(owner, "x", x)
    checks.shape(owner, "truth", truth, x.shape[1:])
    return x, truth.astype(x.dtype)


def not_empty(owner: str, name: str, value: Array) -> None:
    """Refuse an array without entries.

    Raises:
        ValueError: it has none.
    """
    if value.size == 0:
        raise ValueError(
            f"{owner}: expected {name} of at least one entry, found shape "
            f"{value.shape}."
        )


def _not_negative(owner: str, name: str, value: Array) -> None:
    """Refuse negative entries; nan may show in what is computed."""
    found = checks.known(value)
    if found is not None:
        checks.non_negative(owner, name, found[~np.isnan(found)], infinite=True)


def normalized(
    owner: str, x: Array, weights: ArrayLike | None, name: str = "weights"
) -> Float[Array, " n"]:
    """Weights of sum one; equal ones where there are none.

    Raises:
        ValueError: of another number than x, negative, not finite or of sum 0.
    """
    n = x.shape[0]
    if weights is None:
        return jnp.full(n, 1 / n, x.dtype)
    weights = to_real(weights, name)
    checks.shape(owner, name, weights, (n,))
    checks.weights(owner, name, weights)
    return weights / jnp.sum(weights)
