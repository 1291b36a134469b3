"""A finished run opened again: its units, its fit, its data, and forecasts of it."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from wflow.io import SnapshotFileError, write_snapshots
from wflow.io.base import Layout, SnapshotFile
from wflow.io.cells import Moved, load_cells
from wflow.learning import Fit, Snapshots
from wflow.populations.conversion import Units
from wflow.studies._folder import RunDirectory
from wflow.studies._tables import damaged, read_json

from ._data import kept, load
from ._params import PopulationParams
from ._times import time_text


# Intervals that differ by more may be in another unit.
_OTHER_UNIT = 5


def write_context(directory: RunDirectory, units: Units, layout: Layout) -> None:
    """Keep units and file layout, so that forecasts need no data."""
    context = {"units": units.plain, "layout": dataclasses.asdict(layout)}
    directory.write_json(directory.units, context)


def read_context(directory: RunDirectory) -> tuple[Units, Layout]:
    """What ``write_context`` kept.

    Raises:
        ValueError: the file is missing or damaged.
    """
    path = directory.units
    if not path.is_file():
        raise ValueError(f"{directory.path}: the run has no {path.name}.")
    context = read_json(path)
    try:
        return Units(**context["units"]), Layout(**context["layout"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged(
            path, f"expected units and layout of a run, found {error}"
        ) from error


def load_fit(p: PopulationParams, directory: RunDirectory) -> Fit:
    """The saved fit."""
    dim = len(read_context(directory)[0].mean)
    return Fit.load(directory.model, p.law(dim, jax.random.key(0)))


def trained_until(p: PopulationParams, directory: RunDirectory) -> float:
    """The time of the last training snapshot, in the data's units."""
    units, _ = read_context(directory)
    return units.to_data_time(load_fit(p, directory).snapshots.times[-1])


def data_of(
    p: Any, directory: RunDirectory, units: Units | None = None
) -> SnapshotFile:
    """The data of a run: the copy that it kept, or the file that the user gives now.

    Raises:
        ValueError: there are none, or of another dimension than that of ``units``.
    """
    data = kept(p, directory) if directory.own_data else None
    if data is None:
        layout = None if units is None else read_context(directory)[1]
        data = load(p, str(directory.config), layout)
    if units is not None and data.snapshots.dim != len(units.mean):
        raise ValueError(
            f"the model of {directory.path} moves points of dimension "
            f"{len(units.mean)}, the data have {data.snapshots.dim} coordinates."
        )
    return data


def check_times(
    p: PopulationParams, starts: Snapshots, units: Units, fitted: Fit
) -> None:
    """Tell of rollouts that start at times the run was not trained on."""
    trained = [units.to_data_time(time) for time in fitted.snapshots.times]
    asked = starts.times
    slack = 1e-6 * (trained[-1] - trained[0])
    unit = "what is reached from there is"
    if asked[0] < trained[0] - slack or asked[-1] > trained[-1] + slack:
        first, last, begin, end = map(
            time_text, (asked[0], asked[-1], trained[0], trained[-1])
        )
        warnings.warn(
            f"the data start from {p.data.time.label} {first} to {last}, outside the "
            f"{begin} to {end} that the run was trained on: {unit} extrapolated, and "
            "wrong if the time is in another unit.",
            stacklevel=2,
        )
    elif len(asked) > 1 and len(trained) > 1:
        gap, usual = np.diff(asked).mean(), np.diff(trained).mean()
        if not 1 / _OTHER_UNIT <= gap / usual <= _OTHER_UNIT:
            warnings.warn(
                f"the data's snapshots are {time_text(gap)} apart, those that the run "
                f"was trained on {time_text(usual)}: {unit} wrong if the time is in "
                "another unit.",
                stacklevel=2,
            )


def write_forecast(
    p: PopulationParams,
    directory: RunDirectory,
    times: Sequence[float],
    out: Path,
    start: str | None,
) -> Path:
    """Write the saved model's clouds at ``times``, in the data's units and format.

    Without a ``start`` from the last snapshot before each time. Rows of a .h5ad say
    which cell of the data they start from, and what their nearest cells are.
    """
    units, layout = read_context(directory)
    fitted = load_fit(p, directory)
    if not directory.own_data:
        fitted = _started(p, directory, units, fitted)
    begin = fitted.snapshots.times[-1 if start == "last_snapshot" else 0]
    first = units.to_data_time(begin)
    if times[0] < first:
        began = "a forecast" if start is None else f"a forecast with --start {start}"
        raise ValueError(
            f"--times: {began} begins at {p.data.time.label} {time_text(first)}, found "
            f"{time_text(times[0])}."
        )
    asked = [units.to_model_time(time) for time in times]
    starts, clouds = _clouds(fitted, asked, start, p.evaluation.substeps)
    clouds = units.to_data(clouds)
    if fitted.snapshots.velocities is None:
        clouds = Snapshots(times, clouds.clouds, None, clouds.weights, clouds.masses)
    cells = None
    if layout.format == "h5ad" and directory.own_data and directory.cells.is_file():
        sizes = fitted.snapshots.sizes
        # One row for each cell: what grows or dies changes weights, not rows.
        if all(len(x) == sizes[k] for x, k in zip(clouds, starts, strict=True)):
            offset = np.concatenate([[0], np.cumsum(sizes)])
            moved = [
                Moved(np.asarray(x, float), offset[k] + np.arange(len(x)))
                for x, k in zip(clouds, starts, strict=True)
            ]
            cells = load_cells(directory.cells).forecast(layout, times, moved)
    try:
        return write_snapshots(out, clouds, layout, cells=cells)
    except (SnapshotFileError, ModuleNotFoundError) as error:
        raise ValueError(str(error)) from error


def _clouds(
    fitted: Fit, times: Sequence[float], start: str | None, substeps: int
) -> tuple[list[int], Snapshots]:
    """The training snapshot that each time is reached from, and the clouds."""
    last = len(fitted.snapshots) - 1
    if start is not None:
        found = fitted.forecast(times, start, substeps=substeps)  # pyright: ignore[reportArgumentType]
        return [last if start == "last_snapshot" else 0] * len(times), found
    starts = [fitted.snapshots.before(time) for time in times]
    inner = [time for time, k in zip(times, starts, strict=True) if k < last]
    parts = [fitted.interpolate(time, substeps=substeps) for time in inner]
    if len(inner) < len(times):
        parts.append(fitted.forecast(times[len(inner) :], substeps=substeps))
    return starts, _joined(parts)


def _joined(parts: Sequence[Snapshots]) -> Snapshots:
    """Snapshots one after the other."""
    velocities = [part.velocity(k) for part in parts for k in range(len(part))]
    weights = [part.weight(k) for part in parts for k in range(len(part))]
    masses = [part.mass(k) for part in parts for k in range(len(part))]
    weighted = any(part.weights is not None for part in parts)
    massive = any(part.masses is not None for part in parts)
    return Snapshots(
        np.concatenate([part.times for part in parts]),
        [cloud for part in parts for cloud in part],
        velocities,
        weights if weighted else None,
        masses if massive else None,
    )


def _started(
    p: PopulationParams, directory: RunDirectory, units: Units, fitted: Fit
) -> Fit:
    """The law of ``fitted`` from the snapshots that the user gives."""
    shown = data_of(p, directory, units).snapshots
    check_times(p, shown, units, fitted)
    snapshots = units.to_model(shown)
    if len(snapshots) == 1 and snapshots.velocity(0) is not None:
        # Its velocities are there, and nothing else to find them from.
        return fitted.restarted(snapshots, (snapshots.velocity(0),))
    return p.restarted(fitted, snapshots)
