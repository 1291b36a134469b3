"""Snapshots whose points stay in their file, of which only times are read."""

import functools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wflow.learning import Snapshots
from wflow.learning.snapshot_rows import precision
from wflow.learning.stored import Source, StoredCloud

from .anndata_file import is_array
from .base import Keys, Layout, SnapshotFile
from .npz_file import Arrays, time_of
from .refusals import SnapshotFileError, numbers, pick
from .rows import make_snapshots, repeated
from .times import may_be_labels, pick_time, snapshot_rows, to_times


# Bytes of a block that is read at once, about.
_BLOCK = 2**21
# Bytes in double precision from which on positions stay in their file.
_LARGE = 2**28


def source_of(
    path: Path,
    key: str,
    shape: tuple[int, int],
    dtype: np.dtype,
    read: Callable[[int, int], Any],
    chunk: int = 1,
) -> Source:
    """Rows of an array of a file; blocks are whole chunks of it."""
    held = precision([np.zeros(0, dtype)])
    row = shape[1] * dtype.itemsize
    block = max(1, _BLOCK // (row * chunk)) * chunk
    seen = path.stat()
    return Source(
        f"{path.name} {key} {shape} {dtype} {seen.st_size} {seen.st_mtime_ns}",
        shape,
        held,
        block,
        lambda first, last: np.asarray(read(first, last)).astype(held, copy=False),
    )


def stored_by_time(
    path: Path, source: Source, t: np.ndarray, name: str, masses: np.ndarray | None
) -> Snapshots:
    """Rows with a time each, left where they are, as one snapshot for every time.

    Masses are one for each time, or for each row and the same in all rows of a time.
    """
    if len(t) != source.shape[0]:
        raise SnapshotFileError(
            path, f"expected {source.shape[0]} times, one for each row, found {len(t)}."
        )
    times, rows = snapshot_rows(path, t, name)
    if masses is not None and len(masses) == len(t):
        masses = repeated(path, masses, rows)
    clouds = [StoredCloud(source, np.sort(row)) for row in rows]
    return make_snapshots(path, times, clouds, masses=masses, name=name)


def npz_reader(
    path: Path, archive: zipfile.ZipFile, key: str
) -> tuple[tuple[int, ...], np.dtype, Callable[[int, int], np.ndarray]] | None:
    """Shape, dtype and reader of the rows of an array that is not compressed.

    Axes before the last are one axis of rows. None where it is compressed or lies
    column by column.
    """
    info = archive.getinfo(f"{key}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        return None
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        header = np.lib.format
        first = version == (1, 0)
        read = header.read_array_header_1_0 if first else header.read_array_header_2_0
        shape, fortran, dtype = read(member)
        inside = member.tell()
    if fortran or dtype.hasobject or len(shape) < 2:
        return None
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name, extra = np.frombuffer(file.read(4), "<u2")
    begin = info.header_offset + 30 + int(name) + int(extra) + inside
    width = shape[-1] * dtype.itemsize

    def rows(first: int, last: int) -> np.ndarray:
        with path.open("rb") as file:
            file.seek(begin + first * width)
            found = np.fromfile(file, dtype, (last - first) * shape[-1])
        if len(found) < (last - first) * shape[-1]:
            raise SnapshotFileError(path, f"{key!r} ends before its last row.")
        return found.reshape(-1, shape[-1])

    return shape, dtype, rows


def stays(
    path: Path, in_memory: bool | None, entries: int, obstacle: str | None
) -> bool:
    """Whether positions of so many entries are left in their file.

    Args:
        path: of the file.
        in_memory: what the user says; None leaves large ones there that can be.
        entries: numbers in the array.
        obstacle: what speaks against it, in words.

    Raises:
        SnapshotFileError: they should be left there and cannot.
    """
    if in_memory or (in_memory is None and (8 * entries <= _LARGE or obstacle)):
        return False
    if obstacle:
        raise SnapshotFileError(
            path, f"positions cannot stay in the file: {obstacle}; read with in_memory."
        )
    return True


def stored_anndata(
    path: Path, file: Any, keys: Keys, positions: str, in_memory: bool | None
) -> SnapshotFile | None:
    """Cells whose representation stays in the file; None where it is read."""
    from anndata.io import read_elem

    place = "X" if positions == "X" and "X" not in file["obsm"] else f"obsm/{positions}"
    array: Any = file[place]
    columns = [str(name) for name in file["obs"].attrs.get("column-order", ())]
    weights = [key for key in columns if key.casefold() in ("weight", "weights")]
    dense = is_array(array) and len(array.shape) == 2 and array.dtype.kind in "iuf"
    obstacle = None
    if not dense:
        obstacle = f"{positions!r} is no dense array of numbers"
    elif keys.velocities or keys.weights or weights:
        obstacle = "velocities and weights are read into memory alone"
    elif keys.columns is not None:
        obstacle = "columns leave out some of its coordinates"
    entries = int(np.prod(array.shape, dtype=object)) if dense else 0
    if not stays(path, in_memory, entries, obstacle):
        return None

    @functools.cache
    def column(name: str) -> np.ndarray:
        return np.asarray(read_elem(file["obs"][name]))

    likely = lambda: (key for key in columns if may_be_labels(path, key, column(key)))
    time = pick_time(path, "the time in .obs", keys.time, columns, column, likely)
    if time is None:
        raise AssertionError
    masses = None
    if keys.masses is not None:
        what = "masses in .obs"
        pick(path, what, keys.masses, (), columns, "masses")
        masses = column(keys.masses).astype(np.float64)
    if path.suffix.lower() != ".zarr":
        import h5py

        # Open for as long as somebody may ask for points.
        array = h5py.File(path, "r")[place]
    chunks = array.chunks or (1,)
    source = source_of(
        path,
        positions,
        array.shape,
        array.dtype,
        lambda first, last: array[first:last],
        int((getattr(array, "shards", None) or chunks)[0]),
    )
    t = to_times(path, time, column(time))
    layout = Layout(
        "h5ad",
        time=time,
        positions=positions,
        velocities=f"{positions}_velocity",
        weights="weight",
    )
    return SnapshotFile(stored_by_time(path, source, t, time, masses), layout)


def stored_npz(
    arrays: Arrays, keys: Keys, positions: str, in_memory: bool | None
) -> SnapshotFile | None:
    """Rows or stacked clouds that stay in the file; None where they are read."""
    path, shape = arrays.path, arrays.shape(positions)
    entries = int(np.prod(shape, dtype=object))
    if in_memory or (in_memory is None and 8 * entries <= _LARGE):
        return None
    found = (
        npz_reader(path, arrays.archive, positions) if len(shape) in (2, 3) else None
    )
    more = ("velocities", "velocity", "vel", "v", "weights", "weight")
    more = [key for key in (*more, f"{positions}_velocity") if key in arrays]
    obstacle = None
    if found is None:
        obstacle = f"{positions!r} is compressed, or no array of rows"
    elif keys.velocities or keys.weights or more:
        obstacle = "velocities and weights are read into memory alone"
    elif keys.columns is not None:
        obstacle = "columns leave out some of its coordinates"
    if not stays(path, in_memory, entries, obstacle) or found is None:
        return None
    _, dtype, read = found
    flat = (int(np.prod(shape[:-1])), shape[-1])
    source = source_of(path, positions, flat, dtype, read)
    stacked = len(shape) == 3
    time = time_of(arrays, keys.time, shape[0], stacked)
    masses = pick(
        path, "masses", keys.masses, ("masses", "mass"), arrays, "masses", False
    )
    m = None if masses is None else numbers(path, masses, arrays[masses])
    layout = Layout(
        "npz",
        time=time or "t",
        positions=positions,
        velocities="velocities" if stacked else "v",
        weights="weights",
        stacked=stacked,
    )
    times = None if time is None else to_times(path, time, arrays[time].ravel())
    if stacked:
        times = np.arange(float(shape[0])) if times is None else times
        rows = np.arange(len(times) * shape[1]).reshape(len(times), -1)
        clouds = [StoredCloud(source, row) for row in rows]
        made = make_snapshots(path, times, clouds, masses=m, name=layout.time)
        return SnapshotFile(made, layout)
    if times is None:
        raise AssertionError
    return SnapshotFile(stored_by_time(path, source, times, layout.time, m), layout)
