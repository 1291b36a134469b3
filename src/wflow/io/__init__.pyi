from .base import Keys as Keys
from .gapminder import read_gapminder as read_gapminder
from .refusals import SnapshotFileError as SnapshotFileError
from .snapshots import read_snapshots as read_snapshots
from .snapshots import write_snapshots as write_snapshots
from .trackers import tracker as tracker

__all__ = [
    "Keys",
    "SnapshotFileError",
    "read_gapminder",
    "read_snapshots",
    "tracker",
    "write_snapshots",
]
