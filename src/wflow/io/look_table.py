"""Look at a table: text or .parquet."""

from pathlib import Path

import numpy as np

from .columns import NO_COORDINATES, velocity_columns
from .findings import (
    MASSES,
    MOST_LABELS,
    Findings,
    is_batch,
    once_in_each,
    same_in_each,
)
from .parquet import ParquetSource
from .refusals import SnapshotFileError, names, reading
from .text import UNNAMED, Source
from .times import (
    DOUBTFUL,
    MISSING,
    is_clock,
    may_be_labels,
    normal,
    pick_time,
    snapshot_rows,
    to_times,
)


# Rows that tell whether a column holds numbers.
_FIRST = 1000
_MAX_BYTES = 2**31


def look_table(path: Path, time: str | None, representation: str | None) -> Findings:
    """What the columns of a table are; their names are told from their values."""
    if representation is not None:
        raise SnapshotFileError(
            path, "a table has columns, and no representations to choose from."
        )
    with reading(path):
        parquet = path.suffix.lower() == ".parquet"
        source = ParquetSource.of(path) if parquet else Source.of(path)
        header, first = source.header, source.first(_FIRST)
        whole = {
            name: all(_number(row[k]) for row in first) for k, name in enumerate(header)
        }
        numeric = [name for name in header if whole[name]]
        texts = [name for name in header if not whole[name]]
        clocks = [
            n for n in header if n == time or is_clock(n) or normal(n) in DOUBTFUL
        ]
        words = list(dict.fromkeys([*clocks, *texts]))
        text, table = source.read(words, numeric, _MAX_BYTES)
    values = dict(zip(numeric, table.T, strict=True))
    clock = pick_time(
        path,
        "a time column",
        time,
        clocks if time is None else header,
        lambda name: np.asarray(text[name]),
        lambda: (n for n in words if may_be_labels(path, n, np.asarray(text[n]))),
    )
    if clock is None:
        raise AssertionError
    times, rows = snapshot_rows(path, to_times(path, clock, text[clock]), clock)
    found = _Columns(path, values, rows, clock)
    labels = {
        name: len(set(text[name]) - {""})
        for name in texts
        if name != clock and not UNNAMED.fullmatch(name)
    }
    named = [name for name in labels if once_in_each(text[name], rows)]
    labels = {name: count for name, count in labels.items() if name not in named}
    who = named[0] if named else None
    found.still(who and [np.asarray(text[who])[row] for row in rows], values, rows)
    few = {name: count for name, count in labels.items() if 1 < count <= MOST_LABELS}
    many = [
        (f"column {name!r}", f"{count} different texts")
        for name, count in labels.items()
        if name not in few
    ]
    return Findings(
        path,
        "a .parquet table" if parquet else f"text in columns, {_mark(source)} between",
        "row",
        clock,
        tuple(times.tolist()),
        tuple(map(len, rows)),
        "",
        len(found.coordinates),
        columns=tuple(found.coordinates),
        velocities=found.velocities,
        weights=found.weights,
        masses=found.masses,
        annotations={n: c for n, c in few.items() if not is_batch(n)} | found.labels,
        batches={n: c for n, c in few.items() if is_batch(n)} | found.batches,
        individuals=who,
        left_out=(*many, *found.left_out),
    )


def _mark(source: Source | ParquetSource) -> str:
    known = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
    return known[source.separator] if isinstance(source, Source) else ""


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().casefold() in MISSING
    return "_" not in cell


class _Columns:
    """The columns of numbers beside the time."""

    def __init__(
        self,
        path: Path,
        values: dict[str, np.ndarray],
        rows: list[np.ndarray],
        clock: str,
    ):
        self.weights: str | None = None
        self.masses: str | None = None
        self.labels: dict[str, int] = {}
        self.batches: dict[str, int] = {}
        self.left_out: list[tuple[str, str]] = []
        rest = [
            name
            for name in values
            if name != clock and not self._taken(name, values[name], rows)
        ]
        chosen, prefix = velocity_columns(path, list(values), rest)
        moving = {prefix + name for name in chosen}
        self.velocities = prefix if chosen else None
        rest = chosen or [name for name in rest if name not in moving]
        whole = {name for name in rest if _is_whole(values[name])}
        codes = whole if len(whole) < len(rest) and not chosen else set()
        self.coordinates = [name for name in rest if name not in codes]
        self.left_out += [
            (f"column {name!r}", "whole numbers beside others, as of a code or count")
            for name in rest
            if name in codes
        ]
        if not self.coordinates:
            raise SnapshotFileError(
                path,
                f"expected columns of coordinates beside the time {clock!r}, found "
                f"{names(values)}.",
            )

    def still(
        self,
        names: list[np.ndarray] | None,
        values: dict[str, np.ndarray],
        rows: list[np.ndarray],
    ) -> None:
        """Leave out what never changes of any individual, if these are known."""
        if names is None or self.velocities is not None:
            return
        orders = [row[np.argsort(n)] for n, row in zip(names, rows, strict=True)]
        fixed = [
            name
            for name in self.coordinates
            if all(
                np.array_equal(values[name][orders[0]], values[name][o], equal_nan=True)
                for o in orders
            )
        ]
        if len(fixed) < len(self.coordinates):
            self.coordinates = [n for n in self.coordinates if n not in fixed]
            why = "the same of each individual at all times"
            self.left_out += [(f"column {name!r}", why) for name in fixed]

    def _taken(self, name: str, column: np.ndarray, rows: list[np.ndarray]) -> bool:
        """Whether a column is none of coordinates; it is then put in its place."""
        place, count = f"column {name!r}", len(np.unique(column[~np.isnan(column)]))
        number = np.arange(len(column))
        if UNNAMED.fullmatch(name) or any(
            np.array_equal(column, number + k) for k in (0, 1)
        ):
            self.left_out.append((place, "numbers the rows"))
        elif normal(name) in ("weight", "weights"):
            self.weights = name
        elif normal(name) in MASSES:
            if self.masses is None and same_in_each(column, rows):
                self.masses = name
            else:
                why = "not one number at each time, as the size of a population is"
                self.left_out.append((place, why))
        elif is_clock(name) or normal(name) in DOUBTFUL:
            self.left_out.append((place, "another time"))
        elif is_batch(name) and 1 < count <= MOST_LABELS:
            self.batches[name] = count
        elif not NO_COORDINATES.isdisjoint(normal(name).split("_")):
            if _is_whole(column) and 1 < count <= MOST_LABELS:
                self.labels[name] = count
            else:
                self.left_out.append((place, "no coordinate, by its name"))
        elif count == 0:
            self.left_out.append((place, "empty"))
        else:
            return False
        return True


def _is_whole(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    return bool((known == np.floor(known)).all() and len(np.unique(known)) > 1)
