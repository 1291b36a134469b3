"""Snapshots in .csv files."""

import csv
from pathlib import Path

import numpy as np

from wflow.learning import Snapshots

from .base import (
    TIME_KEYS,
    USUAL,
    Keys,
    Layout,
    SnapshotFile,
    SnapshotFileError,
    by_time,
    names,
    pick,
    to_rows,
)


CSV = Layout("csv", velocities="v_", weights="weight")


def read_csv(path: str | Path, keys: Keys = USUAL) -> SnapshotFile:
    """Read snapshots from a .csv with a header and one row per point and time.

    Columns: a time (``t``, ``time``, ...), one for each coordinate, optionally
    ``v_<coordinate>`` for each coordinate and ``weight``. Without ``keys.columns``
    every column that is none of these is a coordinate.

    Raises:
        SnapshotFileError: no header or rows, a missing column, or a cell that is no
            number (named by line and column).
    """
    header, rows = _load(path)
    time = pick(path, "a time column", keys.time, TIME_KEYS, header)
    weight = pick(
        path, "weights", keys.weights, ("weight", "weights"), header, required=False
    )
    prefix = keys.velocities or "v_"
    if isinstance(keys.columns, tuple):
        coordinates = list(keys.columns)
        missing = [name for name in coordinates if name not in header]
        if missing:
            raise SnapshotFileError(
                path, f"expected columns {names(missing)}, found {names(header)}."
            )
    else:
        others = [name for name in header if name not in (time, weight)]
        coordinates = [
            name
            for name in others
            if not (name.startswith(prefix) and name.removeprefix(prefix) in others)
        ]
        coordinates = coordinates[: keys.columns]
    if not coordinates:
        raise SnapshotFileError(
            path, f"expected coordinate columns beside the time, found {names(header)}."
        )
    moving = [name for name in coordinates if prefix + name in header]
    if keys.velocities is not None or moving:
        still = [prefix + name for name in coordinates if name not in moving]
        if still:
            raise SnapshotFileError(
                path,
                f"expected a velocity column for each coordinate, found none of "
                f"{names(still)}.",
            )
    used = [time, *coordinates, *(prefix + name for name in moving)]
    used += [] if weight is None else [weight]
    table = _numbers(path, header, rows, used)
    d = len(coordinates)
    layout = Layout(
        "csv",
        time=time,
        velocities=prefix,
        weights=weight or "weight",
        columns=tuple(coordinates),
    )
    snapshots = by_time(
        path,
        table[:, 0],
        table[:, 1 : 1 + d],
        table[:, 1 + d : 1 + 2 * d] if moving else None,
        None if weight is None else table[:, -1],
    )
    return SnapshotFile(snapshots, layout)


def _load(path: str | Path) -> tuple[list[str], list[list[str]]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (UnicodeDecodeError, csv.Error):
        raise SnapshotFileError(path, "is not a readable .csv file.") from None
    if len(lines) < 2:
        raise SnapshotFileError(
            path, f"expected a header and rows, found {len(lines)} lines."
        )
    header = [name.strip() for name in lines[0]]
    if len(set(header)) < len(header):
        raise SnapshotFileError(path, f"columns repeat a name: {names(header)}.")
    return header, lines[1:]


def _numbers(
    path: str | Path, header: list[str], rows: list[list[str]], used: list[str]
) -> np.ndarray:
    at = [header.index(name) for name in used]
    table = np.empty((len(rows), len(used)))
    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise SnapshotFileError(
                path, f"row {i + 1}: expected {len(header)} cells, found {len(row)}."
            )
        for j, column in enumerate(at):
            try:
                table[i, j] = float(row[column])
            except ValueError:
                raise SnapshotFileError(
                    path,
                    f"row {i + 1}, column {used[j]!r}: expected a number, found "
                    f"{row[column]!r}. Columns that are no coordinates are left out by "
                    "naming the coordinates (columns).",
                ) from None
    return table


def write_csv(path: str | Path, snapshots: Snapshots, layout: Layout = CSV) -> None:
    """Write ``snapshots``, one row per point and time, in full precision."""
    t, x, v, weights = to_rows(snapshots)
    d = x.shape[1]
    coordinates = layout.columns or ()
    if len(coordinates) != d:
        coordinates = tuple(f"x{i + 1}" for i in range(d))
    header = [layout.time, *coordinates]
    columns = [x]
    if v is not None:
        header += [layout.velocities + name for name in coordinates]
        columns.append(v)
    if weights is not None:
        header.append(layout.weights)
        columns.append(weights[:, None])
    table = np.concatenate(columns, axis=1)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for time, row in zip(t, table, strict=True):
            whole = int(time) if time == int(time) else float(time)
            writer.writerow([whole, *row.tolist()])
