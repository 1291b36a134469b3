"""Files of snapshots: what a caller can get wrong beside the files themselves."""

import atexit
import dataclasses
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.hostile.engine import Argument, choice, count, entry, given, part
from wflow.io import Keys, read_gapminder, read_snapshots, tracker, write_snapshots
from wflow.io.base import Layout
from wflow.learning import Snapshots


ROOM = "wflow.io"

FOLDER = Path(tempfile.mkdtemp(prefix="wflow-hostile-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
SNAPSHOTS = Snapshots([0.0, 1.0], np.arange(12.0).reshape(2, 3, 2))
for suffix in ("csv", "npz", "h5ad"):
    write_snapshots(FOLDER / f"data.{suffix}", SNAPSHOTS)


def _name(value: str = "x") -> Argument:
    return given(value, other=1.5, numbers=np.ones(2), listed=["a", "b"])


def _read(suffix: str) -> Argument:
    spoiled = {
        "none": None,
        "other": 1.5,
        "folder": FOLDER,
        "missing": FOLDER / "no.csv",
    }
    words = ("no such file", "found a folder", "a name that ends in")
    return dataclasses.replace(given(FOLDER / f"data.{suffix}", **spoiled), words=words)


def _write(suffix: str) -> Argument:
    path = FOLDER / f"written.{suffix}"
    spoiled = given(path, none=None, other=1.5, below=path / "file" / f"a.{suffix}")
    return dataclasses.replace(spoiled, words=("cannot be written",))


def _reader(call, suffix):
    keys, most = part(Keys()), count(2**20)
    where = choice(True, fine="none")
    return entry(call, path=_read(suffix), keys=keys, max_bytes=most, in_memory=where)


COLUMNS = given(
    ("x", "y"), other=1.5, numbers=(1, 2), twice=("x", "x"), empty=(), text="spoiled"
)

TABLE = {
    "Keys": entry(
        Keys,
        time=_name(),
        positions=_name(),
        velocities=_name(),
        weights=_name(),
        columns=COLUMNS,
        masses=_name(),
    ),
    "SnapshotFileError": "an exception",
    "read_gapminder": entry(read_gapminder, seed=count(1, fine="zero")),
    "read_snapshots": _reader(read_snapshots, "csv"),
    "tracker": entry(
        tracker,
        kind=given("csv", other="spoiled", none=None),
        folder=given(FOLDER, none=None, other=1.5),
    ),
    "write_snapshots": entry(
        write_snapshots,
        path=_write("csv"),
        snapshots=part(SNAPSHOTS),
        layout=part(Layout("csv"), fine="none"),
        cells=part(None, fine="none"),
    ),
}
