"""Sums over columns of pairs, never more than a block of them at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from wflow import checks

from .pairs import points_of


def coefficients(owner: str, name: str, value: ArrayLike, m: int) -> Array:
    """One number for each of ``m`` points."""
    value = points_of(value, name)
    checks.shape(owner, name, value, (m,))
    return value


def block_size(
    owner: str, n: int, m: int, block: int | None, pairs: int, dense: int
) -> int:
    """The columns of a block: as given, or for ``pairs`` pairs, or all up to ``dense``.

    Raises:
        ValueError: ``block`` is below one.
        TypeError: it is no whole number.
    """
    if block is None:
        return m if n * m <= dense else min(m, max(32, pairs // n))
    checks.count(owner, "block", block)
    return min(m, block)


def _split(columns: Array, block: int, mode: str) -> Array:
    """``columns`` (m, ...) as blocks (m / block, block, ...), the last one padded."""
    excess = -columns.shape[0] % block
    widths = [(0, excess)] + [(0, 0)] * (columns.ndim - 1)
    padded = jnp.pad(columns, widths, mode=mode)
    return padded.reshape(-1, block, *columns.shape[1:])


def reduce_blocks(
    term: Callable[[tuple[Array, ...], Array], Any],
    columns: tuple[Array, ...],
    b: Array,
    block: int,
    combine: Callable[[Any, Any], Any] = jnp.add,
) -> Any:
    """``combine`` of ``term(columns, b)`` over blocks, recomputed in reverse mode."""
    return scan_blocks(lambda *at: (term(*at), ()), columns, b, block, combine)[0]


def scan_blocks(
    term: Callable[[tuple[Array, ...], Array], tuple[Any, Any]],
    columns: tuple[Array, ...],
    b: Array,
    block: int,
    combine: Callable[[Any, Any], Any],
) -> tuple[Any, Any]:
    """As ``reduce_blocks``, of the first that a term returns.

    The second has the columns of a block along its last axis, and comes back with all.
    """
    m = b.shape[0]
    if block >= m:
        return term(columns, b)
    # Padding repeats the last point, where every function is evaluated anyway, with
    # weight zero.
    points = tuple(_split(column, block, "edge") for column in columns)
    blocks = (points, _split(b, block, "constant"))
    first, rest = (
        jax.tree.map(lambda leaf: leaf[0], blocks),
        jax.tree.map(lambda leaf: leaf[1:], blocks),
    )
    term = jax.checkpoint(term)

    def step(total: Any, xs: tuple) -> tuple[Any, Any]:
        more, kept = term(*xs)
        return combine(total, more), kept

    total, kept = term(*first)
    total, others = jax.lax.scan(step, total, rest)

    def joined(one: Array, more: Array) -> Array:
        along = jnp.moveaxis(jnp.concatenate([one[None], more]), 0, -2)
        return along.reshape(*one.shape[:-1], -1)[..., :m]

    return total, jax.tree.map(joined, kept, others)


def add(a: Any, b: Any) -> Any:
    """The sum of two trees, leaf by leaf."""
    return jax.tree.map(jnp.add, a, b)
