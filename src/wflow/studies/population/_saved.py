"""A finished run opened again: its units, its fit, its data, and forecasts of it."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from wflow.io import SnapshotFileError, write_snapshots
from wflow.io.base import Layout, SnapshotFile
from wflow.io.cells import load_cells
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


def data_of(
    p: PopulationParams, directory: RunDirectory, units: Units | None = None
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
    start: str,
) -> Path:
    """Write the saved model's clouds at ``times``, in the data's units and format.

    Rows of a .h5ad say which cell of the data they start from, with its ``.obs``.
    """
    units, layout = read_context(directory)
    fitted = load_fit(p, directory)
    if not directory.own_data:
        fitted = _started(p, directory, units, fitted)
    begin = fitted.snapshots.times[-1 if start == "last_snapshot" else 0]
    first = units.to_data_time(begin)
    if times[0] < first:
        raise ValueError(
            f"--times: a forecast with --start {start} begins at {p.data.time.label} "
            f"{time_text(first)}, found {time_text(times[0])}."
        )
    asked = [units.to_model_time(time) for time in times]
    clouds = fitted.forecast(asked, start, substeps=p.evaluation.substeps)
    clouds = units.to_data(clouds)
    if fitted.snapshots.velocities is None:
        clouds = Snapshots(times, clouds.clouds, None, clouds.weights, clouds.masses)
    cells = None
    if layout.format == "h5ad" and directory.own_data and directory.cells.is_file():
        found = load_cells(directory.cells, layout, first)
        # One row for each cell: what grows or dies changes weights, not rows.
        if {len(found.obs)} == set(clouds.sizes):
            cells = found.started(times, layout.time)
    try:
        return write_snapshots(out, clouds, layout, cells=cells)
    except (SnapshotFileError, ModuleNotFoundError) as error:
        raise ValueError(str(error)) from error


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
