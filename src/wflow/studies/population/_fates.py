"""Types of cells over time, as the chosen law carries them: a table, and fates."""

from typing import NamedTuple

import numpy as np

from wflow.io.cells import Cells
from wflow.populations import BestFit, descendants


# More types make no table that anybody reads.
_MOST = 30


class Fates(NamedTuple):
    """What types become.

    Attributes:
        table: mass from type to type between every two snapshots that follow each
            other, and from the first to the last.
        columns: for each cell and type the share of it among the cell's descendants at
            the last snapshot.
    """

    table: dict[str, list[str | float]]
    columns: dict[str, np.ndarray]


def fates(best: BestFit, cells: Cells, annotation: str) -> Fates | None:
    """What the types in a column become; None where these are too many."""
    sizes = np.cumsum(best.snapshots.sizes)[:-1]
    labels = np.asarray(cells.obs[annotation].astype(str))
    types = np.unique(labels)
    if len(types) > _MOST:
        return None
    each = [column.tolist() for column in np.split(labels, sizes)]
    last, times = len(each) - 1, best.snapshots.times
    names = ("from_time", "to_time", "from", "to", "mass")
    table: dict[str, list[str | float]] = {name: [] for name in names}
    steps = [(k, k + 1) for k in range(last)]
    for start, end in [*steps, (0, last)] if last > 1 else steps:
        found = descendants(best, each, start, end)
        for a, b in zip(*np.nonzero(found.mass), strict=True):
            row = (times[start], times[end], types[a], types[b], found.mass[a, b])
            for name, value in zip(names, row, strict=True):
                table[name].append(str(value) if name in names[2:4] else float(value))
    shares = [descendants(best, each, k, last).cells for k in range(last)]
    shares.append(np.eye(len(types))[np.searchsorted(types, each[last])])
    joined = np.concatenate(shares)
    return Fates(table, {f"fate_{t}": joined[:, k] for k, t in enumerate(types)})
