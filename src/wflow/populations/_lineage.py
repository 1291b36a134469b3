"""What cells become and come from, by a law: mass pushed and pulled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from wflow.checks import count, instance
from wflow.learning import Fit, Snapshots

from ._best_fit import BestFit
from ._laws import carried


@dataclass(frozen=True)
class Lineage:
    """Types of the cells of one snapshot, and of those that they become or come from.

    Attributes:
        types: of all labels, sorted.
        cells: for each cell the share of each type among its descendants (or
            ancestors), ``(n, types)``; rows sum to one.
        mass: from each type at the earlier snapshot (rows) to each at the later one
            (columns), ``(types, types)``; it sums to the mass of the later population
            as the law has it, for ``ancestors`` as it was observed.
    """

    types: tuple[str, ...]
    cells: Float[np.ndarray, "n types"]
    mass: Float[np.ndarray, "types types"]


def descendants(
    fitted: BestFit | Fit,
    labels: Sequence[Sequence[str]],
    start: int,
    end: int,
    *,
    neighbors: int = 15,
) -> Lineage:
    """What the cells of one snapshot become at a later one: their fates.

    The law carries each cell on, its mass grows and shrinks as the law says, and where
    it arrives the nearest observed cells say what it is.

    Args:
        fitted: a law, from ``fit_best`` or ``fit``; where nothing moves cells stay.
        labels: of the cells of every snapshot.
        start: index of the snapshot whose cells are followed.
        end: index of a later one.
        neighbors: observed cells that say what a place is.

    Raises:
        TypeError: no fit, or an argument of another type.
        ValueError: labels that do not fit the snapshots, or snapshots that there are
            not or in another order.
    """
    snapshots, types, codes = _read("descendants", fitted, labels, start, end)
    x, mass = _moved(fitted, start, float(snapshots.times[end]))
    cells = _shares("descendants", x, snapshots, end, codes, len(types), neighbors)
    own = np.eye(len(types))[codes[start]]
    return Lineage(types, cells, own.T @ (mass[:, None] * cells))


def ancestors(
    fitted: BestFit | Fit,
    labels: Sequence[Sequence[str]],
    start: int,
    end: int,
    *,
    neighbors: int = 15,
) -> Lineage:
    """What the cells of one snapshot come from at an earlier one.

    The law carries each cell of ``end`` back, and where it comes from the nearest
    observed cells say what it was.

    Args:
        fitted: a law without noise, from ``fit_best`` or ``fit``.
        labels: of the cells of every snapshot.
        start: index of the earlier snapshot.
        end: index of the one whose cells are followed back.
        neighbors: observed cells that say what a place is.

    Raises:
        TypeError: no fit, or an argument of another type.
        ValueError: labels that do not fit the snapshots, or snapshots that there are
            not or in another order.
    """
    snapshots, types, codes = _read("ancestors", fitted, labels, start, end)
    x, _ = _moved(fitted, end, float(snapshots.times[start]))
    cells = _shares("ancestors", x, snapshots, start, codes, len(types), neighbors)
    own = np.eye(len(types))[codes[end]]
    mass = snapshots.weight(end) * snapshots.mass(end)
    return Lineage(types, cells, (mass[:, None] * cells).T @ own)


def _read(
    owner: str, fitted: Any, labels: Any, start: Any, end: Any
) -> tuple[Snapshots, tuple[str, ...], list[np.ndarray]]:
    """The snapshots that the law moves, and the labels as numbers."""
    instance(owner, "fitted", fitted, (BestFit, Fit), "a Fit or a BestFit")
    snapshots = _inner(fitted)
    sizes = snapshots.sizes
    instance(owner, "labels", labels, (list, tuple), "a list for each snapshot")
    found = [np.asarray(column).astype(str) for column in labels]
    if [column.shape for column in found] != [(n,) for n in sizes]:
        raise ValueError(
            f"{owner}: expected labels of {', '.join(map(str, sizes))} cells, found "
            f"shapes {', '.join(str(column.shape) for column in found)}."
        )
    for name, index in (("start", start), ("end", end)):
        if not isinstance(index, int | np.integer) or isinstance(index, bool):
            raise TypeError(
                f"{owner}: expected {name} to be an index, found {index!r}."
            )
    if not 0 <= start < end < len(sizes):
        raise ValueError(
            f"{owner}: expected start before end, both below {len(sizes)}, found start "
            f"{start} and end {end}."
        )
    types, codes = np.unique(np.concatenate(found), return_inverse=True)
    return (
        snapshots,
        tuple(map(str, types)),
        np.split(codes.ravel(), np.cumsum(sizes)[:-1]),
    )


def _inner(fitted: BestFit | Fit) -> Snapshots:
    """The snapshots in the units of the law; all of them where nothing moves."""
    if isinstance(fitted, Fit):
        return fitted.snapshots
    if fitted.fit is not None:
        return fitted.fit.snapshots
    return fitted.units.to_model(fitted.snapshots)


def _moved(fitted: BestFit | Fit, k: int, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of the cells of snapshot ``k`` at another time, and their masses."""
    law = fitted if isinstance(fitted, Fit) else fitted.fit
    snapshots = _inner(fitted)
    if law is None:
        return snapshots[k], snapshots.weight(k) * snapshots.mass(k)
    gap = float(np.median(np.diff(snapshots.times)))
    x, w, mass = carried(law, k, time, gap)
    return x, w * mass


def _shares(
    owner: str,
    x: np.ndarray,
    snapshots: Snapshots,
    k: int,
    codes: list[np.ndarray],
    types: int,
    neighbors: int,
) -> np.ndarray:
    """Shares of types among the nearest observed cells, by their weights."""
    count(owner, "neighbors", neighbors)
    observed = snapshots[k]
    most = min(neighbors, len(observed))
    _, near = cKDTree(observed).query(x, np.arange(1, most + 1))
    weight = snapshots.weight(k).astype(np.float64)[near]
    votes = np.eye(types)[codes[k][near]]
    sums = weight.sum(axis=1, keepdims=True)
    # Where none of the nearest counts, they are counted alike.
    weight = np.where(sums > 0, weight / np.where(sums > 0, sums, 1), 1 / most)
    return np.einsum("nm,nmt->nt", weight, votes)
