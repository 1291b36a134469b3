"""Rows of a file and snapshots, one made of the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wflow.learning import Snapshots

from .base import Layout
from .refusals import SnapshotFileError
from .times import check_apart, snapshot_rows


def by_time(
    path: str | Path,
    t: np.ndarray,
    x: np.ndarray,
    v: np.ndarray | None,
    weights: np.ndarray | None,
    masses: np.ndarray | None = None,
    name: str = "t",
    repeats: bool = False,
) -> Snapshots:
    """Rows with a time each, gathered into one snapshot for every distinct time.

    Times that differ by rounding alone (0.3 and 0.1 + 0.2) are one. Times that all but
    coincide otherwise are refused, and so are times of which most belong to a single
    row, as those of a pseudotime do. ``masses`` are one for each time; with ``repeats``
    one for each row, the same in all rows of a time.
    """
    times, rows = snapshot_rows(path, t, name)
    if masses is not None and repeats:
        masses = repeated(path, masses, rows)
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


def repeated(
    path: str | Path, masses: np.ndarray, rows: Sequence[np.ndarray]
) -> np.ndarray:
    """The mass of each time, out of a number for each row.

    Raises:
        SnapshotFileError: rows of one time have different ones.
    """
    for row in rows:
        if (masses[row] != masses[row[0]]).any():
            raise SnapshotFileError(
                path,
                "masses: expected one number for each time, repeated in its rows, "
                f"found {float(masses[row].min()):g} to {float(masses[row].max()):g} "
                "at one of them.",
            )
    return np.array([masses[row[0]] for row in rows])


def rows_of(
    path: Path,
    layout: Layout,
    x: np.ndarray,
    snapshots: Snapshots,
    times: np.ndarray,
    rows: Sequence[np.ndarray],
) -> list[int]:
    """The rows of a file that the points of snapshots are, one after the other.

    Args:
        path: of the file.
        layout: names the time.
        x: coordinates of all its rows.
        snapshots: read from it, their rows in any order.
        times: of the file.
        rows: its rows at each of them.

    Raises:
        SnapshotFileError: a point that is not there.
    """
    order = []
    for time, cloud in zip(snapshots.times, snapshots, strict=True):
        places: dict[bytes, list[int]] = {}
        for row in rows[int(np.abs(times - time).argmin())][::-1]:
            places.setdefault(x[row].tobytes(), []).append(int(row))
        try:
            order += [
                places[point.tobytes()].pop()
                for point in np.ascontiguousarray(cloud, np.float64)
            ]
        except (KeyError, IndexError):
            raise SnapshotFileError(
                path, f"its rows at {layout.time!r} = {time:.12g} have changed."
            ) from None
    return order


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
    check_apart(path, name, times)
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
