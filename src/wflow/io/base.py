"""What the readers and writers of every format share."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from wflow.checks import count, instance, one_of
from wflow.learning import Snapshots

from .refusals import FORMATS, SnapshotFileError, names


# Bytes of numbers that a reader takes from one file, unless told otherwise.
MAX_BYTES = 2**31


@dataclass(frozen=True)
class Keys:
    """Names under which a file keeps times, positions and the rest.

    None looks under the usual names.

    Attributes:
        time: array, column, or name in ``.obs``.
        positions: array, or name in ``.obsm``, or ``X``, all of the genes.
        velocities: likewise; in a .csv the prefix of the velocity columns.
        weights: array, column, or name in ``.obs``.
        columns: of a .csv the names of the coordinate columns, in this order; the
            number of leading coordinates that are kept, of any format.
        masses: array with the size of the population at each time; column, or name in
            ``.obs``, that repeats it in every row of a time.

    Raises:
        TypeError: a name is no text; ``columns`` is neither names nor a whole number.
        ValueError: a name is empty or repeated, a number below one.
    """

    time: str | None = None
    positions: str | None = None
    velocities: str | None = None
    weights: str | None = None
    columns: tuple[str, ...] | int | None = None
    masses: str | None = None

    def __post_init__(self):
        for name in ("time", "positions", "velocities", "weights", "masses"):
            value = getattr(self, name)
            if value is not None:
                _check_name(self, name, value)
        if isinstance(self.columns, list):
            object.__setattr__(self, "columns", tuple(self.columns))
        if isinstance(self.columns, tuple):
            _check_columns(self, self.columns)
        elif self.columns is not None:
            count(self, "columns", self.columns)


USUAL = Keys()


@dataclass(frozen=True)
class Layout:
    """How a file of snapshots was laid out: enough to write another one like it.

    Names mean what they mean in ``Keys``. ``stacked`` is a .npz with arrays
    ``(T, n, d)``, as against rows with a time each.

    Raises:
        TypeError: a name is no text, ``stacked`` no truth value.
        ValueError: there is no such format; no name for the time; repeated columns.
    """

    format: Literal["npz", "csv", "h5ad"]
    time: str = "t"
    positions: str = ""
    velocities: str = ""
    weights: str = ""
    columns: tuple[str, ...] | None = None
    stacked: bool = False

    def __post_init__(self):
        one_of(self, "format", self.format, FORMATS)
        _check_name(self, "time", self.time)
        for name in ("positions", "velocities", "weights"):
            instance(self, name, getattr(self, name), str, "a name")
        if isinstance(self.columns, list):
            object.__setattr__(self, "columns", tuple(self.columns))
        if self.columns is not None:
            instance(self, "columns", self.columns, tuple, "a tuple of names")
            _check_columns(self, self.columns)
        instance(self, "stacked", self.stacked, bool, "true or false")

    def coordinates(self, dim: int) -> list[str] | None:
        """Names of the coordinates, None where the file has none for them."""
        if self.columns is not None and len(self.columns) == dim:
            return list(self.columns)
        if self.format == "h5ad" and self.positions.startswith("X_"):
            basis = self.positions.removeprefix("X_")
            basis = "PC" if basis == "pca" else basis
            return [f"{basis}{k + 1}" for k in range(dim)]
        return None

    @property
    def suffix(self) -> str:
        """``.npz``, ``.csv`` or ``.h5ad``."""
        return f".{self.format}"


def _check_name(owner: Any, name: str, value: Any) -> None:
    instance(owner, name, value, str, "a name")
    if not value:
        raise ValueError(
            f"{type(owner).__name__}: expected {name} to be a name, found an empty one."
        )


def _check_columns(owner: Any, columns: tuple[Any, ...]) -> None:
    for column in columns:
        instance(owner, "columns", column, str, "a tuple of names")
    if not columns or len(set(columns)) < len(columns):
        found = names(columns)
        raise ValueError(
            f"{type(owner).__name__}: expected columns to be names, each once, found "
            f"{found}."
        )


class SnapshotFile(NamedTuple):
    """Snapshots and the layout of the file that held them."""

    snapshots: Snapshots
    layout: Layout


def readable(
    owner: str, path: Any, keys: Any, max_bytes: Any, in_memory: Any = None
) -> Path:
    """The path of a file that is there; the arguments of a reader are checked.

    Raises:
        SnapshotFileError: there is no such file.
        TypeError: an argument is of another type.
    """
    instance(owner, "path", path, (str, os.PathLike), "the path of a file")
    instance(owner, "keys", keys, Keys, "Keys of a file")
    count(owner, "max_bytes", max_bytes)
    one_of(owner, "in_memory", in_memory, (True, False, None))
    path = Path(path)
    if path.is_dir() and path.suffix.lower() != ".zarr":
        raise SnapshotFileError(path, "expected a file, found a folder.")
    if not path.exists():
        raise SnapshotFileError(path, "there is no such file.")
    return path


@contextlib.contextmanager
def writing(owner: str, path: Any, snapshots: Any, layout: Any) -> Iterator[Path]:
    """A temporary name beside the file, which it replaces once all is written.

    Raises:
        SnapshotFileError: the system does not let it be written.
        TypeError: an argument of the writer is of another type.
    """
    instance(owner, "path", path, (str, os.PathLike), "the path of a file")
    instance(owner, "snapshots", snapshots, Snapshots, "Snapshots")
    instance(owner, "layout", layout, Layout, "a Layout")
    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SnapshotFileError(path, f"cannot be written: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def like(layout: Layout, usual: Layout) -> Layout:
    """``layout``, or the usual one with its names of time and coordinates."""
    if layout.format == usual.format:
        return layout
    return replace(usual, time=layout.time, columns=layout.columns)


def leading(
    path: str | Path, key: str, array: np.ndarray, columns: tuple[str, ...] | int | None
) -> np.ndarray:
    """The leading ``columns`` coordinates of ``array``."""
    if columns is None:
        return array
    if isinstance(columns, tuple):
        raise SnapshotFileError(
            path, "columns: names are for .csv files; give a number of coordinates."
        )
    if not 1 <= columns <= array.shape[-1]:
        raise SnapshotFileError(
            path,
            f"key {key!r}: expected columns between 1 and {array.shape[-1]}, "
            f"found {columns}.",
        )
    return array[..., :columns]
