"""Sums over the pairs of points that are near each other."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.checks import at_least_single
from wflow.kernels.neighbors import NeighborPairs, neighbor_pairs
from wflow.measures import nearest_image

from .radial import Radial


# Of points: below, a sum over all pairs is as fast.
_FEW = 1500
# Pairs that are evaluated at once.
_PAIRS = 2**17

Period = Float[Array, ""] | Float[Array, " d"] | None

_neighbor_pairs = eqx.filter_jit(neighbor_pairs)


def reaches_few(pair: Radial, x: Float[Array, "n d"]) -> bool:
    """Whether a sum over near pairs alone is there, and pays."""
    n, d = x.shape
    return pair.cutoff is not None and d <= 3 and n > _FEW


def short_sum(
    pair: Radial,
    x: Float[Array, "n d"],
    w: Float[Array, " n"],
    period: Period,
    diagonal: bool,
) -> Float[Array, ""]:
    r"""$\frac12 \sum_{ij} w_i w_j W(x_i, x_j)$ of a W that ends at a cutoff.

    ``diagonal`` says whether i = j counts.

    Raises:
        ValueError: more pairs are near than there is room for.
    """
    if pair.cutoff is None:
        raise AssertionError
    x, w = at_least_single(x), at_least_single(w)
    blocks = -(-len(x) * pair.neighbors // (2 * _PAIRS))
    found = _neighbor_pairs(x, pair.cutoff, blocks * _PAIRS, period)
    # Of the points, which derivatives use too, and not of the sum, which they do not.
    x = checks.require(
        x,
        found.complete,
        f"Radial: expected no more than {pair.neighbors} neighbors of a point within "
        "the cutoff in the mean over all points, found more; a larger neighbors= makes "
        "room, or a shorter cutoff.",
    )
    total = _sum_of(pair, pair.cutoff, x, w, period, found)
    if diagonal:
        total = total + jnp.sum(w**2) * pair.within(jnp.zeros((), x.dtype)) / 2
    return total


@eqx.filter_jit
def _sum_of(
    pair: Radial,
    cutoff: Float[Array, ""],
    x: Float[Array, "n d"],
    w: Float[Array, " n"],
    period: Period,
    found: NeighborPairs,
) -> Float[Array, ""]:
    """The sum over the pairs that were found."""
    places, masses = x[found.order], w[found.order]

    @jax.checkpoint
    def some(i: Array, j: Array, real: Array) -> Array:
        one, other = places[i], places[j]
        squared = jnp.sum((one - nearest_image(one, other, period)) ** 2, axis=1)
        # In place of what is no pair some distance at which any profile is fine.
        squared = jnp.where(real, squared, (cutoff / 2) ** 2)
        values = jax.vmap(pair.within)(squared)
        return jnp.sum(jnp.where(real, masses[i] * masses[j] * values, 0))

    def step(total: Array, block: tuple) -> tuple[Array, None]:
        first, i, j = block
        real = first + jnp.arange(_PAIRS) < found.count
        none = lambda i, j, real: jnp.zeros_like(total)
        part = jax.lax.cond(first < found.count, some, none, i, j, real)
        return total + part, None

    i, j = (part.reshape(-1, _PAIRS) for part in (found.i, found.j))
    firsts = _PAIRS * jnp.arange(len(i), dtype=jnp.int32)
    zero = jnp.zeros((), jax.eval_shape(some, i[0], j[0], i[0] == 0).dtype)
    return jax.lax.scan(step, zero, (firsts, i, j))[0]
