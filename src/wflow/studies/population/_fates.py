"""Types of cells over time, as the chosen law carries them: a table, and fates."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wflow.populations import BestFit, descendants
from wflow.populations._members import spread


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


def fates(
    best: BestFit, labels: np.ndarray, members: Sequence[BestFit] = ()
) -> Fates | None:
    """What the types of all cells become; None where these are too many.

    With ``members``, laws of resampled cells, ``_low`` and ``_high`` columns are the
    ends of bands of 95 %.
    """
    labels = labels.astype(str)
    types = np.unique(labels)
    if len(types) > _MOST:
        return None
    each = [c.tolist() for c in np.split(labels, np.cumsum(best.snapshots.sizes)[:-1])]
    last, times = len(each) - 1, best.snapshots.times
    names = ["from_time", "to_time", "from", "to", "mass"]
    names += ["mass_low", "mass_high"] * bool(members)
    table: dict[str, list[str | float]] = {name: [] for name in names}
    steps = [(k, k + 1) for k in range(last)]
    for start, end in [*steps, (0, last)] if last > 1 else steps:
        mass = descendants(best, each, start, end).mass
        ends = _bands(mass, [descendants(m, each, start, end).mass for m in members])
        for a, b in zip(*np.nonzero(mass), strict=True):
            row = [times[start], times[end], types[a], types[b], mass[a, b]]
            row += [end[a, b] for end in ends]
            for name, value in zip(names, row, strict=True):
                table[name].append(str(value) if name in names[2:4] else float(value))
    own = np.eye(len(types))[np.searchsorted(types, each[last])]

    def shares(law: BestFit) -> np.ndarray:
        found = [descendants(law, each, k, last).cells for k in range(last)]
        return np.concatenate([*found, own])

    joined = shares(best)
    ends = _bands(joined, [shares(member) for member in members], most=1.0)
    columns = {}
    for k, name in enumerate(types):
        columns[f"fate_{name}"] = joined[:, k]
        for end, found in zip(("low", "high"), ends, strict=False):
            columns[f"fate_{name}_{end}"] = found[:, k]
    return Fates(table, columns)


def _bands(
    value: np.ndarray, members: list[np.ndarray], most: float = np.inf
) -> list[np.ndarray]:
    """The ends of bands around a number between zero and ``most``."""
    if not members:
        return []
    _, reach = spread(np.stack(members))
    return [np.clip(value - reach, 0, most), np.clip(value + reach, 0, most)]
