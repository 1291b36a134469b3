"""The arrays of a .npz file, read one by one; quick to import."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from .refusals import SnapshotFileError, bounded, quoted
from .times import pick_time


# Distinct values up to which whole numbers of rows may be labels of times.
_LABELS = 50


class Arrays(Mapping[str, np.ndarray]):
    """The arrays of a file, read when they are asked for."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, max_bytes: int = 0):
        self.path = path
        self.archive = archive
        self.headers = {
            info.filename.removesuffix(".npy"): self._header(info)
            for info in archive.infolist()
        }
        self.max_bytes = max_bytes
        self.taken: dict[str, np.ndarray] = {}

    def _header(self, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and dtype; what the archive holds has to be as long as they say."""
        with self.archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(member)
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            if not dtype.hasobject and member.tell() + size != info.file_size:
                raise ValueError(f"{info.filename} holds less than its header says")
        return shape, dtype

    def shape(self, key: str) -> tuple[int, ...]:
        return self.headers[key][0]

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.taken:
            shape, dtype = self.headers[key]
            if dtype.hasobject:
                raise SnapshotFileError(
                    self.path,
                    f"{key!r} holds pickled Python objects, which could run code when "
                    "read and are refused; save numbers or fixed-width strings "
                    "instead.",
                )
            # What is not yet in double precision will be.
            size = int(np.prod(shape, dtype=object)) * max(8, dtype.itemsize)
            held = sum(array.nbytes for array in self.taken.values())
            bounded(self.path, f"{key!r} of shape {shape}", held + size, self.max_bytes)
            name = key if key in self.archive.NameToInfo else f"{key}.npy"
            with self.archive.open(name) as member:
                self.taken[key] = np.lib.format.read_array(member, allow_pickle=False)
        return self.taken[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.headers)

    def __len__(self) -> int:
        return len(self.headers)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Arrays]:
    """The file, open to be read; what is damaged is a sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield Arrays(path, archive)
    except SnapshotFileError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise SnapshotFileError(path, "is not a readable .npz file.") from error


def time_of(
    arrays: Arrays, wanted: str | None, count: int, stacked: bool
) -> str | None:
    """The array of times; stacked positions may have none."""

    def fits(key: str) -> bool:
        return arrays.shape(key) in ((count,), (count, 1))

    found = list(arrays) if wanted else [k for k in arrays if len(arrays.shape(k)) > 0]
    fitting = [key for key in found if fits(key)]
    time = pick_time(
        arrays.path,
        "times",
        wanted,
        # Of several, those of another shape are none.
        found if wanted else fitting,
        lambda key: arrays[key],
        lambda: (key for key in fitting if not stacked and _may_be_labels(arrays[key])),
        required=False,
    )
    if time is None and not wanted:
        time = pick_time(
            arrays.path,
            "times",
            None,
            found,
            lambda key: np.arange(2),
            required=not stacked,
        )
    if time is not None or not stacked:
        return time
    rising = [
        key
        for key in fitting
        if key not in ("masses", "mass", "weights", "weight")
        and arrays.headers[key][1].kind in "iuf"
        and (np.diff(arrays[key].ravel()) > 0).all()
    ]
    if rising and count > 1:
        raise SnapshotFileError(
            arrays.path,
            f"{quoted(rising)} may be the times of the {count} snapshots: say so with "
            f"time (--set data.keys.time={rising[0]}), or leave it out of the file.",
        )
    return None


def _may_be_labels(array: np.ndarray) -> bool:
    if array.dtype.kind in "US":
        return True
    if array.dtype.kind not in "iuf":
        return False
    distinct = np.unique(array)
    return bool(1 < len(distinct) <= _LABELS and (distinct == np.floor(distinct)).all())
