"""What a file holds, found out before it is used; quick to import."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from .times import normal, words


# Words of names of columns that say what a row is, the more telling ones first.
_KINDS = (
    *("cell_type", "celltype", "cell_types", "celltypes", "annotation", "annotations"),
    *("fate", "state", "type", "lineage", "cluster", "clusters", "leiden", "louvain"),
    *("label", "labels", "class", "group", "clone"),
)
BATCHES = words(
    "batch batches donor donors patient patients subject replicate replicates rep "
    "plate well lane library channel pool embryo animal mouse"
)
MASSES = words("mass masses population population_size total_cells cell_number")
# More different labels than this are names of rows.
MOST_LABELS = 100


@dataclasses.dataclass(frozen=True)
class Findings:
    """What was found in a file, what it will be used for, and what is left out.

    Attributes:
        path: the file.
        kind: what it is, in words.
        row: what a row is: a cell, a row, a point.
        time: the name of the time.
        times: distinct ones.
        counts: rows at each.
        positions: the array or representation that moves; empty where ``columns`` do.
        dim: number of its coordinates.
        representations: names of all and the number of their coordinates.
        columns: of a table those that are coordinates.
        velocities: the name, or prefix, that velocities have.
        weights: the name of the weights.
        masses: the name of the sizes of the population.
        annotations: names of columns with a few labels, and how many.
        batches: columns that name batches or donors, and how many there are.
        individuals: the column that names each row, every name once at every time.
        left_out: what is not read, and why.
    """

    path: Path
    kind: str
    row: str
    time: str
    times: tuple[float, ...]
    counts: tuple[int, ...]
    positions: str
    dim: int
    representations: Mapping[str, int] = dataclasses.field(default_factory=dict)
    columns: tuple[str, ...] = ()
    velocities: str | None = None
    weights: str | None = None
    masses: str | None = None
    annotations: Mapping[str, int] = dataclasses.field(default_factory=dict)
    batches: Mapping[str, int] = dataclasses.field(default_factory=dict)
    individuals: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(self.counts)

    @property
    def annotation(self) -> str | None:
        """The column that says most likely what a row is."""
        return first_kind(self.annotations)

    @property
    def clock(self) -> str:
        """What the axis of time is called."""
        return self.time or "time"


def first_kind(annotations: Iterable[str]) -> str | None:
    """Of names of annotations the one that most likely says what a row is."""
    found = list(annotations)
    for kind in _KINDS:
        for name in found:
            if normal(name) == kind or kind in normal(name).split("_"):
                return name
    return found[0] if found else None


def is_batch(name: str) -> bool:
    """Whether a name is that of batches or donors."""
    return not BATCHES.isdisjoint(re.split(r"[_\d]+", normal(name)))


def once_in_each(labels: Iterable[str], rows: list[np.ndarray]) -> bool:
    """Whether every label is that of one row at each time."""
    found = [np.sort(np.asarray(labels, str)[row]) for row in rows]
    each = len(np.unique(found[0])) == len(found[0]) > 1
    return each and all(np.array_equal(found[0], other) for other in found)


def same_in_each(values: np.ndarray, rows: list[np.ndarray]) -> bool:
    """Whether a column has one positive number at each time."""
    return all(
        np.isfinite(values[row[0]])
        and values[row[0]] > 0
        and (values[row] == values[row[0]]).all()
        for row in rows
    )
