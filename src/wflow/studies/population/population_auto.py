"""Forecast snapshots without tuning: held-out ones choose the law, if any."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.io import SnapshotFileError, write_snapshots
from wflow.io.base import Layout, SnapshotFile
from wflow.io.cells import Moved, load_cells
from wflow.io.npz import NPZ
from wflow.learning import Snapshots
from wflow.learning.report import score
from wflow.learning.snapshots import Standardization
from wflow.plotting import plot_forecasts, plot_scores, plot_snapshots
from wflow.plotting.report.blocks import Section
from wflow.populations import BestFit, fit_best
from wflow.populations._batches import leave_batches_out
from wflow.populations._best_fit_files import CHOICE, files_of, load_best, save_best
from wflow.populations._members import FEWEST, members, spread
from wflow.populations.conversion import Units
from wflow.populations.protocols import Split
from wflow.studies import AbstractTask, Count, Log, Outcome, Positive, StudyParams
from wflow.studies._folder import RunDirectory

from . import _auto, _auto_page
from ._data import individuals, keep, kept, load, rearranged, with_data
from ._fates import Fates, fates
from ._params import FileData, GapminderData, SimulatedData
from ._prior import GeneSets, growth_of
from ._said import (
    Said,
    cells_of,
    check_column,
    forecast_columns,
    kept_labels,
    said_of,
    write_rows,
)
from ._saved import data_of, read_context, write_context
from ._setting import Setting
from ._splits import All, Fraction, Holdout, Last, Until
from ._times import time_text
from ._written import learned, write_cells


# Mass from type to type.
FATES = "fates.csv"
# Panels of a figure of forecasts; batches that are left out at most.
_PANELS, _BATCHES = 4, 8


class Params(StudyParams):
    """Choose by held-out snapshots how the population moves; see ``wflow.fit_best``.

    Attributes:
        data: the snapshots.
        split: what is kept from the choice, to be scored at the end.
        model: how it is chosen.
        budget: seconds that the choice may take.
        steps: of each training.
        components: how many leading coordinates move; chosen if not given.
        annotation: the column that says what a row is.
        batch: the column that says which batch or donor a row is of: the law of all
            others is scored on the rows of each.
        growth: what is known of the growth of single rows: a column of rates per time,
            or sets of genes.
        members: laws of resampled rows that say how sure the chosen one is, in bands
            and the column ``uncertainty``; 0 for none.
    """

    task: Literal["population_auto"]
    data: Annotated[
        GapminderData | FileData | SimulatedData, Field(discriminator="kind")
    ]
    split: Annotated[
        All | Until | Last | Fraction | Holdout, Field(discriminator="kind")
    ] = All(kind="all")
    model: Literal["auto"] = "auto"
    budget: Positive = 300.0
    steps: Count = 1000
    components: Count | None = None
    annotation: str | None = None
    batch: str | None = None
    growth: str | GeneSets | None = None
    members: Annotated[int, Field(ge=0)] = 8

    @model_validator(mode="after")
    def _chosen(self) -> "Params":
        clock = self.data.time
        if (clock.origin, clock.unit) != (None, 1) and not isinstance(
            self.data, GapminderData
        ):
            raise ValueError(
                "data.time: expected a label alone; units of the model are chosen."
            )
        if 0 < self.members < FEWEST:
            raise ValueError(
                f"members: expected 0 or at least {FEWEST}, found {self.members}."
            )
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Names of columns that are asked for, by key."""
        asked = {key: getattr(self, key) for key in ("annotation", "batch", "growth")}
        return {key: name for key, name in asked.items() if isinstance(name, str)}

    def parts(self, snapshots: Snapshots) -> tuple[Snapshots, Snapshots | None]:
        """What the choice sees, and what is kept back; tracked rows in one order."""
        if self.data.tracked:
            snapshots = rearranged(snapshots, individuals(self, snapshots.sizes))
        if isinstance(self.split, All):
            return snapshots, None
        train, test, _ = self.split.of(snapshots)
        return train, test


class PopulationAuto(AbstractTask[Params]):
    """A choice, its verdict, and forecasts by what was chosen."""

    config = Params

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: Params, source: str) -> None:
        snapshots = load(config, source).snapshots
        if len(snapshots) < 2:
            raise ValueError(f"{source}: expected two snapshots or more, found 1.")
        config.parts(snapshots)
        path = config.data.path if isinstance(config.data, FileData) else None
        for key, name in config.columns.items():
            check_column(path, key, name)

    def check_other(self, config: Params, source: str) -> None:
        load(config, source)

    def finished(self, directory: RunDirectory) -> Path:
        return directory.models / CHOICE

    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        data = load(config, str(directory.config))
        keep(config, directory, data)
        write_context(directory, _same(data.snapshots), data.layout)
        train, test = config.parts(data.snapshots)
        cells = cells_of(config.data, data.layout, train)
        names = list(dict.fromkeys(config.columns.values()))
        said = said_of(config.data, data.layout, train, cells, names)
        rates = growth_of(config.growth, config.data, said, cells, train.sizes)
        if resume and self.finished(directory).is_file():
            log(f"Seed {config.seed} had finished: its choice is read.")
            best = load_best(directory.models, train)
        else:
            again = config.members + (0 if config.batch is None else _BATCHES)
            options = (config.budget, config.steps, again)
            minutes, memory = _auto.predicted(train, *options)
            log(
                f"{train!r}; the choice will take about {max(minutes, 0.1):.1f} "
                f"minutes and {memory:.1f} GB."
            )
            best = fit_best(
                train,
                key=jax.random.key(config.seed),
                budget=config.budget,
                steps=config.steps,
                standardize=True if config.data.standardize else None,
                components=config.components,
                tracked=bool(config.data.tracked),
                growth=rates,
                log=log,
            )
            directory.models.mkdir(exist_ok=True)
            for name in files_of(best):
                directory.claim(directory.models / name)
            save_best(best, directory.models)
        outcome = self._scored(config, best, test)
        if cells is not None or said.labels is not None:
            laws = _resampled(config, best, log)
            columns, found = _learned(config, best, said, laws)
            if found is not None:
                directory.write_table(FATES, found.table)
                told = f"{FATES} has the mass from each {config.annotation} to each."
                outcome = outcome.joined(Outcome({}, remarks=[told]))
            if cells is not None:
                settings = config.model_dump()
                write_cells(directory, cells, best, data.layout, settings, columns)
            elif said.labels is not None:
                velocity, own = learned(best)
                every = {**own, **columns}
                write_rows(directory, data.layout, best, said.labels, velocity, every)
        if config.batch is not None:
            outcome = outcome.joined(_batches(config, best, said, log))
        directory.write_metrics(outcome.metrics)
        self._draw(config, directory, best, test, outcome)
        # What was chosen and why has been said as it was found.
        said = [line for line in outcome.remarks if line not in best.reasons]
        return Outcome(outcome.metrics, outcome.tables, said)

    def evaluate(self, config: Params, directory: RunDirectory, log: Log) -> Outcome:
        best = self.opened(config, directory)[0]
        if directory.own_data:
            data = data_of(config, directory).snapshots
            return self._scored(config, best, config.parts(data)[1])
        _, layout = read_context(directory)
        asked = load(config, str(directory.config), layout).snapshots
        # Who they are is not known.
        return _kept_back(config, best, asked, tracked=False)

    def plot(self, config: Params, directory: RunDirectory) -> list[Path]:
        best = self.opened(config, directory)[0]
        test = config.parts(data_of(config, directory).snapshots)[1]
        outcome = self._scored(config, best, test)
        return self._draw(config, directory, best, test, outcome)

    def opened(
        self, config: Params, directory: RunDirectory
    ) -> tuple[BestFit, Snapshots, None]:
        data = kept(config, directory) or load(config, str(directory.config))
        train = config.parts(data.snapshots)[0]
        return load_best(directory.models, train), train, None

    def forecast(
        self,
        config: Params,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str | None,
    ) -> Path:
        if start is not None or not directory.own_data:
            raise ValueError(
                "a run of population_auto starts from its snapshots around each time: "
                f"leave {'--data' if start is None else '--start'} out."
            )
        _, layout = read_context(directory)
        best, train, _ = self.opened(config, directory)
        if times[0] < train.times[0]:
            first = time_text(train.times[0])
            raise ValueError(
                f"--times: forecasts begin at {config.data.time.label} {first}, found "
                f"{time_text(times[0])}."
            )
        clouds, cells = best.forecast(times), None
        if layout.format == "h5ad" and directory.cells.is_file():
            offset = np.concatenate([[0], np.cumsum(train.sizes)])
            moved = []
            for time, cloud in zip(times, clouds, strict=True):
                source, row = best.origins(time)
                moved.append(Moved(np.asarray(cloud, float), offset[source] + row))
            cells = load_cells(directory.cells).forecast(layout, times, moved)
        elif layout.format == "csv" and config.annotation is not None:
            shown = list(clouds.clouds)
            told = (directory, layout, best, config.annotation)
            cells = forecast_columns(*told, times, shown)
        try:
            return write_snapshots(out, clouds, layout, cells=cells)
        except (SnapshotFileError, ModuleNotFoundError) as error:
            raise ValueError(str(error)) from error

    def sections(self, config: Params, directory: RunDirectory) -> list[Section]:
        best = self.opened(config, directory)[0]
        known = directory.cells.is_file()
        cells = load_cells(directory.cells) if known else None
        labels = kept_labels(directory, cells, config.annotation)
        data = data_of(config, directory)
        return [
            *_auto_page.sections(config, best, data, cells, labels),
            *super().sections(config, directory),
        ]

    def reasons(self, config: Params, directory: RunDirectory) -> dict[str, str]:
        best = self.opened(config, directory)[0]
        return {"model": str(best), "components": f"{best.components} move"}

    def _scored(self, p: Params, best: BestFit, test: Snapshots | None) -> Outcome:
        found = _auto.judged(best, p.data.time.label)
        return found if test is None else found.joined(_kept_back(p, best, test))

    def _draw(
        self,
        p: Params,
        directory: RunDirectory,
        best: BestFit,
        test: Snapshots | None,
        outcome: Outcome,
    ) -> list[Path]:
        layout = read_context(directory)[1]
        drawn = _figures(p, best, test, outcome, layout)
        return [directory.write_figure(name, figure) for name, figure in drawn.items()]


def _same(snapshots: Snapshots) -> Units:
    """The units of the data: the choice has units of its own."""
    return Units.of(
        snapshots, standardize=False, origin=0.0, unit=1.0, dtype=str(snapshots.dtype)
    )


def _setting(p: Params, train: Snapshots, test: Snapshots) -> Setting:
    units = _same(train)
    split = Split(train, test, float(np.diff(train.times).min()))
    return Setting(p, SnapshotFile(test, NPZ), units, split, split)


def _kept_back(
    p: Params, best: BestFit, test: Snapshots, tracked: bool | None = None
) -> Outcome:
    """Forecasts of snapshots that the choice has not seen, in the units of its scores.

    Those of the data where one is the unit of all coordinates.
    """
    std, clouds = best.units.std, best.forecast(test.times)
    std = std if np.ptp(std) > 0 else np.ones_like(std)
    space = Standardization(np.zeros_like(std), std)
    traced = [best.traced(float(time)) for time in test.times]
    predicted = [cloud._replace(x=cloud.x / std) for cloud in traced]
    train, test = space.apply(best.snapshots), space.apply(test)
    starts = [best.snapshots.before(float(time)) for time in test.times]
    masses = [clouds.mass(k) for k in range(len(clouds))]
    tracked = bool(p.data.tracked) if tracked is None else tracked
    report = score("", predicted, test, train, starts, masses, tracked)
    setting = _setting(p, train, test)
    title = f"Snapshots that were kept back (exact W1, {_auto.unit(best)})"
    table = dataclasses.replace(setting.table(report, ""), title=title)
    return Outcome(setting.metrics(report), [table])


def _resampled(p: Params, best: BestFit, log: Log) -> list[BestFit]:
    """Laws of resampled rows, as many as the budget leaves time for."""
    if p.members == 0 or best.fit is None:
        return []
    left = max(p.budget - best.seconds, 0.1 * p.budget)
    key = jax.random.fold_in(jax.random.key(p.seed), 1)
    laws = members(best, p.members, key=key, seconds=left)
    log(
        f"{len(laws)} laws of resampled rows say how sure the chosen one is."
        if laws
        else "No law of resampled rows: the budget leaves no time for as many as tell."
    )
    return laws


def _learned(
    p: Params, best: BestFit, said: Said, laws: list[BestFit]
) -> tuple[dict[str, np.ndarray], Fates | None]:
    """Columns for every training row, and what types become."""
    columns = {}
    if laws:
        timed = list(zip(best.snapshots, best.snapshots.times, strict=True))
        each = [
            np.concatenate([law.velocity(x, float(t)) for x, t in timed])
            for law in laws
        ]
        deviation, _ = spread(np.stack(each))
        columns["uncertainty"] = np.linalg.norm(deviation, axis=1)
    if p.annotation is None:
        return columns, None
    found = fates(best, said.columns[p.annotation], laws)
    return columns | (found.columns if found else {}), found


def _batches(p: Params, best: BestFit, said: Said, log: Log) -> Outcome:
    """The law of all batches but one, on the rows of that one."""
    name = str(p.batch)
    split = np.cumsum(best.snapshots.sizes)[:-1]
    each = [c.tolist() for c in np.split(said.columns[name].astype(str), split)]
    log(f"Each {name} is left out in turn.")
    key = jax.random.fold_in(jax.random.key(p.seed), 2)
    found = leave_batches_out(best, each, _BATCHES, key=key)
    if found is None:
        why = (
            "no law was trained"
            if best.fit is None
            else "none has rows enough at two times running and leaves enough of others"
        )
        return Outcome({}, remarks=[f"No {name} is left out: {why}."])
    return _auto.batches(best, name, found)


def _figures(
    p: Params,
    best: BestFit,
    test: Snapshots | None,
    outcome: Outcome,
    layout: Layout,
) -> dict[str, Figure]:
    """The snapshots, what is forecast, and the scores of all answers."""
    train, axes = best.snapshots, p.data.axes
    shown: dict[str, Any] = {
        "labels": axes.labels or layout.coordinates(train.dim),
        "equal": axes.equal,
        "time_label": p.data.time.label,
    }
    times, observed = _midway(train.times), None
    if test is not None:
        times, observed = test.times, test.clouds
    clouds = best.forecast(times)
    figures = {
        "snapshots": plot_snapshots(train.times, train.clouds, **shown),
        "forecasts": plot_forecasts(
            times,
            [None] * len(times) if observed is None else observed,
            clouds.clouds,
            start=[train[train.before(float(time))] for time in times],
            weights=clouds.weights,
            title="Forecasts",
            **shown,
        ),
    }
    for question, table in zip(_auto.contests(best), outcome.tables, strict=False):
        figures[f"scores_{question}"] = plot_scores(
            table.columns, table.rows, models=(), label=_auto.unit(best)
        )
    return figures


def _midway(times: np.ndarray) -> np.ndarray:
    """Times midway between snapshots, a few of them."""
    middle = (times[1:] + times[:-1]) / 2
    if len(middle) <= _PANELS:
        return middle
    return middle[np.linspace(0, len(middle) - 1, _PANELS).astype(int)]


STUDY = PopulationAuto()
