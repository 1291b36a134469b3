"""Snapshots in .npz files."""

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
    leading,
    like,
    readable,
    writing,
)
from .npz_file import Arrays, opened, time_of
from .refusals import (
    SnapshotFileError,
    check_coordinates,
    note,
    numbers,
    pick,
    quoted,
    reading,
)
from .rows import by_time, make_snapshots, to_rows
from .stored import stored_npz
from .times import to_times


NPZ = Layout("npz", positions="x", velocities="v", weights="weights")


def read_npz(
    path: str | Path,
    keys: Keys = USUAL,
    *,
    max_bytes: int = MAX_BYTES,
    in_memory: bool | None = None,
) -> SnapshotFile:
    """Read snapshots from a .npz in one of two layouts.

    ========= =================================================================
    stacked   ``positions (T, n, d)``; optional ``velocities (T, n, d)``,
              ``weights (T, n)``, ``t (T,)`` (without it times are 0, 1, 2, ...)
    rows      ``x (cells, d)``, ``t (cells,)``; optional ``v (cells, d)``,
              ``weights (cells,)``
    ========= =================================================================

    Both may have ``masses (T,)``, the size of the population at each time. Other usual
    names are ``time``, ``day``, ``hours``, ``ts``, ... and ``vel``, ``velocity``. Rows
    that are NaN are padding and are dropped. Only the arrays that are used are read.

    Args:
        path: the file.
        keys: names that differ from the usual ones.
        max_bytes: most bytes that the arrays may have, looked at before they are
            unpacked.
        in_memory: as of ``read_snapshots``.

    Raises:
        SnapshotFileError: the file is no .npz, lacks a key, has several that may be
            meant, or a key has another shape; an array of a stacked file that may be
            the times, under no usual name; labels of the time that are no numbers; a
            coordinate that is nan throughout; more than ``max_bytes``.
    """
    path = readable("read_npz", path, keys, max_bytes, in_memory)
    with reading(path), opened(path) as arrays:
        return _read(arrays, keys, max_bytes, in_memory)


def _read(
    arrays: Arrays, keys: Keys, max_bytes: int, in_memory: bool | None
) -> SnapshotFile:
    path, arrays.max_bytes = arrays.path, max_bytes
    if {"format", "shape", "data"} <= set(arrays):
        raise SnapshotFileError(
            path,
            "holds one sparse matrix and no times; save x (cells, d), as a dense "
            "array, and t (cells,) instead.",
        )
    positions = pick(
        path, "positions", keys.positions, ("positions", "x"), arrays, "positions"
    )
    if positions is None:
        raise AssertionError
    stored = stored_npz(arrays, keys, positions, in_memory)
    if stored is not None:
        return stored
    x = numbers(path, positions, arrays[positions])
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise SnapshotFileError(
            path,
            f"key {positions!r}: expected shape (T, n, d), or (cells, d) with a time "
            f"for each cell, found {x.shape}.",
        )
    x = leading(path, positions, x, keys.columns)
    stacked = x.ndim == 3
    time = time_of(arrays, keys.time, len(x), stacked)
    velocities = pick(
        path,
        "velocities",
        keys.velocities,
        ("velocities", "velocity", "vel", "v", f"{positions}_velocity"),
        arrays,
        "velocities",
        required=False,
    )
    weights = pick(
        path,
        "weights",
        keys.weights,
        ("weights", "weight"),
        arrays,
        "weights",
        required=False,
    )
    masses = pick(
        path,
        "masses",
        keys.masses,
        ("masses", "mass"),
        arrays,
        "masses",
        required=False,
    )
    used = {positions, time, velocities, weights, masses}
    unread = [
        key
        for key in arrays
        if key not in used and arrays.shape(key) == arrays.shape(positions)
    ]
    if unread and velocities is None:
        note(
            path,
            f"{quoted(unread)}, of the shape of {positions!r}, is not read; if it "
            "holds velocities, name it with velocities (data.keys.velocities).",
        )

    def shaped(key: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        # One column is as good as none.
        if array.shape == (*shape, 1) and len(shape) < x.ndim:
            array = array[..., 0]
        if array.shape != shape:
            raise SnapshotFileError(
                path,
                f"key {key!r}: expected shape {shape} beside {positions!r} of shape "
                f"{x.shape}, found {array.shape}.",
            )
        return array

    def optional(key: str | None, shape: tuple[int, ...]) -> np.ndarray | None:
        if key is None:
            return None
        return shaped(key, numbers(path, key, arrays[key]), shape)

    v = None
    if velocities is not None:
        v = numbers(path, velocities, arrays[velocities])
        v = leading(path, velocities, v, keys.columns) if v.ndim == x.ndim else v
        v = shaped(velocities, v, x.shape)
    w = optional(weights, x.shape[:-1])
    t = None if time is None else shaped(time, arrays[time], x.shape[:1])
    t = None if time is None or t is None else to_times(path, time, t)
    check_coordinates(path, x, positions)
    layout = Layout(
        "npz",
        time=time or "t",
        positions=positions,
        velocities=velocities or ("velocities" if stacked else "v"),
        weights=weights or "weights",
        stacked=stacked,
    )
    m = None if masses is None else numbers(path, masses, arrays[masses])
    if m is not None and m.ndim != 1:
        raise SnapshotFileError(
            path,
            f"key {masses!r}: expected a number for each time, found shape {m.shape}.",
        )
    if not stacked:
        if t is None:
            raise AssertionError
        return SnapshotFile(by_time(path, t, x, v, w, m, time or "t"), layout)
    t = np.arange(len(x), dtype=np.float64) if t is None else t
    return SnapshotFile(make_snapshots(path, t, x, v, w, m, layout.time), layout)


def write_npz(
    path: str | Path,
    snapshots: Snapshots,
    layout: Layout = NPZ,
    more: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write ``snapshots``; stacked if the layout is and all have one size.

    ``more`` arrays have an entry for every row.

    Raises:
        SnapshotFileError: the system does not let the file be written.
    """
    with writing("write_npz", path, snapshots, layout) as partial:
        layout = like(layout, NPZ)
        t, x, v, weights = to_rows(snapshots)
        sizes = {len(cloud) for cloud in snapshots.clouds}
        if layout.stacked and len(sizes) == 1:
            shape = (len(snapshots.clouds), sizes.pop())
            t = np.asarray(snapshots.times, np.float64)
            x = x.reshape(*shape, -1)
            v = None if v is None else v.reshape(*shape, -1)
            weights = None if weights is None else weights.reshape(shape)
        arrays = {layout.time: t, layout.positions or NPZ.positions: x}
        if v is not None:
            arrays[layout.velocities or NPZ.velocities] = v
        if weights is not None:
            arrays[layout.weights or NPZ.weights] = weights
        if snapshots.masses is not None:
            arrays["masses"] = np.asarray(snapshots.masses)
        for name, column in (more or {}).items():
            arrays[name] = np.asarray(column)
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
