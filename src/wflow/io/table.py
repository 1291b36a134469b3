"""Snapshots in .csv files."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wflow.learning import Snapshots

from .base import (
    MAX_BYTES,
    USUAL,
    Keys,
    Layout,
    SnapshotFile,
    like,
    readable,
    writing,
)
from .columns import NO_COORDINATES, velocity_columns
from .parquet import ParquetSource
from .refusals import (
    SnapshotFileError,
    bounded,
    check_coordinates,
    names,
    note,
    pick,
    quoted,
    reading,
)
from .rows import by_time, to_rows
from .text import FEW, UNNAMED, Source
from .times import DOUBTFUL, is_clock, normal, pick_time, to_times


CSV = Layout("csv", velocities="v_", weights="weight")


def read_csv(
    path: str | Path, keys: Keys = USUAL, *, max_bytes: int = MAX_BYTES
) -> SnapshotFile:
    """Read snapshots from a .csv with a header and one row per point and time.

    Columns: a time (``t``, ``time``, ``day``, ...), one for each coordinate, optionally
    ``v_<coordinate>`` for each coordinate (or ``vel_``, ``velocity_``, ``v``) and
    ``weight``, and masses if ``keys.masses`` names them. Cells are separated by commas,
    semicolons (then with decimal commas if need be), tabs, bars or spaces; text is
    UTF-8, or UTF-16 with its mark. Empty cells and ``NA`` are nan.

    Without names in ``keys.columns`` every other column is a coordinate, but for these:

    - columns without a name, and columns that number the rows, are left out with a
      warning, and so is a second time that is the same in every row;
    - columns whose name says that they are none (``id``, ``batch``, ``cluster``,
      ``n_counts``, a second time), and columns of whole numbers beside others that are
      not whole, are refused: ``keys.columns`` says which columns are meant.

    Args:
        path: the file.
        keys: names that differ from the usual ones.
        max_bytes: most bytes that file and numbers may have.

    Raises:
        SnapshotFileError: no header or rows, a missing column, none or several columns
            that may be the time, columns that may be no coordinates, labels of the time
            that are no numbers, a cell that is no number (named by line and column), a
            column that is nan throughout, more than ``max_bytes``.
    """
    path = readable("read_csv", path, keys, max_bytes)
    with reading(path):
        bounded(path, "the file", path.stat().st_size, max_bytes)
        return _read(Source.of(path), keys, max_bytes)


def read_parquet(
    path: str | Path, keys: Keys = USUAL, *, max_bytes: int = MAX_BYTES
) -> SnapshotFile:
    """Read snapshots from a .parquet, whose columns are those of a .csv.

    Args:
        path: the file.
        keys: names that differ from the usual ones.
        max_bytes: most bytes that the numbers may have.

    Raises:
        SnapshotFileError: as ``read_csv``.
        ModuleNotFoundError: the package pyarrow is not installed.
    """
    path = readable("read_parquet", path, keys, max_bytes)
    with reading(path):
        return _read(ParquetSource.of(path), keys, max_bytes)


def _read(source: Source | ParquetSource, keys: Keys, max_bytes: int) -> SnapshotFile:
    path, header = source.path, source.header
    asked = keys.columns if isinstance(keys.columns, tuple) else None
    weight = pick(
        path,
        "weights",
        keys.weights,
        ("weight", "weights"),
        header,
        "weights",
        required=False,
    )
    mass = keys.masses and pick(
        path, "masses", keys.masses, (), header, "masses", required=False
    )
    clocks = [
        name
        for name in header
        if name == keys.time
        or ((is_clock(name) or normal(name) in DOUBTFUL) and name not in (asked or ()))
    ]
    unnamed = {name for name in header if UNNAMED.fullmatch(name)}
    own = {weight, mass, *clocks, *(unnamed - set(asked or ()))}
    others = [name for name in header if name not in own]
    chosen, prefix = velocity_columns(path, header, others, asked, keys.velocities)
    if asked is None:
        moving = {prefix + name for name in chosen}
        candidates = [name for name in others if name not in moving]
    else:
        candidates = list(asked)
    if not candidates:
        pick_time(path, "a time column", keys.time, header, lambda _: np.empty(0))
        raise SnapshotFileError(
            path, f"expected coordinate columns beside the time, found {names(header)}."
        )
    used = [*candidates, *(prefix + name for name in chosen)]
    used += [] if weight is None else [weight]
    used += [] if mass is None else [mass]
    if not clocks or keys.time not in (None, *clocks):
        _no_time(path, header, keys)
    texts, table = source.read(clocks, used, max_bytes)
    time = pick_time(
        path,
        "a time column",
        keys.time,
        [name for name in header if name in clocks],
        lambda name: texts[name],
    )
    if time is None:
        raise AssertionError
    t = to_times(path, time, texts[time])
    d = len(candidates)
    x, v = table[:, :d], table[:, d : d + len(chosen)]
    if asked is None:
        second = [name for name in clocks if name != time]
        kept = _coordinates(path, candidates, x, time, second, texts, keys)
        _told(path, [name for name in header if name in unnamed])
    else:
        kept = list(range(d))
    columns = [candidates[k] for k in kept]
    still = [prefix + name for name in columns if name not in chosen]
    if chosen and still:
        raise SnapshotFileError(
            path,
            "expected a velocity column for each coordinate, found none of "
            f"{names(still)}.",
        )
    at = {name: k for k, name in enumerate(chosen)}
    v = v[:, [at[name] for name in columns]] if chosen else None
    x = x[:, kept]
    check_coordinates(path, x, columns)
    layout = Layout(
        "csv",
        time=time,
        velocities=prefix,
        weights=weight or "weight",
        columns=tuple(columns),
    )
    w = None if weight is None else table[:, used.index(weight)]
    m = None if mass is None else table[:, used.index(mass)]
    return SnapshotFile(by_time(path, t, x, v, w, m, time, True), layout)


def _no_time(path: Path, header: list[str], keys: Keys) -> None:
    if len(header) == 1:
        raise SnapshotFileError(
            path,
            f"expected columns, a time among them, separated by commas, semicolons or "
            f"tabs, found one column {header[0]!r}.",
        )
    pick_time(path, "a time column", keys.time, header, lambda _: np.empty(0))


def _coordinates(
    path: Path,
    columns: list[str],
    x: np.ndarray,
    time: str,
    second: list[str],
    texts: dict[str, list[str]],
    keys: Keys,
) -> list[int]:
    """Which of the columns are coordinates; refuses those that may be none."""
    constant = [
        name
        for name in second
        if len(set(texts[name])) == 1 or texts[name] == texts[time]
    ]
    doubted = [name for name in second if name not in constant]
    whole = np.zeros(len(columns), bool)
    kept = list(range(len(columns)))
    if len(x) >= FEW:
        whole = (np.isnan(x) | (x == np.floor(x))).all(axis=0) & ~np.isnan(x).all(0)
        steps = np.arange(len(x), dtype=np.float64)[:, None]
        numbering = (x == steps).all(axis=0) | (x == steps + 1).all(axis=0)
        if numbering.any() and not numbering.all():
            rows = [columns[k] for k in np.flatnonzero(numbering)]
            note(path, f"column {quoted(rows)} numbers the rows and is left out.")
            kept = [k for k in kept if not numbering[k]]
    if constant:
        note(
            path,
            f"column {quoted(constant)} says nothing beside {time!r} and is left out.",
        )
    if isinstance(keys.columns, int):
        if keys.columns > len(kept):
            raise SnapshotFileError(
                path, f"expected {keys.columns} columns, found {len(kept)} coordinates."
            )
        kept, doubted = kept[: keys.columns], []
    named = [
        k for k in kept if not NO_COORDINATES.isdisjoint(normal(columns[k]).split("_"))
    ]
    real = [k for k in kept if not whole[k] and k not in named]
    # A column of one value is harmless: a gene that is seen nowhere.
    coded = [k for k in kept if whole[k] and real and np.ptp(x[:, k]) != 0]
    doubted += [columns[k] for k in kept if k in set(named) | set(coded)]
    if doubted:
        rest = [columns[k] for k in kept if columns[k] not in doubted]
        example = ", ".join(rest[:3] + (["..."] if len(rest) > 3 else []))
        raise SnapshotFileError(
            path,
            f"beside the time {time!r}, column {quoted(doubted)} may be no coordinate "
            "(an id, code, count or second time); name the coordinates with columns "
            f"(--set 'data.keys.columns=[{example}]').",
        )
    return kept


def _told(path: Path, unnamed: list[str]) -> None:
    if unnamed:
        listed = names(repr(name) if name else "the first" for name in unnamed)
        note(
            path,
            f"column {listed} has no name, as row numbers have, and is left out.",
        )


def write_csv(
    path: str | Path,
    snapshots: Snapshots,
    layout: Layout = CSV,
    more: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write ``snapshots``, one row per point and time, in full precision.

    ``more`` columns stand behind the others.

    Raises:
        SnapshotFileError: the system does not let the file be written.
    """
    with writing("write_csv", path, snapshots, layout) as partial:
        layout = like(layout, CSV)
        t, x, v, weights = to_rows(snapshots)
        d = x.shape[1]
        coordinates = layout.columns or ()
        if len(coordinates) != d:
            coordinates = tuple(f"x{i + 1}" for i in range(d))
        header = [layout.time, *coordinates]
        columns = [x]
        if v is not None:
            prefix = layout.velocities or CSV.velocities
            header += [prefix + name for name in coordinates]
            columns.append(v)
        if weights is not None:
            header.append(layout.weights or CSV.weights)
            columns.append(weights[:, None])
        table, others = np.concatenate(columns, axis=1), dict(more or {})
        beside = zip(*others.values(), strict=True) if others else [()] * len(t)
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*header, *others])
            for time, row, last in zip(t, table, beside, strict=True):
                whole = int(time) if time == int(time) else float(time)
                writer.writerow([whole, *row.tolist(), *last])
