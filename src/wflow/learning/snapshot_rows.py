"""What the rows of snapshots are made of, checked."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.checks import positive, to_numpy

from .clock import shown


# Of the largest time: a gap that is rounding alone.
_SAME_TIME = 4 * float(np.finfo(np.float64).eps)


@dataclasses.dataclass(frozen=True)
class SnapshotRows:
    """One snapshot, its rows checked and the bad ones left out."""

    x: np.ndarray
    v: np.ndarray | None
    w: np.ndarray

    @classmethod
    def read(
        cls, k: int, x: np.ndarray, v: np.ndarray | None, w: Any, dtype: np.dtype
    ) -> "SnapshotRows":
        if x.ndim != 2 or x.shape[1] == 0:
            raise ValueError(
                f"Snapshots: expected cloud {k} of shape (n, d), as all clouds, found "
                f"{x.shape}."
            )
        n = len(x)
        x = x.astype(dtype)
        good = np.isfinite(x).all(axis=1)
        padding = np.isnan(x).all(axis=1)
        if v is not None:
            if v.shape != x.shape:
                raise ValueError(
                    f"Snapshots: expected velocities {k} of shape {x.shape}, that of "
                    f"their cloud, found {v.shape}."
                )
            v = v.astype(dtype)
            good &= np.isfinite(v).all(axis=1)
        w = np.ones(n) if w is None else _filled("weights", w).astype(np.float64)
        if w.shape != (n,):
            raise ValueError(
                f"Snapshots: expected weights {k} of shape ({n},), found {w.shape}."
            )
        good &= np.isfinite(w)
        dropped = int(np.sum(~good & ~padding))
        if not good.any():
            raise ValueError(
                f"Snapshots: expected clouds with a finite row, found none: cloud {k} "
                "has no finite row with its velocities and weights."
            )
        if dropped:
            warnings.warn(
                f"Snapshots: {dropped} of {n} rows of snapshot {k} are not finite (in "
                "clouds, velocities or weights) and are left out.",
                stacklevel=4,
            )
        w = w[good]
        if (w < 0).any() or w.sum() == 0:
            raise ValueError(
                f"Snapshots: expected weights {k} >= 0 with a positive sum, found a "
                f"least one of {w.min():g} and a sum of {w.sum():g}."
            )
        w = (w / w.sum()).astype(dtype)
        return cls(frozen(x[good]), None if v is None else frozen(v[good]), frozen(w))


def sequence(name: str, entries: Any) -> list:
    """The entries of an argument, one for each snapshot."""
    if isinstance(entries, Mapping | str | bytes) or not hasattr(entries, "__iter__"):
        raise TypeError(
            f"Snapshots: expected {name} to be a sequence with an entry for each "
            f"snapshot, found an object of type {type(entries).__name__}."
        )
    if getattr(entries, "ndim", 1) == 0:
        raise TypeError(
            f"Snapshots: expected {name} to be a sequence with an entry for each "
            "snapshot, found an array of shape ()."
        )
    return list(entries)


def tables_of(name: str, entries: list) -> list[np.ndarray | None]:
    """Arrays; the columns of data frames in the order of the first one's.

    Raises:
        ValueError: data frames with other columns than the first one's.
    """
    arrays: list[np.ndarray | None] = []
    first: list | None = None
    for k, entry in enumerate(entries):
        if entry is None and name != "clouds":
            arrays.append(None)
            continue
        if hasattr(entry, "columns") and hasattr(entry, "to_numpy"):
            frame: Any = entry
            columns = list(frame.columns)
            first = columns if first is None else first
            if sorted(map(str, columns)) != sorted(map(str, first)):
                raise ValueError(
                    f"Snapshots: expected the columns of all {name} to be "
                    f"{_listed(first)}, those of the first, found {_listed(columns)} "
                    f"in entry {k}."
                )
            if len(set(map(str, columns))) < len(columns):
                raise ValueError(
                    f"Snapshots: expected {name} with columns of different names, "
                    f"found {_listed(columns)} in entry {k}."
                )
            entry = frame[first]
        arrays.append(_filled(name, entry))
    return arrays


def _listed(columns: list) -> str:
    names = ", ".join(map(str, columns[:6]))
    return f"{names}, ... ({len(columns)})" if len(columns) > 6 else names


def _filled(name: str, entry: Any) -> np.ndarray:
    """Numbers, with nan in place of those that are masked or missing."""
    if isinstance(entry, np.ma.MaskedArray) and entry.dtype.kind in "fiub":
        kind = entry.dtype if entry.dtype.kind == "f" else np.float64
        return entry.astype(kind).filled(np.nan)
    if hasattr(entry, "to_numpy") and hasattr(entry, "isna"):
        # Missing entries of columns that are no floats make an array of objects.
        missing = np.asarray(entry.isna())
        if missing.any() and np.asarray(entry).dtype == object:
            entry = np.where(missing, np.nan, np.asarray(entry))
    return to_numpy(entry, name)


def check_rows(clouds: list, velocities: list | None) -> None:
    """Rows of a data frame and of its velocities are those of the same points."""
    for k, (cloud, v) in enumerate(zip(clouds, velocities or [], strict=False)):
        index: Any = getattr(cloud, "index", None)
        other: Any = getattr(v, "index", None)
        named = hasattr(index, "equals") and hasattr(other, "equals")
        if named and not index.equals(other):
            raise ValueError(
                f"Snapshots: expected velocities {k} with the index of their cloud, "
                "found another; order both alike, or pass arrays."
            )


def precision(arrays: list[np.ndarray]) -> np.dtype:
    """Single or double precision, whichever holds all of the arrays."""
    kinds = [array.dtype for array in arrays]
    double = any(
        kind.kind in "iub" and kind.itemsize > 2 or kind.itemsize > 4 for kind in kinds
    )
    return np.dtype(np.float64 if double else np.float32)


def check_times(times: np.ndarray, count: int) -> None:
    """Refuse times that do not increase, or are not one for each cloud."""
    if count == 0:
        raise ValueError("Snapshots: expected clouds, at least one cloud, found none.")
    if times.shape != (count,):
        raise ValueError(
            f"Snapshots: expected {count} times, one for each of the clouds, found "
            f"shape {times.shape}."
        )
    for k, time in enumerate(times):
        if not np.isfinite(time):
            raise ValueError(
                f"Snapshots: expected finite times, found {time}: time {k} is not "
                "finite."
            )
        if k and not times[k - 1] < time:
            before = times[k - 1]
            raise ValueError(
                f"Snapshots: expected increasing times; time {k} is "
                f"{shown(time, before)} after {shown(before, time)}."
            )
    rounding = _SAME_TIME * np.abs(times).max()
    close = np.flatnonzero(np.diff(times) <= rounding)
    if close.size:
        k = int(close[0])
        raise ValueError(
            f"Snapshots: expected times apart by more than rounding, found times {k} "
            f"and {k + 1} that coincide, {shown(*times[k : k + 2])} and "
            f"{shown(*times[k : k + 2][::-1])}; join their clouds."
        )


def checked_masses(
    masses: Float[ArrayLike, " T"] | None, count: int
) -> Float[np.ndarray, " T"] | None:
    """The total masses as an array, one positive number for each time."""
    if masses is None:
        return None
    masses = to_numpy(masses, "masses").astype(np.float64)
    if masses.shape != (count,):
        raise ValueError(
            f"Snapshots: expected {count} masses, one for each cloud, found shape "
            f"{masses.shape}."
        )
    positive("Snapshots", "masses", masses)
    return frozen(masses)


def frozen(array: np.ndarray) -> np.ndarray:
    """A copy that nobody can write to."""
    array = np.array(array)
    array.flags.writeable = False
    return array
