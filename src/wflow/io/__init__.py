"""Read snapshots from files, and write them."""

from .base import Keys, SnapshotFileError
from .gapminder import read_gapminder
from .snapshots import read_snapshots, write_snapshots


__all__ = [
    "Keys",
    "SnapshotFileError",
    "read_gapminder",
    "read_snapshots",
    "write_snapshots",
]
