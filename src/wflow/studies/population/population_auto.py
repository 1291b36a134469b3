"""Forecast snapshots without tuning: held-out ones choose the law, if any."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from wflow.io.cells import load_cells
from wflow.learning import Snapshots
from wflow.plotting.report.blocks import Section
from wflow.populations import BestFit, fit_best
from wflow.populations._best_fit_files import CHOICE, files_of, load_best, save_best
from wflow.studies import AbstractTask, Log, Outcome
from wflow.studies._folder import RunDirectory

from . import _auto, _auto_page
from ._auto_figures import figures
from ._auto_forecast import written
from ._auto_params import Params
from ._auto_rows import BATCHES, batches_of, kept_back, rows_of, same
from ._data import keep, kept, load, with_data
from ._params import FileData
from ._prior import growth_of
from ._said import cells_of, check_column, kept_labels, said_of
from ._saved import data_of, read_context, write_context


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
        write_context(directory, same(data.snapshots), data.layout)
        train, test = config.parts(data.snapshots)
        cells = cells_of(config.data, data.layout, train)
        names = list(dict.fromkeys(config.columns.values()))
        said = said_of(config.data, data.layout, train, cells, names)
        rates = growth_of(config.growth, config.data, said, cells, train.sizes)
        if resume and self.finished(directory).is_file():
            log(f"Seed {config.seed} had finished: its choice is read.")
            best = load_best(directory.models, train)
        else:
            again = config.members + (0 if config.batch is None else BATCHES)
            asked = (config.budget, config.steps, again)
            minutes, memory = _auto.predicted(train, *asked)
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
        known = (data.layout, cells, said)
        outcome = outcome.joined(rows_of(config, directory, best, *known, log))
        if config.batch is not None:
            outcome = outcome.joined(batches_of(config, best, said, log))
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
        return kept_back(config, best, asked, tracked=False)

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
        best, train, _ = self.opened(config, directory)
        return written(config, directory, best, train, times, out)

    def sections(self, config: Params, directory: RunDirectory) -> list[Section]:
        best = self.opened(config, directory)[0]
        cells = load_cells(directory.cells) if directory.cells.is_file() else None
        labels = kept_labels(directory, cells, config.annotation)
        data = data_of(config, directory)
        return [
            *_auto_page.sections(config, best, data, cells, labels, directory.path),
            *super().sections(config, directory),
        ]

    def reasons(self, config: Params, directory: RunDirectory) -> dict[str, str]:
        best = self.opened(config, directory)[0]
        return {"model": str(best), "components": f"{best.components} move"}

    def _scored(self, p: Params, best: BestFit, test: Snapshots | None) -> Outcome:
        found = _auto.judged(best, p.data.time.label)
        return found if test is None else found.joined(kept_back(p, best, test))

    def _draw(
        self,
        p: Params,
        directory: RunDirectory,
        best: BestFit,
        test: Snapshots | None,
        outcome: Outcome,
    ) -> list[Path]:
        drawn = figures(p, best, test, outcome, read_context(directory)[1])
        return [directory.write_figure(name, figure) for name, figure in drawn.items()]


STUDY = PopulationAuto()
