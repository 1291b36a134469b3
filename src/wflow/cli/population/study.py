"""A population task from data to figures; the tasks differ in split and scores."""

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import ScoreTable
from wflow.studies._tables import damaged, read_json

from .build import build_flow, build_velocity, fit_options
from .data import Dataset, Units, load
from .data_schema import FileData
from .kept import layout_of, read_kept
from .schema import (
    ForecastConfig,
    InterpolationConfig,
    PopulationConfig,
    UnbalancedConfig,
)
from .splits import split_snapshots
from .times import time_text


if TYPE_CHECKING:
    from wflow.io import Layout
    from wflow.learning import Chunk, Fit, Report, Snapshots
    from wflow.populations import Split


# Splits into halves: as many as there is time for in large snapshots.
_SPLITS, _SPLIT_POINTS, _FEWEST = 20, 20_000, 4
# Intervals that differ by more may be in another unit.
_OTHER_UNIT = 5
# Names of scores in metrics.json and for the reader.
METRICS = {"model": "test", "ot_interpolation": "ot_midpoint"}
TITLES = {
    "model": "model",
    "persistence": "nothing moves",
    "constant_velocity": "constant velocity",
    "extrapolated_velocity": "extrapolated velocity",
    "mean_shift": "mean shift",
    "ot_interpolation": "OT midpoint of the neighbours",
}


@dataclasses.dataclass(frozen=True)
class Study:
    """A dataset and its split, in the data's units and in the model's."""

    config: ForecastConfig | InterpolationConfig | UnbalancedConfig
    data: Dataset
    units: Units
    shown: "Split"
    split: "Split"

    @classmethod
    def of(
        cls,
        config: ForecastConfig | InterpolationConfig | UnbalancedConfig,
        data: Dataset,
        units: Units | None = None,
    ) -> "Study":
        """Split ``data``; without ``units`` they come from its training snapshots."""
        shown = split_snapshots(config.split, data.snapshots)
        if units is None:
            units = data.units(shown.train, config.data.standardise, config.precision)
        split = type(shown)(
            units.to_model(shown.train),
            units.to_model(shown.test),
            shown.gap / units.unit,
        )
        return cls(config, data, units, shown, split)

    @property
    def score_title(self) -> str:
        """What the scores are."""
        unit = (
            "standardised units"
            if self.config.data.standardise
            else "units of the data"
        )
        return f"exact W1, {unit}"

    def fit(self, directory: RunDirectory, resume: bool) -> "Fit":
        """Train; history and checkpoints on the way, the model at the end."""
        import jax

        from wflow.learning import fit

        config = self.config
        flow_key, fit_key = jax.random.split(jax.random.key(config.seed))
        write_context(directory, self.units, self.data.layout)
        self.keep_cells(directory)

        def write(chunk: "Chunk") -> None:
            directory.write_history(_per_step(chunk.fit.history))

        fitted = fit(
            build_flow(config, self.data.snapshots.dim, flow_key),
            self.split.train,
            key=fit_key,
            velocity=build_velocity(config.velocity),
            dt0=self.split.gap,
            checkpoint_dir=directory.checkpoints(),
            resume=resume,
            callbacks=[write],
            **fit_options(config.fit, config.growth is not None),
        )
        directory.write_history(_per_step(fitted.history))
        directory.save_fit(fitted, directory.model)
        return fitted

    def refitted(self, fitted: "Fit") -> "Fit":
        """The law of ``fitted`` on the training snapshots of this study.

        Itself where it was fitted to them; start velocities of others come from the
        config's rule, with what was learned of it.
        """
        import jax

        train = self.split.train
        if _same(train, fitted.snapshots):
            return fitted
        velocities = build_velocity(self.config.velocity)(
            train, jax.random.key(self.config.seed)
        )
        return fitted.restarted(train, velocities)

    def table(self, report: "Report", title: str) -> ScoreTable:
        """``report`` for the reader, with times in the data's units."""
        label = self.data.clock.label
        names = [f"{label} {self.time_name(time)}" for time in report.times]
        rows = {
            TITLES[name]: [None if np.isnan(value) else float(value) for value in row]
            for name, row in report.scores.items()
        }
        return ScoreTable(
            f"{title} ({self.score_title})",
            tuple(names),
            rows,
            floor=self.floor(report.times),
        )

    def metrics(self, report: "Report") -> dict[str, float]:
        """Means ``test_w1``, ``persistence_w1``, ... and one number for every time.

        ``test_w1_floor`` is the noise: the mean distance of two halves of a snapshot.
        """
        found: dict[str, float] = {}
        for name, row in report.scores.items():
            key = f"{METRICS.get(name, name)}_w1"
            if not np.isnan(row).any():
                found[key] = float(np.mean(row))
            for time, value in zip(report.times, row, strict=True):
                if not np.isnan(value):
                    found[f"{key}_{self.time_name(time)}"] = float(value)
        floor = [value for value in self.floor(report.times) if value is not None]
        if len(floor) == len(report.times):
            found["test_w1_floor"] = float(np.mean(floor))
        return found

    def time_name(self, time: float) -> str:
        """A model time as the data write it."""
        times = self.data.snapshots.times
        return time_text(self.units.to_data_time(time), times)

    @functools.cached_property
    def floors(self) -> dict[float, float]:
        """Mean W1 of two random halves of each held-out snapshot, by its time.

        The noise of a score: a smaller one is as near as another sample would be. Of
        halves it is somewhat larger than of whole snapshots.
        """
        from wflow.populations import half_sample_w1

        test = self.split.test
        return {
            float(time): half_sample_w1(
                # In an order of its own, whatever that of the rows is.
                cloud[np.lexsort(cloud.T)],
                splits=int(np.clip(_SPLIT_POINTS // len(cloud), 1, _SPLITS)),
            )
            for time, cloud in zip(test.times, test.clouds, strict=True)
            if len(cloud) >= _FEWEST
        }

    def floor(self, times: Sequence[float]) -> list[float | None]:
        """The noise of scores at these times (model's), None where it is not known."""
        return [self.floors.get(float(time)) for time in times]

    def keep_cells(self, directory: RunDirectory) -> None:
        """Keep what a .h5ad says of the cells that forecasts will start from."""
        data, layout, train = self.config.data, self.data.layout, self.shown.train
        if layout.format != "h5ad" or not isinstance(data, FileData) or not data.path:
            return
        from wflow.io.h5ad import read_cells, save_cells

        cells = [
            read_cells(
                data.path,
                layout,
                train[k],
                float(train.times[k]),
                max_bytes=data.max_bytes,
            )
            for k in (0, len(train) - 1)
        ]
        save_cells(directory.claim(directory.cells), cells)


def _same(a: "Snapshots", b: "Snapshots") -> bool:
    return a.sizes == b.sizes and all(
        np.array_equal(x, y) for x, y in zip(a.clouds, b.clouds, strict=True)
    )


def fit_metrics(fitted: "Fit") -> dict[str, float]:
    """Numbers of the training; its timings where this process trained."""
    metrics = {
        "steps": len(fitted.history["step"]),
        "friction": fitted.friction,
        "final_loss": float(np.median(fitted.history["loss"][-50:])),
    }
    if fitted.compile_seconds > 0:
        metrics["seconds_per_step"] = fitted.seconds_per_step
        metrics["compile_seconds"] = fitted.compile_seconds
    return metrics


def _per_step(history: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns that have a row for every step."""
    count = len(history["step"])
    return {name: row for name, row in history.items() if len(row) == count}


def load_fit(config: PopulationConfig, directory: RunDirectory) -> "Fit":
    """The saved fit."""
    import jax

    from wflow.learning import Fit

    dim = len(read_context(directory)[0].mean)
    try:
        return Fit.load(directory.model, build_flow(config, dim, jax.random.key(0)))
    except ValueError as error:
        raise CommandError(str(error)) from error


def write_context(directory: RunDirectory, units: Units, layout: "Layout") -> None:
    """Keep units and file layout, so that forecasts need no data."""
    context = {
        "units": {
            **dataclasses.asdict(units),
            "mean": units.mean.tolist(),
            "std": units.std.tolist(),
        },
        "layout": dataclasses.asdict(layout),
    }
    directory.write_json(directory.units, context)


def read_context(directory: RunDirectory) -> tuple[Units, "Layout"]:
    """What ``write_context`` kept.

    Raises:
        CommandError: the file is missing or damaged.
    """
    path = directory.units
    if not path.is_file():
        raise CommandError(f"{directory.path}: the run has no {path.name}.")
    context = read_json(path)
    try:
        return _units(context["units"]), layout_of(context["layout"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged(
            path, f"expected units and layout of a run, found {error}"
        ) from error


def _units(found: dict[str, Any]) -> Units:
    """Units that ``dataclasses.asdict`` made, each in its range."""
    units = Units(
        np.asarray(found["mean"], float),
        np.asarray(found["std"], float),
        float(found["origin"]),
        float(found["unit"]),
        str(found["dtype"]),
    )
    if units.mean.ndim != 1 or units.mean.shape != units.std.shape:
        raise ValueError(f"mean and std of shapes {units.mean.shape, units.std.shape}")
    for name in ("mean", "origin"):
        if not np.isfinite(getattr(units, name)).all():
            raise ValueError(f"{name} {getattr(units, name)}")
    for name in ("std", "unit"):
        value = np.asarray(getattr(units, name))
        if not (np.isfinite(value) & (value > 0)).all():
            raise ValueError(f"{name} {value}")
    if units.dtype not in ("float32", "float64"):
        raise ValueError(f"dtype {units.dtype}")
    return units


def _started(
    config: PopulationConfig, directory: RunDirectory, units: Units, fitted: "Fit"
) -> "Fit":
    """The law of ``fitted`` from the snapshots that the user gives."""
    import jax

    shown = data_of(config, directory, units).snapshots
    check_times(config, shown, units, fitted)
    snapshots = units.to_model(shown)
    if len(snapshots) == 1 and snapshots.velocity(0) is not None:
        # Its velocities are there, and nothing else to find them from.
        velocities = (snapshots.velocity(0),)
    else:
        rule = build_velocity(config.velocity)
        velocities = rule(snapshots, jax.random.key(config.seed))
    return fitted.restarted(snapshots, velocities)


def data_of(
    config: PopulationConfig, directory: RunDirectory, units: Units | None = None
) -> Dataset:
    """The data of a run: the copy that it kept, or the file that the user gives now.

    Raises:
        CommandError: there are none, or of another dimension than that of ``units``.
    """
    data = read_kept(config, directory) if directory.own_data else None
    if data is None:
        layout = None if units is None else read_context(directory)[1]
        data = load(config, str(directory.config), layout)
    if units is not None and data.snapshots.dim != len(units.mean):
        raise CommandError(
            f"the model of {directory.path} moves points of dimension "
            f"{len(units.mean)}, the data have {data.snapshots.dim} coordinates."
        )
    return data


def check_times(
    config: PopulationConfig, starts: "Snapshots", units: Units, fitted: "Fit"
) -> None:
    """Tell of rollouts that start at times the run was not trained on."""
    trained = [units.to_data_time(time) for time in fitted.snapshots.times]
    asked = starts.times
    slack = 1e-6 * (trained[-1] - trained[0])
    if asked[0] < trained[0] - slack or asked[-1] > trained[-1] + slack:
        first, last, begin, end = map(
            time_text, (asked[0], asked[-1], trained[0], trained[-1])
        )
        label = config.data.time.label
        warnings.warn(
            f"the data start from {label} {first} to {last}, outside the {begin} to "
            f"{end} that the run was trained on: what is reached from there is "
            "extrapolated, and wrong if the time is in another unit.",
            stacklevel=2,
        )
    elif len(asked) > 1 and len(trained) > 1:
        gap, usual = np.diff(asked).mean(), np.diff(trained).mean()
        if not 1 / _OTHER_UNIT <= gap / usual <= _OTHER_UNIT:
            warnings.warn(
                f"the data's snapshots are {time_text(gap)} apart, those that the run "
                f"was trained on {time_text(usual)}: what is reached from there is "
                "wrong if the time is in another unit.",
                stacklevel=2,
            )


def write_forecast(
    config: PopulationConfig,
    directory: RunDirectory,
    times: Sequence[float],
    out: Path,
    start: str,
) -> Path:
    """Write the saved model's clouds at ``times``, in the data's units and format.

    Rows of a .h5ad say which cell of the data they start from, with its ``.obs``.
    """
    from wflow.io import SnapshotFileError, write_snapshots
    from wflow.io.h5ad import load_cells
    from wflow.learning import Snapshots

    units, layout = read_context(directory)
    fitted = load_fit(config, directory)
    if not directory.own_data:
        fitted = _started(config, directory, units, fitted)
    begin = fitted.snapshots.times[-1 if start == "last_snapshot" else 0]
    first = units.to_data_time(begin)
    if times[0] < first:
        raise CommandError(
            f"--times: a forecast with --start {start} begins at "
            f"{config.data.time.label} {time_text(first)}, found {time_text(times[0])}."
        )
    clouds = fitted.forecast(
        [units.to_model_time(time) for time in times],
        start,
        substeps=config.evaluation.substeps,
    )
    clouds = units.to_data(clouds)
    if fitted.snapshots.velocities is None:
        clouds = Snapshots(times, clouds.clouds, None, clouds.weights, clouds.masses)
    cells = None
    if layout.format == "h5ad" and directory.own_data and directory.cells.is_file():
        kept = load_cells(directory.cells, layout, first)
        # One row for each cell: what grows or dies changes weights, not rows.
        if {len(kept.obs)} == set(clouds.sizes):
            cells = kept.started(times, layout.time)
    try:
        return write_snapshots(out, clouds, layout, cells=cells)
    except (SnapshotFileError, ModuleNotFoundError) as error:
        raise CommandError(str(error)) from error
