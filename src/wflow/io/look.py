"""Look at a file of any format."""

from pathlib import Path

from .findings import Findings
from .look_anndata import look_anndata
from .look_arrays import look_arrays
from .look_table import look_table
from .refusals import READ, SnapshotFileError, format_of


_LOOKS = {
    "npz": look_arrays,
    "csv": look_table,
    "parquet": look_table,
    "h5ad": look_anndata,
}


def look(
    path: str | Path, *, time: str | None = None, representation: str | None = None
) -> Findings:
    """What a file holds; the coordinates themselves are not read where that is spared.

    Args:
        path: a file that ``read_snapshots`` reads.
        time: the name of the time, where there are several that may be it.
        representation: the array that moves, in the place of the usual one.

    Raises:
        SnapshotFileError: there is no such file, or no snapshots in it.
        ModuleNotFoundError: the package that reads it is not installed.
    """
    path = Path(path)
    format = format_of(path, READ)
    if not path.exists():
        raise SnapshotFileError(path, "there is no such file.")
    if path.is_dir() and path.suffix.lower() != ".zarr":
        raise SnapshotFileError(path, "expected a file, found a folder.")
    return _LOOKS[format](path, time, representation)
