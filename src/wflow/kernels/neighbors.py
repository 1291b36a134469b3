"""Pairs of points that are near each other, found by a sorted list of cells."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wflow.measures import nearest_image


# Of cells along an axis: their numbers fit 32 bits, and points keep theirs in rounding.
_CELLS = {1: 4096, 2: 4096, 3: 1024}
# Cells are wider than the cutoff by more than the rounding of a place among so many.
_MARGIN = 1.002
# Points and candidates of each that are looked at at once.
_ROWS, _COLUMNS = 2048, 32


class NeighborPairs(NamedTuple):
    """Pairs of points nearer than a cutoff, each of them once, in no order.

    Attributes:
        order: of the points, cell by cell; ``i`` and ``j`` are places in it.
        i: of the one point of each pair; only the first ``count`` are pairs.
        j: of the other.
        count: number of pairs; one more than there is room for where they are more.
    """

    order: Int[Array, " n"]
    i: Int[Array, " P"]
    j: Int[Array, " P"]
    count: Int[Array, ""]

    @property
    def complete(self) -> Bool[Array, ""]:
        """Whether all pairs are there."""
        return self.count <= len(self.i)


def neighbor_pairs(
    x: Float[Array, "n d"],
    cutoff: Float[ArrayLike, ""],
    size: int,
    period: Float[ArrayLike, ""] | Float[ArrayLike, " d"] | None = None,
) -> NeighborPairs:
    """All pairs of points in up to three dimensions that are nearer than ``cutoff``.

    Points are sorted into cells no narrower than the cutoff; those of neighboring cells
    are looked at. O(n) time and memory where points do not crowd.

    Args:
        x: points.
        cutoff: > 0.
        size: number of pairs that there is room for.
        period: a length or one per axis, infinite where it does not come round: points
            are then as far apart as their nearest images.
    """
    n, d = x.shape
    x = jax.lax.stop_gradient(x)
    cutoff = jax.lax.stop_gradient(jnp.asarray(cutoff, x.dtype))
    turns = jnp.zeros(d, bool)
    low, extent = jnp.min(x, axis=0), jnp.ptp(x, axis=0)
    if period is not None:
        period = jnp.broadcast_to(jnp.asarray(period, x.dtype), (d,))
        turns = jnp.isfinite(period)
        low, extent = jnp.where(turns, 0, low), jnp.where(turns, period, extent)
    many = jnp.nan_to_num(extent / (_MARGIN * cutoff), nan=1.0)
    shape = jnp.clip(many, 1, _CELLS[d]).astype(jnp.int32)
    # A cell has two neighbors on an axis that comes round, or looks at all of it.
    shape = jnp.where(turns & (shape < 3), 1, shape)
    way = (x - low) / jnp.where(extent > 0, extent, 1)
    way = jnp.where(turns, way - jnp.floor(way), way)
    cell = jnp.clip(jnp.nan_to_num(way * shape).astype(jnp.int32), 0, shape - 1)
    strides = jnp.concatenate([jnp.cumprod(shape[:0:-1])[::-1], jnp.ones(1, int)])
    strides = strides.astype(jnp.int32)
    order = jnp.argsort(cell @ strides)
    x, cell = x[order], cell[order]
    start, count = _ranges(cell, shape, strides, turns, period is not None)
    passed = jnp.cumsum(count, axis=1)

    rows = -(-n // _ROWS)
    spare = ((0, rows * _ROWS - n), (0, 0))
    start, passed = (
        jnp.pad(part, spare).reshape(rows, _ROWS, -1) for part in (start, passed)
    )

    def look(block: Array, column: Array, found: NeighborPairs) -> NeighborPairs:
        """``found`` and the pairs among so many candidates of a block of points."""
        k = column + jnp.arange(_COLUMNS, dtype=jnp.int32)
        begin, end = start[block], passed[block]
        before = jnp.pad(end, ((0, 0), (1, 0)))[:, :-1]
        j = jnp.zeros((_ROWS, _COLUMNS), jnp.int32)
        for s in range(begin.shape[1]):
            here = (k >= before[:, s, None]) & (k < end[:, s, None])
            j = jnp.where(here, (begin - before)[:, s, None] + k, j)
        i = block * _ROWS + jnp.arange(_ROWS, dtype=jnp.int32)[:, None]
        i = jnp.broadcast_to(i, j.shape)
        one, other = x[i], x[j]
        apart = one - nearest_image(one, other, period)
        near = (k < end[:, -1, None]) & (jnp.sum(apart**2, axis=-1) < cutoff**2)
        near = near.ravel()
        place = found.count + jnp.cumsum(near, dtype=jnp.int32) - 1
        place = jnp.where(near, place, size)
        return found._replace(
            i=found.i.at[place].set(i.ravel(), mode="drop"),
            j=found.j.at[place].set(j.ravel(), mode="drop"),
            # One too many says it: their number may be past 32 bits.
            count=jnp.minimum(found.count + jnp.sum(near, dtype=jnp.int32), size + 1),
        )

    def row(block: Array, found: NeighborPairs) -> NeighborPairs:
        most = jnp.max(passed[block, :, -1])

        def step(carry: tuple) -> tuple:
            column, found = carry
            return column + _COLUMNS, look(block, column, found)

        def goes_on(carry: tuple) -> Array:
            column, found = carry
            return (column < most) & found.complete

        return jax.lax.while_loop(goes_on, step, (jnp.int32(0), found))[1]

    empty = jnp.zeros(size, jnp.int32)
    found = NeighborPairs(order.astype(jnp.int32), empty, empty, jnp.int32(0))
    return jax.lax.fori_loop(jnp.int32(0), jnp.int32(rows), row, found)


def _ranges(
    cell: Int[Array, "n d"],
    shape: Int[Array, " d"],
    strides: Int[Array, " d"],
    turns: Bool[Array, " d"],
    periodic: bool,
) -> tuple[Int[Array, "n s"], Int[Array, "n s"]]:
    """Where the candidates of each point lie among the sorted points, and how many.

    Those that follow it in its own row of cells, along the last axis, and all in the
    half of the neighboring rows, so that a pair is met once.
    """
    n, d = cell.shape
    number = cell @ strides
    last, along = cell[:, -1], shape[-1]
    comes = turns[-1] & (along > 1)
    starts, counts = [], []

    def add(row: Array, low: Array, high: Array, real: Array, first: Array | None):
        """The points of cells ``low`` to ``high`` of a row, if it is ``real``."""
        begin = first
        if begin is None:
            begin = jnp.searchsorted(number, row + low).astype(jnp.int32)
        end = jnp.searchsorted(number, row + high, side="right").astype(jnp.int32)
        starts.append(begin)
        counts.append(jnp.where(real, jnp.maximum(end - begin, 0), 0))

    everywhere = jnp.ones(n, bool)
    for step in itertools.product((-1, 0, 1), repeat=d - 1):
        own = not any(step)
        if next((s for s in step if s), 1) < 0:
            continue
        at = cell[:, :-1] + jnp.asarray(step, jnp.int32)
        inside = (at >= 0) & (at < shape[:-1])
        # Around an axis of a single cell there is no other one.
        around = turns[:-1] & ((shape[:-1] > 1) | (np.asarray(step) == 0))
        real = jnp.all(inside | around, axis=1) if d > 1 else everywhere
        row = (at % shape[:-1]) @ strides[:-1] if d > 1 else jnp.zeros_like(last)
        high = jnp.minimum(last + 1, along - 1)
        if own:
            add(row, last, high, real, jnp.arange(1, n + 1, dtype=jnp.int32))
        else:
            add(row, jnp.maximum(last - 1, 0), high, real, None)
        if periodic:
            # From the last cell on to the first one, and back between two rows.
            end, begin = last == along - 1, (last == 0) & (not own)
            over = jnp.where(end, 0, along - 1)
            add(row, over, over, real & comes & (end | begin), None)
    return jnp.stack(starts, axis=1), jnp.stack(counts, axis=1)
