"""The snapshots that a config names, and the copy that a run keeps of them."""

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from wflow import energies, io
from wflow.energies import AbstractEnergy
from wflow.io import Keys, SnapshotFileError, read_gapminder, read_snapshots
from wflow.io.base import Layout, SnapshotFile
from wflow.io.npz import NPZ
from wflow.io.refusals import READ, format_of
from wflow.learning import Snapshots
from wflow.parameters.learnable import unwrap
from wflow.populations import simulators
from wflow.studies import build
from wflow.studies._folder import RunDirectory
from wflow.studies._tables import damaged

from ._params import FileData, GapminderData, PopulationParams, SimulatedData
from ._said import cells_of, check_column, said_of


_DATA_STREAM = 20_000


def with_data(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """The unchecked ``config`` with the user's file as its data, and as its title."""
    data = config.get("data")
    data = data if isinstance(data, dict) else {}
    if data.get("kind") == "gapminder":
        data = {"standardize": True, **data, "tracked": False}
    # Nothing that says how to simulate goes with a file.
    data = {key: value for key, value in data.items() if key != "simulate"}
    return {
        **config,
        "title": f"Snapshots of {path.name}",
        "data": {**data, "kind": "file", "path": str(path.resolve())},
    }


def load(p: Any, source: str, layout: Layout | None = None) -> SnapshotFile:
    """The snapshots that ``p`` names; rows shuffled with its seed if so wished.

    ``layout`` is that of the file that a finished run was trained on: of a .csv the
    same columns are read, in the same order.

    Raises:
        ValueError: it names no file, or one that is not as expected.
    """
    match p.data:
        case GapminderData():
            found = read_gapminder(None)
        case SimulatedData(simulate=spec, dim=dim):
            # Another key than those of the training, which are split from the seed's.
            key = jax.random.fold_in(jax.random.key(p.seed), _DATA_STREAM)
            place = "data.simulate"
            given = {"key": key, "dim": dim}
            snapshots = build(spec, simulators, Snapshots, place, **given)
            found = SnapshotFile(snapshots, NPZ)
        case FileData():
            found = _read(p.data, source, None if layout is None else layout.columns)
    snapshots = found.snapshots
    labels = p.data.axes.labels
    if labels is not None and len(labels) != snapshots.dim:
        raise ValueError(
            f"data.axes.labels: expected {snapshots.dim} names, one for each "
            f"coordinate, found {len(labels)}."
        )
    if p.data.masses is not None:
        snapshots = _with_masses(snapshots, p.data.masses)
    if isinstance(p.data.tracked, str):
        snapshots = _by_name(p.data, found, p.data.tracked)
    if p.data.tracked and len(set(snapshots.sizes)) > 1:
        raise ValueError(
            "data.tracked: expected the same individuals at all times, found "
            f"{', '.join(map(str, snapshots.sizes))} points."
        )
    if p.data.shuffle:
        orders = _orders(p, snapshots.sizes)
        snapshots = rearranged(snapshots, orders)
    return found._replace(snapshots=snapshots)


def _by_name(data: Any, found: SnapshotFile, name: str) -> Snapshots:
    """Rows in the order of the names of individuals.

    Raises:
        ValueError: a name that is not there once at every time, or no column.
    """
    check_column(getattr(data, "path", None), "data.tracked", name)
    cells = cells_of(data, found.layout, found.snapshots)
    said = said_of(data, found.layout, found.snapshots, cells, [name])
    split = np.cumsum(found.snapshots.sizes)[:-1]
    labels = np.split(said.columns[name].astype(str), split)
    orders = [np.argsort(label) for label in labels]
    ordered = [label[order] for label, order in zip(labels, orders, strict=True)]
    unique = len(np.unique(ordered[0])) == len(ordered[0])
    if not unique or any(not np.array_equal(ordered[0], o) for o in ordered):
        raise ValueError(
            f"data.tracked: expected every {name} once at every time, found others."
        )
    return rearranged(found.snapshots, orders)


def _orders(p: Any, sizes: Sequence[int]) -> list[np.ndarray]:
    """How the rows of every snapshot are shuffled."""
    rng = np.random.default_rng(p.seed)
    return [rng.permutation(size) for size in sizes]


def individuals(p: Any, sizes: Sequence[int]) -> list[np.ndarray]:
    """Of each of the snapshots that ``load`` finds the rows, by tracked individual.

    For scores, and what else does not look at the order of rows.
    """
    if not p.data.shuffle:
        return [np.arange(size) for size in sizes]
    return [np.argsort(order) for order in _orders(p, sizes)]


def rearranged(snapshots: Snapshots, rows: Sequence[np.ndarray]) -> Snapshots:
    """These rows of every snapshot."""
    return _mapped(snapshots, lambda entry, k: entry[rows[k]])


def _read(data: FileData, source: str, trained: tuple[str, ...] | None) -> SnapshotFile:
    if data.path is None:
        raise ValueError(f"{source} needs --data FILE: {data.needs}.")
    keys = build(data.keys, io, Keys, "data.keys")
    if trained is not None and _is_table(Path(data.path)):
        keys = dataclasses.replace(keys, columns=trained)
    try:
        return read_snapshots(data.path, keys, max_bytes=data.max_bytes)
    except SnapshotFileError as error:
        if trained is None:
            raise
        named = f"{', '.join(trained[:8])}{', ...' * (len(trained) > 8)}"
        said = f"{error} The run was trained on the columns {named}."
        raise ValueError(said) from error
    except (ModuleNotFoundError, TypeError) as error:
        raise ValueError(str(error)) from error


def _is_table(path: Path) -> bool:
    return format_of(path, READ) in ("csv", "parquet")


def _with_masses(snapshots: Snapshots, masses: Any) -> Snapshots:
    """``snapshots`` with these masses, or as many as points, in units of the first."""
    sizes = snapshots.sizes if masses == "counts" else masses
    if len(sizes) != len(snapshots):
        raise ValueError(
            f"data.masses: expected {len(snapshots)} numbers, one for each snapshot, "
            f"found {len(sizes)}."
        )
    return dataclasses.replace(snapshots, masses=np.asarray(sizes, float) / sizes[0])


def _mapped(
    snapshots: Snapshots, change: Callable[[np.ndarray, int], np.ndarray]
) -> Snapshots:
    """Clouds, velocities and weights changed alike, each with the snapshot's index."""

    def changed(entries: Any) -> Any:
        return entries and [
            None if entry is None else change(entry, k)
            for k, entry in enumerate(entries)
        ]

    return Snapshots(
        snapshots.times,
        changed(snapshots.clouds),
        changed(snapshots.velocities),
        changed(snapshots.weights),
        snapshots.masses,
    )


def first_points(snapshots: Snapshots, points: int) -> Snapshots:
    """The first ``points`` of every cloud."""
    return _mapped(snapshots, lambda entry, k: entry[:points])


def true_energy(p: PopulationParams) -> AbstractEnergy | None:
    """The energy behind the data, where it is known and in the model's units."""
    data = p.data
    if data.standardize or data.time.unit != 1 or not isinstance(data, SimulatedData):
        return None
    spec, place = data.simulate.get("energy"), "data.simulate.energy"
    given = {"dim": data.dim, "key": jax.random.key(0)}
    return spec and unwrap(build(spec, energies, AbstractEnergy, place, **given))


def keep(p: Any, directory: RunDirectory, data: SnapshotFile) -> None:
    """Copy snapshots that came from a file: the run needs the file no more.

    What a config can make anew is not copied.
    """
    if not isinstance(p.data, FileData):
        return
    snapshots = data.snapshots
    layout = json.dumps(dataclasses.asdict(data.layout))
    arrays: dict[str, Any] = {"layout": np.array(layout), "times": snapshots.times}
    for name in ("clouds", "velocities", "weights"):
        for k, entry in enumerate(getattr(snapshots, name) or ()):
            if entry is not None:
                arrays[f"{name}_{k}"] = entry
    if snapshots.masses is not None:
        arrays["masses"] = snapshots.masses
    directory.write_data(arrays)


def kept(p: Any, directory: RunDirectory) -> SnapshotFile | None:
    """What ``keep`` copied, None where it copied nothing.

    Raises:
        ValueError: the copy is damaged.
    """
    path = directory.data
    if not isinstance(p.data, FileData) or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        layout = Layout(**json.loads(str(arrays["layout"])))
        return SnapshotFile(_snapshots(arrays), layout)
    except (
        *(AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError),
        *(ValueError, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise damaged(path, "expected the snapshots of the run") from error


def _snapshots(arrays: dict[str, np.ndarray]) -> Snapshots:
    count = range(len(arrays["times"]))

    def entries(name: str) -> list[np.ndarray | None] | None:
        found = [arrays.get(f"{name}_{k}") for k in count]
        return None if all(entry is None for entry in found) else found

    return Snapshots(
        arrays["times"],
        [arrays[f"clouds_{k}"] for k in count],
        entries("velocities"),
        entries("weights"),
        arrays.get("masses"),
    )
