"""Snapshots from and to files, the format known by the suffix."""

from dataclasses import replace
from pathlib import Path

from wflow.learning import Snapshots

from .base import FORMATS, USUAL, Keys, Layout, SnapshotFile, SnapshotFileError
from .h5ad import H5AD, read_h5ad, write_h5ad
from .npz import NPZ, read_npz, write_npz
from .table import CSV, read_csv, write_csv


_READERS = {"npz": read_npz, "csv": read_csv, "h5ad": read_h5ad}
_WRITERS = {"npz": write_npz, "csv": write_csv, "h5ad": write_h5ad}
_LAYOUTS = {"npz": NPZ, "csv": CSV, "h5ad": H5AD}


def _format(path: Path) -> str:
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        found = repr(path.suffix) if suffix else "none"
        raise SnapshotFileError(
            path, f"expected a name that ends in .npz, .csv or .h5ad, found {found}."
        )
    return suffix


def read_snapshots(path: str | Path, keys: Keys = USUAL) -> SnapshotFile:
    """Read snapshots from a .npz, .csv or .h5ad file.

    Args:
        path: the file; see ``read_npz``, ``read_csv``, ``read_h5ad`` for the contents.
        keys: names that differ from the usual ones.

    Returns:
        ``(snapshots, layout)``; give the layout to ``write_snapshots`` for another file
        like this one.

    Raises:
        SnapshotFileError: a file that is missing or not as expected, in one sentence
            with file, key, expected and found.
        ModuleNotFoundError: a .h5ad without the package anndata.
    """
    path = Path(path)
    format = _format(path)
    if not path.is_file():
        raise SnapshotFileError(path, "there is no such file.")
    return _READERS[format](path, keys)


def write_snapshots(
    path: str | Path, snapshots: Snapshots, layout: Layout | None = None
) -> Path:
    """Write snapshots as ``layout`` says, or as the usual one of the suffix.

    Args:
        path: the file; without a suffix it gets that of ``layout``.
        snapshots: what to write.
        layout: names and arrangement, from ``read_snapshots``. Where the suffix is of
            another format the names of time and coordinates are kept.

    Returns:
        The path that was written.
    """
    path = Path(path)
    if layout is not None and not path.suffix:
        path = path.with_suffix(layout.suffix)
    format = _format(path)
    usual = _LAYOUTS[format]
    if layout is None:
        layout = usual
    elif layout.format != format:
        layout = replace(usual, time=layout.time, columns=layout.columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    _WRITERS[format](path, snapshots, layout)
    return path
