"""Snapshots from and to files, the format known by the suffix."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wflow.checks import instance
from wflow.learning import Snapshots

from .anndata_file import needs_anndata
from .base import MAX_BYTES, USUAL, Keys, Layout, SnapshotFile, readable
from .cells import Cells
from .h5ad import H5AD, read_h5ad, write_h5ad
from .npz import NPZ, read_npz, write_npz
from .refusals import FORMATS, READ, SnapshotFileError, format_of
from .table import CSV, read_csv, read_parquet, write_csv


_READERS = {"csv": read_csv, "parquet": read_parquet}
# Formats whose rows can be read by blocks.
_STORED = {"npz": read_npz, "h5ad": read_h5ad}
_WRITERS = {"npz": write_npz, "csv": write_csv}
_LAYOUTS = {"npz": NPZ, "csv": CSV, "h5ad": H5AD}
_WRITTEN = {f".{name}": name for name in FORMATS}


def read_snapshots(
    path: str | Path,
    keys: Keys = USUAL,
    *,
    max_bytes: int = MAX_BYTES,
    in_memory: bool | None = None,
) -> SnapshotFile:
    """Read snapshots from a .npz, .csv, .tsv, .parquet, .h5ad or .zarr.

    The tables of text may be compressed, .csv.gz.

    Args:
        path: the file; see ``read_npz``, ``read_csv``, ``read_h5ad`` for the contents.
        keys: names that differ from the usual ones.
        max_bytes: most bytes of numbers that are read; looked at before.
        in_memory: False leaves the positions in the file and reads the times alone:
            ``FlowMatching`` then trains on points of shuffled blocks of it, and what
            asks for a whole cloud reads that one. Of AnnData a dense representation,
            of a .npz what is not compressed; velocities and weights are not read. None
            does so where positions would take more than 268 MB in double precision and
            can stay; True never does.

    Returns:
        ``(snapshots, layout)``; give the layout to ``write_snapshots`` for another file
        like this one.

    Raises:
        SnapshotFileError: a file that is missing or not as expected, in one sentence
            with file, key, expected and found.
        TypeError: an argument is of another type.
        ModuleNotFoundError: an AnnData or a .parquet without the package that reads it.
    """
    _check_path("read_snapshots", path)
    format = format_of(Path(path), READ)
    path = readable("read_snapshots", path, keys, max_bytes, in_memory)
    if format in _STORED:
        return _STORED[format](path, keys, max_bytes=max_bytes, in_memory=in_memory)
    if in_memory is False:
        raise SnapshotFileError(
            path,
            f"positions of a .{format} cannot stay in the file; keep them in .zarr.",
        )
    return _READERS[format](path, keys, max_bytes=max_bytes)


def _check_path(owner: str, path: Any) -> None:
    instance(owner, "path", path, (str, os.PathLike), "the path of a file")


def write_snapshots(
    path: str | Path,
    snapshots: Snapshots,
    layout: Layout | None = None,
    *,
    cells: Cells | Mapping[str, Sequence[Any]] | None = None,
) -> Path:
    """Write snapshots as ``layout`` says, or as the usual one of the suffix.

    The file is written under a temporary name and then takes its own, so that it is
    there whole or not at all; a file of that name is replaced.

    Args:
        path: the file; without a suffix it gets that of ``layout``.
        snapshots: what to write.
        layout: names and arrangement, from ``read_snapshots``. Where the suffix is of
            another format the names of time and coordinates are kept.
        cells: what is also said of every row: of cells, or columns by name. Formats
            but .h5ad have no place for more than the columns.

    Returns:
        The path that was written.

    Raises:
        SnapshotFileError: the suffix is of no format, or the system does not let the
            file be written.
        TypeError: an argument is of another type.
    """
    _check_path("write_snapshots", path)
    if layout is not None:
        instance("write_snapshots", "layout", layout, Layout, "a Layout")
    if cells is not None:
        instance("write_snapshots", "cells", cells, (Cells, Mapping), "Cells")
    path = Path(path)
    if layout is not None and not path.suffix:
        path = path.with_suffix(layout.suffix)
    format = format_of(path, _WRITTEN)
    layout = _LAYOUTS[format] if layout is None else layout
    if format == "h5ad":
        write_h5ad(path, snapshots, layout, _as_cells(path, cells))
    else:
        _WRITERS[format](path, snapshots, layout, _as_columns(cells, layout))
    return path


def _as_cells(
    path: Path, cells: Cells | Mapping[str, Sequence[Any]] | None
) -> Cells | None:
    if cells is None or isinstance(cells, Cells):
        return cells
    needs_anndata(path)
    import pandas as pd

    obs = pd.DataFrame({name: list(column) for name, column in cells.items()})
    obs.index = obs.index.astype(str)
    return Cells(obs, pd.DataFrame(index=pd.Index([], dtype=str)))


def _as_columns(
    cells: Cells | Mapping[str, Sequence[Any]] | None, layout: Layout
) -> Mapping[str, Sequence[Any]] | None:
    """Columns of every row, but those that the snapshots have themselves."""
    if not isinstance(cells, Cells):
        return cells
    own = (layout.time, layout.weights)
    columns = {str(name): cells.obs[name] for name in cells.obs}
    return {
        name: column.astype(str if column.dtype.kind not in "biuf" else column.dtype)
        for name, column in columns.items()
        if name not in own
    }
