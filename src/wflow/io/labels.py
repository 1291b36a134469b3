"""What a table says of its rows beside their coordinates, and what forecasts are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from wflow.learning import Snapshots

from .base import MAX_BYTES, USUAL, Layout, readable
from .parquet import ParquetSource
from .refusals import SnapshotFileError, names, reading
from .rows import rows_of
from .text import Source
from .times import gathered, to_times


# Observed points that say what a forecast one is, and that are looked through at most.
NEIGHBORS = 15
_MOST = 50_000


@dataclass(frozen=True)
class Labels:
    """Columns of a table that are no coordinates, in the order of snapshots' rows.

    Attributes:
        columns: texts by name.
        rows: the number of each row in the file, the first below the header is 0.
    """

    columns: dict[str, list[str]]
    rows: np.ndarray


def read_labels(
    path: str | Path,
    layout: Layout,
    snapshots: Snapshots,
    columns: Sequence[str],
    *,
    max_bytes: int = MAX_BYTES,
) -> Labels:
    """What a .csv or .parquet says of the rows of snapshots.

    Args:
        path: the file, from which ``read_snapshots`` made ``layout``.
        layout: where time and coordinates are.
        snapshots: as they were read, their rows in any order.
        columns: names of those that are wanted.
        max_bytes: as in ``read_csv``.

    Raises:
        SnapshotFileError: a column that is not there, or points that are not those of
            the file.
    """
    path = readable("read_labels", path, USUAL, max_bytes)
    with reading(path):
        parquet = path.suffix.lower() == ".parquet"
        source = ParquetSource.of(path) if parquet else Source.of(path)
        missing = [name for name in columns if name not in source.header]
        if missing:
            raise SnapshotFileError(
                path,
                f"expected columns {names(missing)}, found {names(source.header)}.",
            )
        wanted = list(dict.fromkeys([layout.time, *columns]))
        texts, x = source.read(wanted, list(layout.columns or ()), max_bytes)
    known = gathered(to_times(path, layout.time, texts[layout.time]))
    order = rows_of(path, layout, x, snapshots, *known)
    return Labels(
        {name: [texts[name][row] for row in order] for name in columns},
        np.array(order),
    )


def nearest(observed: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rows of the nearest observed points, ``(n, NEIGHBORS)`` or fewer."""
    rows = np.arange(len(observed))
    if len(rows) > _MOST:
        rows = np.random.default_rng(0).permutation(rows)[:_MOST]
    count = min(NEIGHBORS, len(rows))
    _, near = cKDTree(observed[rows, : x.shape[1]]).query(x, np.arange(1, count + 1))
    return rows[near]


def votes(
    codes: np.ndarray, count: int, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The one of ``count`` codes that most nearest points have, and its share."""
    found = np.stack([(codes[near] == k).mean(1) for k in range(count)], 1)
    best = found.argmax(1)
    return best, found[np.arange(len(best)), best]
