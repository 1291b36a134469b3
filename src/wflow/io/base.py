"""What the readers and writers of every format share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from wflow.learning import Snapshots


FORMATS = ("npz", "csv", "h5ad")
TIME_KEYS = ("t", "time", "times", "year", "day", "samples", "sample_labels")


class SnapshotFileError(ValueError):
    """A file does not hold snapshots as expected; the message begins with its path."""

    def __init__(self, path: str | Path, problem: str):
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True)
class Keys:
    """Where a file keeps what; None looks under the usual names.

    Attributes:
        time: array, column, or name in ``.obs``.
        positions: array or name in ``.obsm``.
        velocities: likewise; in a .csv the prefix of the velocity columns.
        weights: array, column, or name in ``.obs``.
        columns: of a .csv the names of the coordinate columns; of the other formats the
            number of leading coordinates that are kept.
    """

    time: str | None = None
    positions: str | None = None
    velocities: str | None = None
    weights: str | None = None
    columns: tuple[str, ...] | int | None = None


USUAL = Keys()


@dataclass(frozen=True)
class Layout:
    """How a file of snapshots was laid out: enough to write another one like it.

    Names mean what they mean in ``Keys``. ``stacked`` is a .npz with arrays
    ``(T, n, d)``, as against rows with a time each.
    """

    format: Literal["npz", "csv", "h5ad"]
    time: str = "t"
    positions: str = ""
    velocities: str = ""
    weights: str = ""
    columns: tuple[str, ...] | None = None
    stacked: bool = False

    @property
    def suffix(self) -> str:
        """``.npz``, ``.csv`` or ``.h5ad``."""
        return f".{self.format}"


class SnapshotFile(NamedTuple):
    """Snapshots and the layout of the file that held them."""

    snapshots: Snapshots
    layout: Layout


def names(found: Iterable[str]) -> str:
    """``found`` as an enumeration for a message."""
    listed = [str(name) for name in found]
    shown = listed if len(listed) <= 12 else [*listed[:12], "..."]
    return ", ".join(shown) or "none"


def pick(
    path: str | Path,
    what: str,
    wanted: str | None,
    usual: Sequence[str],
    found: Iterable[str],
    required: bool = True,
) -> str | None:
    """The name that ``what`` is found under: the wanted, or the first usual one."""
    found = list(found)
    candidates = list(usual) if wanted is None else [wanted]
    for name in candidates:
        if name in found:
            return name
    if wanted is None and not required:
        return None
    expected = " or ".join(repr(name) for name in candidates)
    raise SnapshotFileError(
        path, f"expected {what} under {expected}, found {names(found)}."
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
    if not isinstance(columns, int):
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


def by_time(
    path: str | Path,
    t: np.ndarray,
    x: np.ndarray,
    v: np.ndarray | None,
    weights: np.ndarray | None,
) -> Snapshots:
    """Rows with a time each, gathered into one snapshot for every distinct time."""
    if not np.isfinite(t).all():
        raise SnapshotFileError(
            path, f"{int((~np.isfinite(t)).sum())} of {len(t)} times are not finite."
        )
    times = np.unique(t)
    rows = [np.flatnonzero(t == time) for time in times]
    return make_snapshots(
        path,
        times,
        [x[r] for r in rows],
        None if v is None else [v[r] for r in rows],
        None if weights is None else [weights[r] for r in rows],
    )


def make_snapshots(
    path: str | Path,
    times: np.ndarray,
    clouds: Sequence[np.ndarray],
    velocities: Sequence[np.ndarray] | None = None,
    weights: Sequence[np.ndarray] | None = None,
) -> Snapshots:
    """``Snapshots`` whose errors name the file."""
    try:
        return Snapshots(
            times,
            tuple(clouds),
            velocities=None if velocities is None else tuple(velocities),
            weights=None if weights is None else tuple(weights),
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
    return Rows(
        t,
        np.concatenate(clouds),
        joined(snapshots.velocities),
        joined(
            snapshots.weights
            and [w * snapshots.mass(k) for k, w in enumerate(snapshots.weights)]
        ),
    )


def joined(entries: Sequence[np.ndarray | None] | None) -> np.ndarray | None:
    """One array of all entries, None unless each is present."""
    present = (
        [] if entries is None else [np.asarray(e) for e in entries if e is not None]
    )
    if entries is None or len(present) < len(entries):
        return None
    return np.concatenate(present).astype(np.float64)
