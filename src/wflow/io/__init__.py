"""Floor 7: snapshots from and to files."""

from .base import Keys, Layout, SnapshotFile, SnapshotFileError
from .gapminder import read_gapminder
from .h5ad import read_h5ad, write_h5ad
from .npz import read_npz, write_npz
from .snapshots import read_snapshots, write_snapshots
from .table import read_csv, write_csv


__all__ = [
    "Keys",
    "Layout",
    "SnapshotFile",
    "SnapshotFileError",
    "read_csv",
    "read_gapminder",
    "read_h5ad",
    "read_npz",
    "read_snapshots",
    "write_csv",
    "write_h5ad",
    "write_npz",
    "write_snapshots",
]
