"""Clouds of points seen at known times, and their standardisation."""

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, ArrayLike, Float


Clouds = Sequence[Float[ArrayLike, "n d"]] | Float[Array | np.ndarray, "T n d"]


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Snapshots:
    """Samples of a population at T times; no point is followed from one to the next.

    A sequence of clouds: ``len(s)``, ``s[k]`` and iteration give them. Held in numpy,
    read-only; the dtype is that of the clouds (float64 for integers).

    Rows that are not finite, in position, velocity or weight, are left out; a row that
    is nan throughout is padding and left out in silence, others with a warning.

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
                masses not positive or not as many as clouds.
        """
        times = np.asarray(times, np.float64)
        arrays = [np.asarray(cloud) for cloud in clouds]
        _check_times(times, len(arrays))
        dtype = np.result_type(*arrays, np.float32)
        rows = [
            _Rows.read(k, cloud, _entry(velocities, k), _entry(weights, k), dtype)
            for k, cloud in enumerate(arrays)
        ]
        for name, given in (("velocities", velocities), ("weights", weights)):
            if given is not None and len(given) != len(arrays):
                raise ValueError(
                    f"Snapshots: expected one entry of {name} for each of the "
                    f"{len(arrays)} clouds, found {len(given)}."
                )
        d = rows[0].x.shape[1]
        for k, row in enumerate(rows):
            if row.x.shape[1] != d:
                raise ValueError(
                    f"Snapshots: cloud 0 has dimension {d}, cloud {k} has "
                    f"{row.x.shape[1]}."
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
        object.__setattr__(self, "masses", _checked_masses(masses, len(arrays)))

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
        points = f"{low}" if low == high else f"{low} to {high}"
        return (
            f"Snapshots({len(self)} times in [{self.times[0]:g}, {self.times[-1]:g}], "
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
        count = len(self)
        for index in indices:
            if not -count <= index < count:
                raise ValueError(
                    f"take: expected indices below {count}, found {index}."
                )
        return Snapshots(
            self.times[list(indices)],
            [self.clouds[k] for k in indices],
            None if self.velocities is None else [self.velocities[k] for k in indices],
            None if self.weights is None else [self.weights[k] for k in indices],
            None if self.masses is None else self.masses[list(indices)],
        )

    def before(self, time: float) -> int:
        """Index of the last snapshot at or before ``time``.

        Raises:
            ValueError: there is none.
        """
        if not time >= self.times[0]:
            raise ValueError(
                f"expected a time from the first snapshot's, {self.times[0]:g}, on, "
                f"found {time:g}."
            )
        return int(np.searchsorted(self.times, time, side="right")) - 1

    def standardise(self) -> tuple["Snapshots", "Standardisation"]:
        """These snapshots with pooled mean 0 and standard deviation 1, and the map.

        The pool is all points of all snapshots, whatever their weights. Apply the map
        of the training snapshots to the others, so that nothing leaks.
        """
        pooled = np.concatenate(self.clouds).astype(np.float64)
        std = pooled.std(axis=0)
        standardisation = Standardisation(
            pooled.mean(axis=0), np.where(std > 0, std, 1)
        )
        return standardisation.apply(self), standardisation


@dataclasses.dataclass(frozen=True, eq=False)
class Standardisation:
    r"""$x \mapsto (x - m) / s$ for each coordinate; velocities are divided by s."""

    mean: Float[np.ndarray, " d"]
    std: Float[np.ndarray, " d"]

    def apply(self, snapshots: Snapshots) -> Snapshots:
        """``snapshots`` in standard units."""
        return self._map(
            snapshots, lambda x: (x - self.mean) / self.std, lambda v: v / self.std
        )

    def invert(self, snapshots: Snapshots) -> Snapshots:
        """``snapshots`` back in the units of the data."""
        return self._map(
            snapshots, lambda x: x * self.std + self.mean, lambda v: v * self.std
        )

    def _map(self, snapshots: Snapshots, position: Any, velocity: Any) -> Snapshots:
        dtype, given = snapshots.dtype, snapshots.velocities
        moved = given and [
            None if v is None else velocity(v).astype(dtype) for v in given
        ]
        return Snapshots(
            snapshots.times,
            [position(x).astype(dtype) for x in snapshots.clouds],
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
    def read(cls, k: int, x: np.ndarray, v: Any, w: Any, dtype: np.dtype) -> "_Rows":
        if x.ndim != 2 or x.shape[1] == 0:
            raise ValueError(
                f"Snapshots: expected cloud {k} of shape (n, d), found {x.shape}."
            )
        n = len(x)
        x = x.astype(dtype)
        good = np.isfinite(x).all(axis=1)
        padding = np.isnan(x).all(axis=1)
        if v is not None:
            v = np.asarray(v).astype(dtype)
            if v.shape != x.shape:
                raise ValueError(
                    f"Snapshots: expected velocities {k} of shape {x.shape}, that of "
                    f"their cloud, found {v.shape}."
                )
            good &= np.isfinite(v).all(axis=1)
        w = np.ones(n) if w is None else np.asarray(w, np.float64)
        if w.shape != (n,):
            raise ValueError(
                f"Snapshots: expected weights {k} of shape ({n},), found {w.shape}."
            )
        good &= np.isfinite(w)
        dropped = int(np.sum(~good & ~padding))
        if not good.any():
            raise ValueError(f"Snapshots: cloud {k} has no finite row.")
        if dropped:
            warnings.warn(
                f"Snapshots: {dropped} of {n} rows of snapshot {k} are not finite and "
                "are left out.",
                stacklevel=4,
            )
        w = w[good]
        if (w < 0).any() or w.sum() == 0:
            raise ValueError(
                f"Snapshots: expected weights {k} >= 0 with a positive sum."
            )
        w = (w / w.sum()).astype(dtype)
        return cls(
            _frozen(x[good]), None if v is None else _frozen(v[good]), _frozen(w)
        )


def _check_times(times: np.ndarray, count: int) -> None:
    if count == 0:
        raise ValueError("Snapshots: expected at least one cloud.")
    if times.shape != (count,):
        raise ValueError(
            f"Snapshots: expected {count} times, one for each cloud, found shape "
            f"{times.shape}."
        )
    for k, time in enumerate(times):
        if not np.isfinite(time):
            raise ValueError(f"Snapshots: time {k} is not finite.")
        if k and not times[k - 1] < time:
            raise ValueError(
                f"Snapshots: expected increasing times; time {k} is {time:g} after "
                f"{times[k - 1]:g}."
            )


def _checked_masses(
    masses: Float[ArrayLike, " T"] | None, count: int
) -> Float[np.ndarray, " T"] | None:
    if masses is None:
        return None
    masses = np.asarray(masses, np.float64)
    if masses.shape != (count,):
        raise ValueError(
            f"Snapshots: expected {count} masses, one for each cloud, found shape "
            f"{masses.shape}."
        )
    if not (np.isfinite(masses).all() and (masses > 0).all()):
        raise ValueError(f"Snapshots: expected masses > 0, found {masses.tolist()}.")
    return _frozen(masses)


def _entry(entries: Sequence[Any] | None, k: int) -> Any:
    return None if entries is None or k >= len(entries) else entries[k]


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array.flags.writeable = False
    return array
