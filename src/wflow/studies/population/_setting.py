"""The snapshots of a task, split and in the model's units, and fits to them."""

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from wflow.io.base import SnapshotFile
from wflow.learning import Fit, Snapshots
from wflow.learning._fit import Chunk
from wflow.learning.report import Report
from wflow.populations import coefficients
from wflow.populations.conversion import Units
from wflow.populations.protocols import Split
from wflow.populations.reading import reading_errors
from wflow.populations.scores import half_sample_floors
from wflow.studies import ScoreTable
from wflow.studies._folder import RunDirectory
from wflow.studies._processes import spread

from ._data import individuals, rearranged, true_energy
from ._said import cells_of
from ._saved import write_context
from ._times import time_text
from ._written import write_cells


# Names of scores in metrics.json and for the reader.
METRICS = {"model": "test", "ot_interpolation": "ot_midpoint"}
TITLES = {
    "model": "model",
    "persistence": "nothing moves",
    "constant_velocity": "constant velocity",
    "extrapolated_velocity": "extrapolated velocity",
    "mean_shift": "mean shift",
    "ot_interpolation": "OT midpoint of the neighbors",
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """A task's snapshots and their split, as given (``shown``) and as the model's.

    ``p`` are the parameters of a task with a ``split``.
    """

    p: Any
    data: SnapshotFile
    units: Units
    shown: Split
    split: Split

    @classmethod
    def of(cls, p: Any, data: SnapshotFile, units: Units | None = None) -> "Setting":
        """Split ``data``; without ``units`` they come from its training snapshots."""
        shown = p.split.of(data.snapshots)
        if units is None:
            origin = p.data.time.origin
            units = Units.of(
                shown.train,
                standardize=p.data.standardize,
                origin=data.snapshots.times[0] if origin is None else origin,
                unit=p.data.time.unit,
                dtype=p.precision,
            )
        split = Split(
            units.to_model(shown.train),
            units.to_model(shown.test),
            shown.gap / units.unit,
        )
        return cls(p, data, units, shown, split)

    @property
    def unit(self) -> str:
        """What lengths are in."""
        standard = self.p.data.standardize
        return "standardized units" if standard else "units of the data"

    @property
    def axes(self) -> dict[str, Any]:
        """How figures show coordinates and times."""
        axes = self.p.data.axes
        labels = axes.labels or self.data.layout.coordinates(self.data.snapshots.dim)
        return {
            "labels": labels,
            "equal": axes.equal,
            "time_label": self.p.data.time.label,
        }

    def time_name(self, time: float) -> str:
        """A model time as the data write it."""
        return time_text(self.units.to_data_time(time), self.data.snapshots.times)

    def column(self, time: float) -> str:
        """The same under the name of the clock."""
        return f"{self.p.data.time.label} {self.time_name(time)}"

    def with_law(self, p: Any) -> "Setting":
        """The same snapshots with the law and the training of ``p``."""
        return dataclasses.replace(self, p=p)

    def fit(self, directory: RunDirectory, *, resume: bool) -> Fit:
        """Train; history and checkpoints on the way, the model at the end."""
        write_context(directory, self.units, self.data.layout)
        cells = cells_of(self.p.data, self.data.layout, self.shown.train)

        def write(chunk: Chunk) -> None:
            directory.write_history(per_step(chunk.fit))

        train, _, gap = self.split
        fitted = self.p.train(
            spread(train),
            jax.random.key(self.p.seed),
            gap,
            checkpoint_dir=directory.checkpoints(),
            resume=resume,
            callbacks=[write, *directory.watchers],
        )
        fitted = dataclasses.replace(fitted, snapshots=train)
        directory.write_history(per_step(fitted))
        directory.save_fit(fitted, directory.model)
        if cells is not None:
            settings = self.p.model_dump()
            learned = (fitted, self.units)
            write_cells(directory, cells, learned, self.data.layout, settings)
        return fitted

    def tracked(self, fitted: Fit) -> tuple[Fit, Split, bool]:
        """A fit and the split, and whether their rows are the same individuals.

        They are then in one order, which scores do not see.
        """
        data, shown = self.data.snapshots, self.shown
        few = shown.test.sizes[0] < data.sizes[0]
        if not self.p.data.tracked or few:
            return fitted, self.split, False
        rows = individuals(self.p, data.sizes)
        train, test = (
            [rows[k] for k in np.searchsorted(data.times, part.times)]
            for part in (shown.train, shown.test)
        )
        velocities = tuple(
            None if v is None else v[row]
            for v, row in zip(fitted.velocities, train, strict=True)
        )
        fitted = dataclasses.replace(
            fitted, snapshots=rearranged(fitted.snapshots, train), velocities=velocities
        )
        split = self.split._replace(
            train=rearranged(self.split.train, train),
            test=rearranged(self.split.test, test),
        )
        return fitted, split, True

    def refitted(self, fitted: Fit) -> Fit:
        """The law of ``fitted`` on the training snapshots of this setting.

        Itself where it was fitted to them; start velocities of others come from the
        config's rule, with what was learned of it.
        """
        train = self.split.train
        if same(train, fitted.snapshots):
            return fitted
        return self.p.restarted(fitted, train)

    def table(self, report: Report, title: str) -> ScoreTable:
        """``report`` for the reader, with times in the data's units."""
        rows = {
            TITLES[name]: [None if np.isnan(value) else float(value) for value in row]
            for name, row in report.scores.items()
        }
        return ScoreTable(
            f"{title} (exact W1, {self.unit})",
            tuple(map(self.column, report.times)),
            rows,
            floor=self.floor(report.times),
            told={TITLES[name]: sign for name, sign in report.told.items()},
            gaps={TITLES[name]: tuple(d.w1) for name, d in report.differences.items()},
        )

    def metrics(self, report: Report) -> dict[str, float]:
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
        return found | self.noise("test_w1_floor", report.times)

    def noise(self, name: str, times: Iterable[float]) -> dict[str, float]:
        """The mean of the noise of scores under ``name``, where it is known."""
        floor = self.floor(times)
        return {} if None in floor else {name: float(np.mean(np.array(floor)))}

    def floor(self, times: Iterable[float]) -> list[float | None]:
        """The noise of scores at these times (model's), None where it is not known."""
        return [self._floors.get(float(time)) for time in times]

    @functools.cached_property
    def _floors(self) -> dict[float, float | None]:
        test = self.split.test
        return dict(zip(test.times.tolist(), half_sample_floors(test), strict=True))

    def fit_metrics(self, fitted: Fit) -> dict[str, float]:
        """Numbers of a training, and parameters of the law that can be read.

        Its timings where this process trained. Where the data come from known forces,
        the relative errors of the learned ones.
        """
        found = {
            "steps": len(fitted.history["step"]),
            "final_loss": float(np.median(fitted.history["loss"][-50:])),
        }
        if hasattr(fitted, "friction"):
            found["friction"] = fitted.friction
        if fitted.compile_seconds > 0:
            found["seconds_per_step"] = fitted.seconds_per_step
            found["compile_seconds"] = fitted.compile_seconds
        energy = fitted.mechanics.energy
        for name, value in coefficients(energy).items():
            found[name.replace(" ", "_")] = value
        truth = true_energy(self.p)
        if truth is not None:
            errors = reading_errors(energy, truth, self.split.train)._asdict()
            found |= {
                f"{name}_force_error": error
                for name, error in errors.items()
                if error is not None
            }
        return found


def same(a: Snapshots, b: Snapshots) -> bool:
    """Whether both have the same points."""
    return a.sizes == b.sizes and all(map(np.array_equal, a.clouds, b.clouds))


def per_step(fitted: Fit) -> dict[str, np.ndarray]:
    """The columns of the history that have a row for every step."""
    count = len(fitted.history["step"])
    return {name: row for name, row in fitted.history.items() if len(row) == count}
