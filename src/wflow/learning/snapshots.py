"""Clouds of points seen at known times, and their standardization."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, instance, positive, shape, to_numpy

from .clock import days, shown
from .from_anndata import Masses, parts_of
from .scales import COARSE, CONSTANT, steps
from .snapshot_rows import (
    SnapshotRows,
    check_rows,
    check_times,
    checked_masses,
    frozen,
    precision,
    sequence,
    tables_of,
)
from .stored import in_file


Clouds = Sequence[Float[ArrayLike, "n d"]] | Float[Array | np.ndarray, "T n d"]


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Snapshots:
    """Samples of a population at T times; no point is followed from one to the next.

    A sequence of clouds: ``len(s)``, ``s[k]`` and iteration give them. Held in numpy,
    read-only; the dtype is that of the clouds (float64 for integers). Those of a large
    file stay there (see ``wflow.io.read_snapshots``) and are arrays once they are asked
    for.

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
        sharding: None, or how a training spreads the rows of every cloud over devices;
            ``wflow.sharding.shard`` sets it.

    Examples:
        >>> import numpy as np
        >>> import wflow as wf
        >>> monday, friday = np.zeros((5, 2)), np.ones((8, 2))  # sizes may differ
        >>> shots = wf.Snapshots([0.0, 4.0], [monday, friday])
        >>> len(shots), shots.sizes, shots.dim
        (2, (5, 8), 2)
    """

    times: Float[np.ndarray, " T"]
    clouds: tuple[Float[np.ndarray, "n d"], ...]
    velocities: tuple[Float[np.ndarray, "n d"] | None, ...] | None = None
    weights: tuple[Float[np.ndarray, " n"], ...] | None = None
    masses: Float[np.ndarray, " T"] | None = None
    sharding: NamedSharding | None = None

    def __init__(
        self,
        times: Float[ArrayLike, " T"],
        clouds: Clouds,
        velocities: Sequence[Float[ArrayLike, "n d"] | None] | None = None,
        weights: Sequence[Float[ArrayLike, " n"]] | None = None,
        masses: Float[ArrayLike, " T"] | None = None,
        sharding: NamedSharding | None = None,
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
        clouds = sequence("clouds", clouds)
        count = len(clouds)
        times = to_numpy(days(times), "times").astype(np.float64)
        check_times(times, count)
        if sharding is not None:
            what = "a NamedSharding or None"
            instance("Snapshots", "sharding", sharding, NamedSharding, what)
        object.__setattr__(self, "sharding", sharding)
        object.__setattr__(self, "masses", checked_masses(masses, count))
        object.__setattr__(self, "times", frozen(times))
        if in_file(clouds):
            if velocities is not None or weights is not None:
                raise ValueError(
                    "Snapshots: expected clouds that stay in their file without "
                    "velocities and weights, found some; read them into memory."
                )
            object.__setattr__(self, "clouds", tuple(clouds))
            object.__setattr__(self, "velocities", None)
            object.__setattr__(self, "weights", None)
            return
        given = {"velocities": velocities, "weights": weights}
        given = {k: v if v is None else sequence(k, v) for k, v in given.items()}
        for name, entries in given.items():
            if entries is not None and len(entries) != count:
                raise ValueError(
                    f"Snapshots: expected one entry of {name} for each of the {count} "
                    f"clouds, found {len(entries)}."
                )
        tables = tables_of("clouds", clouds)
        moves = tables_of("velocities", given["velocities"] or [None] * count)
        check_rows(clouds, given["velocities"])
        weighing = given["weights"] or [None] * count
        dtype = precision([table for table in tables if table is not None])
        rows = [
            SnapshotRows.read(k, tables[k], moves[k], weighing[k], dtype)
            for k in range(count)
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
        object.__setattr__(self, "clouds", tuple(row.x for row in rows))
        object.__setattr__(
            self, "velocities", tuple(row.v for row in rows) if moving else None
        )
        object.__setattr__(
            self, "weights", tuple(row.w for row in rows) if weighted else None
        )

    @classmethod
    def from_anndata(
        cls,
        adata: Any,
        *,
        time: str,
        representation: str = "X_pca",
        masses: Masses = None,
    ) -> "Snapshots":
        """Snapshots of the cells of an AnnData in memory.

        Numbers of cells say how deeply was sampled, so that nothing grows unless
        ``masses`` says so.

        Args:
            adata: the cells.
            time: column of ``.obs`` with numbers, dates or durations.
            representation: name in ``.obsm``.
            masses: sizes of the population: one for each time, a column of ``.obs``
                that repeats them in all cells of a time, or ``"counts"``, as many as
                there are cells.

        Raises:
            TypeError: no AnnData.
            ValueError: a name that is not there, times that are no numbers, masses that
                differ within a time.
        """
        return cls(**parts_of(adata, time, representation, masses))

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
            self.sharding,
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

    def standardize(self) -> tuple["Snapshots", "Standardization"]:
        """These snapshots with pooled mean 0 and standard deviation 1, and the map.

        The pool is all points of all snapshots, whatever their weights. Apply the map
        of the training snapshots to the others, so that nothing leaks. A coordinate
        that does not vary, but for rounding, keeps its unit.
        """
        pooled = np.concatenate(self.clouds).astype(np.float64)
        std = pooled.std(axis=0)
        varies = std > CONSTANT * np.abs(pooled).max(axis=0)
        standardization = Standardization(pooled.mean(axis=0), np.where(varies, std, 1))
        return standardization.apply(self), standardization


@dataclasses.dataclass(frozen=True, eq=False)
class Standardization:
    r"""Coordinates in units of their spread, counted from their mean.

    $x \mapsto (x - m) / s$ for each coordinate; velocities are divided by s.
    """

    mean: Float[np.ndarray, " d"]
    std: Float[np.ndarray, " d"]

    def __post_init__(self) -> None:
        mean, std = to_numpy(self.mean, "mean"), to_numpy(self.std, "std")
        if mean.ndim != 1 or mean.size == 0:
            raise ValueError(
                f"Standardization: expected mean of shape (d,), found {mean.shape}."
            )
        if std.shape != mean.shape:
            raise ValueError(
                "Standardization: expected mean and std of one shape, found "
                f"{mean.shape} and {std.shape}."
            )
        finite(self, "mean", mean)
        positive(self, "std", std)
        object.__setattr__(self, "mean", frozen(mean.astype(np.float64)))
        object.__setattr__(self, "std", frozen(std.astype(np.float64)))

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
            snapshots.sharding,
        )
