"""What the readers and writers of every format share."""

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from wflow.checks import count, instance, one_of
from wflow.learning import Snapshots


FORMATS = ("npz", "csv", "h5ad")
# Bytes of numbers that a reader takes from one file, unless told otherwise.
MAX_BYTES = 2**31


class SnapshotFileError(ValueError):
    """A file does not hold snapshots as expected; the message begins with its path."""

    def __init__(self, path: str | Path, problem: str):
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True)
class Keys:
    """Where a file keeps what; None looks under the usual names.

    Attributes:
        time: array, column, or name in ``.obs``.
        positions: array, or name in ``.obsm``; of a .h5ad also ``X``, all of the genes.
        velocities: likewise; in a .csv the prefix of the velocity columns.
        weights: array, column, or name in ``.obs``.
        columns: of a .csv the names of the coordinate columns, in this order; the
            number of leading coordinates that are kept, of any format.
        masses: of a .npz the array with the size of the population at each time.

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


def names(found: Iterable[str], most: int = 12) -> str:
    """``found`` as an enumeration for a message."""
    listed = [str(name) for name in found]
    shown = listed if len(listed) <= most else [*listed[:most], "..."]
    return ", ".join(shown) or "none"


def quoted(found: Iterable[Any], most: int = 4) -> str:
    """Names in quotation marks as an enumeration for a message."""
    return names((repr(str(name)) for name in found), most)


def note(path: str | Path, text: str) -> None:
    """Tell of something in the file that is left out, or read in a way of its own."""
    warnings.warn(f"{path}: {text}", stacklevel=4)


def readable(owner: str, path: Any, keys: Any, max_bytes: Any) -> Path:
    """The path of a file that is there; the arguments of a reader are checked.

    Raises:
        SnapshotFileError: there is no such file.
        TypeError: an argument is of another type.
    """
    instance(owner, "path", path, (str, os.PathLike), "the path of a file")
    instance(owner, "keys", keys, Keys, "Keys of a file")
    count(owner, "max_bytes", max_bytes)
    path = Path(path)
    if path.is_dir():
        raise SnapshotFileError(path, "expected a file, found a folder.")
    if not path.is_file():
        raise SnapshotFileError(path, "there is no such file.")
    return path


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """What the system says against reading the file, as a sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the system gives no reason"
        raise SnapshotFileError(path, f"cannot be read: {reason}.") from error


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


def bounded(path: str | Path, what: str, size: int, max_bytes: int) -> None:
    """Refuse to read more than ``max_bytes`` of numbers, before they are read."""
    if size > max_bytes:
        raise SnapshotFileError(
            path,
            f"{what} would take {_gigabytes(size)} of memory, more than max_bytes = "
            f"{_gigabytes(max_bytes)}; keep less in the file, or raise max_bytes "
            "(data.max_bytes).",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e7 else f"{size} bytes"


def pick(
    path: str | Path,
    what: str,
    wanted: str | None,
    usual: Sequence[str],
    found: Iterable[str],
    key: str,
    required: bool = True,
) -> str | None:
    """The name that ``what`` is found under: the wanted, or the one usual name.

    ``key`` of ``Keys`` says which where there are several. Names are compared as they
    are first, then without regard to capitals.
    """
    found = list(found)
    if wanted is not None:
        candidates = [name for name in found if name == wanted]
    else:
        known = {name.casefold() for name in usual}
        candidates = [name for name in found if name.casefold() in known]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise SnapshotFileError(
            path,
            f"{what} may be {' or '.join(map(repr, candidates))}: say which with "
            f"{key} (data.keys.{key}).",
        )
    if wanted is None and not required:
        return None
    expected = " or ".join(repr(name) for name in ([wanted] if wanted else usual))
    remedy = "" if wanted else f" Name it with {key} (data.keys.{key})."
    raise SnapshotFileError(
        path, f"expected {what} under {expected}, found {names(found)}.{remedy}"
    )


def numbers(path: str | Path, key: str, array: np.ndarray) -> np.ndarray:
    """``array`` in float64, refused where it holds something else than numbers."""
    if array.dtype.kind not in "biuf":
        raise SnapshotFileError(
            path, f"key {key!r}: expected numbers, found dtype {array.dtype}."
        )
    return array.astype(np.float64)


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


def check_coordinates(path: str | Path, x: np.ndarray, label: list[str] | str) -> None:
    """Refuse a coordinate that is nan in every row that is not nan throughout.

    ``label`` names the coordinates, or the array that they are in.
    """
    lost = np.isnan(x.reshape(-1, x.shape[-1]))
    gone = np.flatnonzero(lost[~lost.all(axis=1)].all(axis=0))
    if not gone.size or lost.all():
        return
    what = (
        f"coordinates {names(map(str, gone))} of {label!r} are"
        if isinstance(label, str)
        else f"columns {quoted(label[k] for k in gone)} are"
    )
    raise SnapshotFileError(
        path, f"{what} nan in every row; leave them out, with columns or in the file."
    )


# Times nearer than this, in units of the last place of the largest, are the same one.
_SAME = 64
# Share of the whole span below which two times cannot be trained apart.
_CLOSE = 1e-6


def by_time(
    path: str | Path,
    t: np.ndarray,
    x: np.ndarray,
    v: np.ndarray | None,
    weights: np.ndarray | None,
    masses: np.ndarray | None = None,
    name: str = "t",
) -> Snapshots:
    """Rows with a time each, gathered into one snapshot for every distinct time.

    Times that differ by rounding alone (0.3 and 0.1 + 0.2) are one. Times that all but
    coincide otherwise are refused, and so are times of which most belong to a single
    row, as those of a pseudotime do.
    """
    if not np.isfinite(t).all():
        raise SnapshotFileError(
            path, f"{int((~np.isfinite(t)).sum())} of {len(t)} times are not finite."
        )
    times, rows = gathered(t)
    single = sum(len(r) == 1 for r in rows)
    if len(times) > 3 and single > len(times) / 2:
        raise SnapshotFileError(
            path,
            f"{name!r} has {len(times)} distinct times in {len(t)} rows, most of them "
            "of a single row, as a pseudotime has; snapshots need several points at "
            "each of a few times: name the time with time (data.keys.time), or round.",
        )
    if masses is not None and len(masses) != len(times):
        raise SnapshotFileError(
            path,
            f"expected {len(times)} masses, one for each time, found {len(masses)}.",
        )
    return make_snapshots(
        path,
        times,
        [x[r] for r in rows],
        None if v is None else [v[r] for r in rows],
        None if weights is None else [weights[r] for r in rows],
        masses,
        name,
    )


def _check_apart(path: str | Path, name: str, times: np.ndarray) -> None:
    """Refuse two times that all but coincide beside the others."""
    if len(times) < 3:
        return
    gaps = np.diff(times)
    k = int(gaps.argmin())
    if 0 < gaps[k] < _CLOSE * (times[-1] - times[0]):
        raise SnapshotFileError(
            path,
            f"the times {times[k].item()!r} and {times[k + 1].item()!r} of {name!r} "
            "all but coincide; round them, so that they are one time or well apart.",
        )


def gathered(t: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct times, and the rows of each in their order."""
    order = np.argsort(t, kind="stable")
    ordered = t[order]
    tolerance = _SAME * np.finfo(np.float64).eps * np.abs(ordered).max(initial=0.0)
    begins = np.flatnonzero(np.diff(ordered) > tolerance) + 1
    rows = [np.sort(part) for part in np.split(order, begins)]
    # Without a sign of zero.
    return ordered[np.concatenate([[0], begins])] + 0.0, rows


def make_snapshots(
    path: str | Path,
    times: np.ndarray,
    clouds: Sequence[np.ndarray],
    velocities: Sequence[np.ndarray] | None = None,
    weights: Sequence[np.ndarray] | None = None,
    masses: np.ndarray | None = None,
    name: str = "t",
) -> Snapshots:
    """``Snapshots`` whose errors name the file."""
    _check_apart(path, name, times)
    try:
        return Snapshots(
            times,
            tuple(clouds),
            velocities=None if velocities is None else tuple(velocities),
            weights=None if weights is None else tuple(weights),
            masses=masses,
        )
    except ValueError as error:
        raise SnapshotFileError(path, str(error)) from None


class Rows(NamedTuple):
    """Snapshots as rows with a time each; velocities and weights None if absent.

    Weights sum to the masses of the snapshots.
    """

    t: np.ndarray
    x: np.ndarray
    v: np.ndarray | None
    weights: np.ndarray | None


def to_rows(snapshots: Snapshots) -> Rows:
    """``snapshots`` one below the other; velocities only where every one has them."""
    clouds = [np.asarray(cloud, np.float64) for cloud in snapshots.clouds]
    t = np.repeat(np.asarray(snapshots.times, np.float64), [len(c) for c in clouds])
    weighted = snapshots.weights is not None or snapshots.masses is not None
    weights = [snapshots.weight(k) * snapshots.mass(k) for k in range(len(clouds))]
    return Rows(
        t,
        np.concatenate(clouds),
        joined(snapshots.velocities),
        joined(weights) if weighted else None,
    )


def joined(entries: Sequence[np.ndarray | None] | None) -> np.ndarray | None:
    """One array of all entries, None unless each is present."""
    present = (
        [] if entries is None else [np.asarray(e) for e in entries if e is not None]
    )
    if entries is None or len(present) < len(entries):
        return None
    return np.concatenate(present).astype(np.float64)
