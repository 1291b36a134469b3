"""Clouds of points seen at known times, and their standardisation."""

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, instance, positive, shape, to_numpy

from .clock import days, shown
from .scales import COARSE, CONSTANT, steps


# Of the largest time: a gap that is rounding alone.
_SAME_TIME = 4 * float(np.finfo(np.float64).eps)

Clouds = Sequence[Float[ArrayLike, "n d"]] | Float[Array | np.ndarray, "T n d"]


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Snapshots:
    """Samples of a population at T times; no point is followed from one to the next.

    A sequence of clouds: ``len(s)``, ``s[k]`` and iteration give them. Held in numpy,
    read-only; the dtype is that of the clouds (float64 for integers).

    Rows that are not finite, in position, velocity or weight, are left out; a row that
    is nan throughout is padding and left out in silence, others with a warning. Masked
    and missing entries count as nan.

    Clouds may be data frames: columns of the same names are brought into the order of
    the first one's. Dates become days since the first of them, durations days.

    Attributes:
        times: strictly increasing, ``(T,)``, float64.
        clouds: T arrays ``(n_k, d)``.
        velocities: None, or T entries, each None or ``(n_k, d)``, row by row with the
            cloud.
        weights: None (uniform), or T arrays ``(n_k,)`` that sum to one.
        masses: None (one throughout), or the size of the population at each time,
            ``(T,)``, in any unit: growth is read from it.
    """

    times: Float[np.ndarray, " T"]
    clouds: tuple[Float[np.ndarray, "n d"], ...]
    velocities: tuple[Float[np.ndarray, "n d"] | None, ...] | None = None
    weights: tuple[Float[np.ndarray, " n"], ...] | None = None
    masses: Float[np.ndarray, " T"] | None = None

    def __init__(
        self,
        times: Float[ArrayLike, " T"],
        clouds: Clouds,
        velocities: Sequence[Float[ArrayLike, "n d"] | None] | None = None,
        weights: Sequence[Float[ArrayLike, " n"]] | None = None,
        masses: Float[ArrayLike, " T"] | None = None,
    ):
        """Check and hold the snapshots.

        Raises:
            ValueError: no snapshot; times not finite, not increasing or not as many as
                clouds; a cloud that is empty or of another dimension; velocities or
                weights that do not match their cloud; weights negative or summing to 0;
                masses not positive or not as many as clouds; data frames whose columns
                have different names; times that coincide but for rounding.
            TypeError: what is no array of numbers: text, a mapping, a sparse matrix.
        """
        if isinstance(clouds, Mapping | str | bytes) or hasattr(clouds, "columns"):
            hint = "; pass list(clouds.values())" if isinstance(clouds, Mapping) else ""
            raise TypeError(
                "Snapshots: expected clouds to be a sequence of arrays (n, d), found "
                f"an object of type {type(clouds).__name__}{hint}."
            )
        clouds = _sequence("clouds", clouds)
        count = len(clouds)
        times = to_numpy(days(times), "times").astype(np.float64)
        _check_times(times, count)
        given = {"velocities": velocities, "weights": weights}
        given = {k: v if v is None else _sequence(k, v) for k, v in given.items()}
        for name, entries in given.items():
            if entries is not None and len(entries) != count:
                raise ValueError(
                    f"Snapshots: expected one entry of {name} for each of the {count} "
                    f"clouds, found {len(entries)}."
                )
        tables = _tables("clouds", clouds)
        moves = _tables("velocities", given["velocities"] or [None] * count)
        _check_rows(clouds, given["velocities"])
        weighing = given["weights"] or [None] * count
        dtype = _precision([table for table in tables if table is not None])
        rows = [
            _Rows.read(k, tables[k], moves[k], weighing[k], dtype) for k in range(count)
        ]
        d = rows[0].x.shape[1]
        for k, row in enumerate(rows):
            if row.x.shape[1] != d:
                raise ValueError(
                    f"Snapshots: expected clouds of one dimension, found cloud 0 of "
                    f"dimension {d}; cloud {k} has {row.x.shape[1]}."
                )
        moving = any(row.v is not None for row in rows)
        weighted = weights is not None
        times = _frozen(times)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "clouds", tuple(row.x for row in rows))
        object.__setattr__(
            self, "velocities", tuple(row.v for row in rows) if moving else None
        )
        object.__setattr__(
            self, "weights", tuple(row.w for row in rows) if weighted else None
        )
        object.__setattr__(self, "masses", _checked_masses(masses, count))

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return self.clouds[0].shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Floating dtype of the clouds."""
        return self.clouds[0].dtype

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of points of each cloud."""
        return tuple(len(cloud) for cloud in self.clouds)

    def __len__(self) -> int:
        return len(self.clouds)

    def __getitem__(self, k: int) -> Float[np.ndarray, "n d"]:
        return self.clouds[k]

    def __iter__(self) -> Iterator[Float[np.ndarray, "n d"]]:
        return iter(self.clouds)

    def __repr__(self) -> str:
        low, high = min(self.sizes), max(self.sizes)
        first, last = self.times[0], self.times[-1]
        points = f"{low}" if low == high else f"{low} to {high}"
        return (
            f"Snapshots({len(self)} times in [{shown(first, last)}, "
            f"{shown(last, first)}], "
            f"{points} points in dimension {self.dim}, {self.dtype})"
        )

    def velocity(self, k: int) -> Float[np.ndarray, "n d"] | None:
        """The given velocity of snapshot ``k``, None where there is none."""
        return None if self.velocities is None else self.velocities[k]

    def weight(self, k: int) -> Float[np.ndarray, " n"]:
        """The weights of snapshot ``k``, summing to one."""
        if self.weights is None:
            n = len(self.clouds[k])
            return np.full(n, 1 / n, self.dtype)
        return self.weights[k]

    def mass(self, k: int) -> float:
        """The size of the population at snapshot ``k``; one where none is given."""
        return 1.0 if self.masses is None else float(self.masses[k])

    def take(self, indices: Sequence[int]) -> "Snapshots":
        """The snapshots of these indices, which must increase.

        Raises:
            ValueError: an index that is out of range.
        """
        listed = (Sequence, np.ndarray)
        instance("take", "indices", indices, listed, "a list of numbers")
        count, indices = len(self), list(indices)
        for index in indices:
            if not isinstance(index, int | np.integer) or isinstance(index, bool):
                raise TypeError(f"take: expected whole indices, found {index!r}.")
            if not -count <= index < count:
                raise ValueError(
                    f"take: expected indices below {count}, found {index}."
                )
        if not indices:
            raise ValueError("take: expected indices of some snapshots, found none.")
        places = [range(count)[index] for index in indices]
        if (np.diff(places) <= 0).any():
            raise ValueError(f"take: expected increasing indices, found {indices}.")
        return Snapshots(
            self.times[indices],
            [self.clouds[k] for k in indices],
            None if self.velocities is None else [self.velocities[k] for k in indices],
            None if self.weights is None else [self.weights[k] for k in indices],
            None if self.masses is None else self.masses[indices],
        )

    def before(self, time: float) -> int:
        """Index of the last snapshot at or before ``time``.

        Raises:
            ValueError: there is none.
        """
        shape("before", "time", time, ())
        finite("before", "time", time)
        first = self.times[0]
        if not time >= first:
            raise ValueError(
                f"before: expected a time from the first snapshot's, "
                f"{shown(first, time)}, on, found {shown(time, first)}."
            )
        return int(np.searchsorted(self.times, time, side="right")) - 1

    def standardise(self) -> tuple["Snapshots", "Standardisation"]:
        """These snapshots with pooled mean 0 and standard deviation 1, and the map.

        The pool is all points of all snapshots, whatever their weights. Apply the map
        of the training snapshots to the others, so that nothing leaks. A coordinate
        that does not vary, but for rounding, keeps its unit.
        """
        pooled = np.concatenate(self.clouds).astype(np.float64)
        std = pooled.std(axis=0)
        varies = std > CONSTANT * np.abs(pooled).max(axis=0)
        standardisation = Standardisation(pooled.mean(axis=0), np.where(varies, std, 1))
        return standardisation.apply(self), standardisation


@dataclasses.dataclass(frozen=True, eq=False)
class Standardisation:
    r"""$x \mapsto (x - m) / s$ for each coordinate; velocities are divided by s."""

    mean: Float[np.ndarray, " d"]
    std: Float[np.ndarray, " d"]

    def __post_init__(self) -> None:
        mean, std = to_numpy(self.mean, "mean"), to_numpy(self.std, "std")
        if mean.ndim != 1 or mean.size == 0:
            raise ValueError(
                f"Standardisation: expected mean of shape (d,), found {mean.shape}."
            )
        if std.shape != mean.shape:
            raise ValueError(
                "Standardisation: expected mean and std of one shape, found "
                f"{mean.shape} and {std.shape}."
            )
        finite(self, "mean", mean)
        positive(self, "std", std)
        object.__setattr__(self, "mean", _frozen(mean.astype(np.float64)))
        object.__setattr__(self, "std", _frozen(std.astype(np.float64)))

    def apply(self, snapshots: Snapshots) -> Snapshots:
        """``snapshots`` in standard units.

        Raises:
            ValueError: they have another dimension.
        """
        return self._map(
            "apply",
            snapshots,
            lambda x: (x - self.mean) / self.std,
            lambda v: v / self.std,
        )

    def invert(self, snapshots: Snapshots) -> Snapshots:
        """``snapshots`` back in the units of the data.

        In their precision; in double precision where that would round the units of
        the data to more than a thousandth of ``std``, as far from the origin.

        Raises:
            ValueError: they have another dimension.
        """
        return self._map(
            "invert",
            snapshots,
            lambda x: x * self.std + self.mean,
            lambda v: v * self.std,
        )

    def _map(
        self, owner: str, snapshots: Snapshots, position: Any, velocity: Any
    ) -> Snapshots:
        instance(owner, "snapshots", snapshots, Snapshots, "Snapshots")
        if snapshots.dim != self.mean.size:
            raise ValueError(
                f"{owner}: expected snapshots of dimension {self.mean.size}, that of "
                f"mean and std, found {snapshots.dim}."
            )
        clouds, given = [position(x) for x in snapshots.clouds], snapshots.velocities
        dtype = snapshots.dtype
        if owner == "invert" and (steps(clouds, dtype) > COARSE * self.std).any():
            dtype = np.dtype(np.float64)
        moved = given and [
            None if v is None else velocity(v).astype(dtype) for v in given
        ]
        return Snapshots(
            snapshots.times,
            [x.astype(dtype) for x in clouds],
            moved,
            snapshots.weights,
            snapshots.masses,
        )


@dataclasses.dataclass(frozen=True)
class _Rows:
    """One snapshot, its rows checked and the bad ones left out."""

    x: np.ndarray
    v: np.ndarray | None
    w: np.ndarray

    @classmethod
    def read(
        cls, k: int, x: np.ndarray, v: np.ndarray | None, w: Any, dtype: np.dtype
    ) -> "_Rows":
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
        return cls(
            _frozen(x[good]), None if v is None else _frozen(v[good]), _frozen(w)
        )


def _sequence(name: str, entries: Any) -> list:
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


def _tables(name: str, entries: list) -> list[np.ndarray | None]:
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


def _check_rows(clouds: list, velocities: list | None) -> None:
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


def _precision(arrays: list[np.ndarray]) -> np.dtype:
    """Single or double precision, whichever holds all of the arrays."""
    kinds = [array.dtype for array in arrays]
    double = any(
        kind.kind in "iub" and kind.itemsize > 2 or kind.itemsize > 4 for kind in kinds
    )
    return np.dtype(np.float64 if double else np.float32)


def _check_times(times: np.ndarray, count: int) -> None:
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


def _checked_masses(
    masses: Float[ArrayLike, " T"] | None, count: int
) -> Float[np.ndarray, " T"] | None:
    if masses is None:
        return None
    masses = to_numpy(masses, "masses").astype(np.float64)
    if masses.shape != (count,):
        raise ValueError(
            f"Snapshots: expected {count} masses, one for each cloud, found shape "
            f"{masses.shape}."
        )
    positive("Snapshots", "masses", masses)
    return _frozen(masses)


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array.flags.writeable = False
    return array
