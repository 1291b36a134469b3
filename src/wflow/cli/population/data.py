"""The data of a population task, in the user's units and in the model's."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wflow.cli.errors import CommandError

from . import data_schema, schema


if TYPE_CHECKING:
    from wflow.energies import AbstractEnergy
    from wflow.io import Layout
    from wflow.learning import Snapshots, Standardisation


_DATA_STREAM = 20_000


@dataclasses.dataclass(frozen=True)
class Units:
    """From the data's units to the model's: (x - mean) / std, (t - origin) / unit.

    Mean 0 and std 1 leave space as it is. ``dtype`` is the model's.
    """

    mean: np.ndarray
    std: np.ndarray
    origin: float
    unit: float
    dtype: str

    @property
    def _space(self) -> "Standardisation":
        from wflow.learning import Standardisation

        return Standardisation(self.mean, self.std)

    def to_model_time(self, time: float) -> float:
        """Model time of a time in the data's units."""
        return (time - self.origin) / self.unit

    def to_data_time(self, time: float) -> float:
        """Time in the data's units of a model time."""
        return float(time) * self.unit + self.origin

    def to_model(self, snapshots: "Snapshots") -> "Snapshots":
        """``snapshots`` in the model's units."""
        times = (snapshots.times - self.origin) / self.unit
        return _retimed(self._space.apply(snapshots), times, self.unit, self.dtype)

    def to_data(self, snapshots: "Snapshots") -> "Snapshots":
        """``snapshots`` in the data's units."""
        times = snapshots.times * self.unit + self.origin
        snapshots = _retimed(snapshots, times, 1 / self.unit, "float64")
        return self._space.invert(snapshots)


def _retimed(
    snapshots: "Snapshots", times: np.ndarray, unit: float, dtype: str
) -> "Snapshots":
    from wflow.learning import Snapshots

    given = snapshots.velocities
    return Snapshots(
        times,
        [cloud.astype(dtype) for cloud in snapshots.clouds],
        given and [None if v is None else (v * unit).astype(dtype) for v in given],
        snapshots.weights,
        snapshots.masses,
    )


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Snapshots in the data's units, and how they were laid out in their file."""

    snapshots: "Snapshots"
    layout: "Layout"
    clock: data_schema.Clock
    axes: data_schema.Axes

    def units(self, train: "Snapshots", standardise: bool, precision: str) -> Units:
        """Units in which the training snapshots are standard, if so wished."""
        mean, std = np.zeros(train.dim), np.ones(train.dim)
        if standardise:
            space = train.standardise()[1]
            mean, std = space.mean, space.std
        origin = self.clock.origin
        origin = self.snapshots.times[0] if origin is None else origin
        return Units(mean, std, float(origin), self.clock.unit, precision)


def with_data(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """The unchecked ``config`` with the user's file as its data, and as its title."""
    data = config.get("data")
    data = data if isinstance(data, dict) else {}
    if data.get("kind") == "gapminder":
        data = {"standardise": True, **data}
    if data.get("kind") == "simulator":
        # Nothing that says how to simulate goes with a file.
        kept = data_schema.FileData.model_fields
        data = {key: value for key, value in data.items() if key in kept}
    return {
        **config,
        "title": f"Snapshots of {path.name}",
        "data": {**data, "kind": "file", "path": str(path.resolve())},
    }


def load(
    config: schema.PopulationConfig, source: str, layout: "Layout | None" = None
) -> Dataset:
    """The dataset that ``config`` names; rows shuffled with its seed if so wished.

    ``layout`` is that of the file that a finished run was trained on: of a .csv the
    same columns are read, in the same order.

    Raises:
        CommandError: it names no file, or one that is not as expected.
    """
    from wflow.io import (
        Keys,
        SnapshotFileError,
        read_gapminder,
        read_snapshots,
    )
    from wflow.io.npz import NPZ

    data = config.data
    if isinstance(data, data_schema.GapminderData):
        snapshots, layout = read_gapminder(config.seed if data.shuffle else None)
        return Dataset(snapshots, layout, data.time, data.axes)
    if not isinstance(data, data_schema.FileData):
        snapshots = simulated(data, config.seed)
        if data.masses is not None:
            snapshots = with_masses(snapshots, data.masses)
        if data.shuffle:
            snapshots = shuffled(snapshots, config.seed)
        return Dataset(snapshots, NPZ, data.time, data.axes)
    if data.path is None:
        raise CommandError(f"{source} needs --data FILE: {data.needs}.")
    keys = data.keys
    columns = tuple(keys.columns) if isinstance(keys.columns, list) else keys.columns
    trained = None if layout is None else layout.columns
    if trained is not None and Path(data.path).suffix.lower() == ".csv":
        columns = trained
    try:
        snapshots, layout = read_snapshots(
            data.path,
            Keys(
                keys.time,
                keys.positions,
                keys.velocities,
                keys.weights,
                columns,
                keys.masses,
            ),
            max_bytes=data.max_bytes,
        )
    except SnapshotFileError as error:
        known = (
            ""
            if trained is None
            else (
                f" The run was trained on the columns {', '.join(trained[:8])}"
                f"{', ...' * (len(trained) > 8)}."
            )
        )
        raise CommandError(f"{error}{known}") from error
    except (ModuleNotFoundError, ValueError, TypeError) as error:
        raise CommandError(str(error)) from error
    labels = data.axes.labels
    if labels is not None and len(labels) != snapshots.dim:
        raise CommandError(
            f"data.axes.labels: expected {snapshots.dim} names, one for each "
            f"coordinate of {data.path}, found {len(labels)}."
        )
    if data.masses is not None:
        snapshots = with_masses(snapshots, data.masses)
    if data.shuffle:
        snapshots = shuffled(snapshots, config.seed)
    return Dataset(snapshots, layout, data.time, data.axes)


def simulated(data: data_schema.Simulator, seed: int) -> "Snapshots":
    """The population that ``data`` names, drawn with ``seed``."""
    import jax

    from wflow.populations import simulators

    # Another key than those of the training, which are split from the seed's.
    key = jax.random.fold_in(jax.random.key(seed), _DATA_STREAM)
    options = data.model_dump(
        exclude={"name", "particles", "terms", *data_schema.FileData.model_fields}
    )
    if (energy := true_energy(data)) is not None:
        options["energy"] = energy
    simulate = getattr(simulators, data.name)
    return simulate(key, n=data.particles, **options)


def true_energy(data: data_schema.Data) -> "AbstractEnergy | None":
    """The energy that drives simulated particles, where ``data`` names one."""
    if not isinstance(data, data_schema.SwarmData) or data.terms is None:
        return None
    from wflow.energies import Sum
    from wflow.parameters import unwrap

    from .build import build_term

    dim = len(data.mean)
    return unwrap(Sum(tuple(build_term(term, dim) for term in data.terms)))


def shuffled(snapshots: "Snapshots", seed: int) -> "Snapshots":
    """Rows of every snapshot in a random order, velocities and weights along."""
    from wflow.learning import Snapshots

    rng = np.random.default_rng(seed)
    orders = [rng.permutation(size) for size in snapshots.sizes]

    def reordered(entries: Any) -> Any:
        return entries and [
            None if entry is None else entry[order]
            for entry, order in zip(entries, orders, strict=True)
        ]

    return Snapshots(
        snapshots.times,
        reordered(snapshots.clouds),
        reordered(snapshots.velocities),
        reordered(snapshots.weights),
        snapshots.masses,
    )


def with_masses(
    snapshots: "Snapshots", masses: Literal["counts"] | Sequence[float]
) -> "Snapshots":
    """``snapshots`` with these masses, or as many as points, in units of the first.

    Raises:
        CommandError: not one mass for each snapshot.
    """
    from wflow.learning import Snapshots

    sizes = snapshots.sizes if masses == "counts" else masses
    if len(sizes) != len(snapshots):
        raise CommandError(
            f"data.masses: expected {len(snapshots)} numbers, one for each snapshot, "
            f"found {len(sizes)}."
        )
    return Snapshots(
        snapshots.times,
        snapshots.clouds,
        snapshots.velocities,
        snapshots.weights,
        np.asarray(sizes, float) / sizes[0],
    )
