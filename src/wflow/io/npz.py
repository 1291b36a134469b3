"""Snapshots in .npz files."""

import zipfile
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
    leading,
    make_snapshots,
    numbers,
    pick,
    to_rows,
)


NPZ = Layout("npz", positions="x", velocities="v", weights="weights")


def read_npz(path: str | Path, keys: Keys = USUAL) -> SnapshotFile:
    """Read snapshots from a .npz in one of two layouts.

    ========= =================================================================
    stacked   ``positions (T, n, d)``; optional ``velocities (T, n, d)``,
              ``weights (T, n)``, ``t (T,)`` (without it times are 0, 1, 2, ...)
    rows      ``x (cells, d)``, ``t (cells,)``; optional ``v (cells, d)``,
              ``weights (cells,)``
    ========= =================================================================

    Rows that are NaN are padding and are dropped.

    Raises:
        SnapshotFileError: the file is no .npz, lacks a key, or a key has another shape.
    """
    arrays = _load(path)
    positions = pick(path, "positions", keys.positions, ("positions", "x"), arrays)
    x = leading(
        path, positions, numbers(path, positions, arrays[positions]), keys.columns
    )
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise SnapshotFileError(
            path,
            f"key {positions!r}: expected shape (T, n, d), or (cells, d) with a time "
            f"for each cell, found {x.shape}.",
        )
    stacked = x.ndim == 3
    time = pick(path, "times", keys.time, TIME_KEYS, arrays, required=not stacked)
    velocities = pick(
        path, "velocities", keys.velocities, ("velocities", "v"), arrays, required=False
    )
    weights = pick(
        path, "weights", keys.weights, ("weights", "weight"), arrays, required=False
    )

    def optional(key: str | None, shape: tuple[int, ...]) -> np.ndarray | None:
        if key is None:
            return None
        array = numbers(path, key, arrays[key])
        if len(shape) == x.ndim:
            array = leading(path, key, array, keys.columns)
        if array.shape != shape:
            raise SnapshotFileError(
                path,
                f"key {key!r}: expected shape {shape} beside {positions!r} of shape "
                f"{x.shape}, found {array.shape}.",
            )
        return array

    t = optional(time, x.shape[:1])
    v = optional(velocities, x.shape)
    w = optional(weights, x.shape[:-1])
    layout = Layout(
        "npz",
        time=time or "t",
        positions=positions,
        velocities=velocities or ("velocities" if stacked else "v"),
        weights=weights or "weights",
        stacked=stacked,
    )
    if not stacked:
        return SnapshotFile(by_time(path, t, x, v, w), layout)
    t = np.arange(len(x), dtype=np.float64) if t is None else t
    return SnapshotFile(make_snapshots(path, t, x, v, w), layout)


def _load(path: str | Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise SnapshotFileError(path, "is not a readable .npz file.")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise SnapshotFileError(path, "is not a readable .npz file.") from None
        raise SnapshotFileError(
            path,
            "holds pickled Python objects, which could run code when read and are "
            "refused; save numbers or fixed-width strings instead.",
        ) from None
    except (zipfile.BadZipFile, EOFError):
        raise SnapshotFileError(path, "is not a readable .npz file.") from None


def write_npz(path: str | Path, snapshots: Snapshots, layout: Layout = NPZ) -> None:
    """Write ``snapshots``; stacked if the layout is and all have one size."""
    t, x, v, weights = to_rows(snapshots)
    sizes = {len(cloud) for cloud in snapshots.clouds}
    if layout.stacked and len(sizes) == 1:
        shape = (len(snapshots.clouds), sizes.pop())
        t = np.asarray(snapshots.times, np.float64)
        x = x.reshape(*shape, -1)
        v = None if v is None else v.reshape(*shape, -1)
        weights = None if weights is None else weights.reshape(shape)
    arrays = {layout.time: t, layout.positions: x}
    if v is not None:
        arrays[layout.velocities] = v
    if weights is not None:
        arrays[layout.weights] = weights
    np.savez_compressed(path, **arrays)
