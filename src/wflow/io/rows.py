"""Rows of a file and snapshots, one made of the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wflow.learning import Snapshots

from .base import SnapshotFileError


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
