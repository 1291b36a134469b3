"""What the population tasks do alike: load, split, fit, score, draw."""

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure

from wflow.learning import Fit, Snapshots
from wflow.plotting.report.blocks import Section
from wflow.populations.conversion import Units
from wflow.studies import AbstractTask, Log, Outcome
from wflow.studies._folder import RunDirectory

from . import _page
from ._bands import Bands
from ._data import keep, load, with_data
from ._params import PopulationParams
from ._saved import (
    check_times,
    data_of,
    load_fit,
    read_context,
    trained_until,
    write_forecast,
)
from ._setting import Setting


Params = TypeVar("Params", bound=PopulationParams)
Fits = Mapping[str, Fit]


class AbstractPopulationTask(AbstractTask[Params]):
    """A run that learns one law, or that and others beside it, of one split.

    Where the parameters have an ``ensemble``, bands on the forecasts beside.
    """

    @abc.abstractmethod
    def score(self, setting: Setting, fits: Fits) -> Outcome:
        """Scores on the held-out snapshots, those of the baselines beside."""

    @abc.abstractmethod
    def figures(
        self, setting: Setting, fits: Fits, outcome: Outcome
    ) -> dict[str, Figure]:
        """Figures by name."""

    def models(
        self, p: Params, directory: RunDirectory
    ) -> dict[str, tuple[Params, RunDirectory]]:
        """The laws that are learned: parameters and folder of each, by name."""
        return {"model": (p, directory)}

    def seen(self, setting: Setting, name: str, own: Params) -> Setting:
        """What the law of that name is fitted to, with its parameters."""
        del name
        return setting.with_law(own)

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: Params, source: str) -> None:
        setting = Setting.of(config, load(config, source))
        if ensemble := _ensemble(config):
            ensemble.check(setting)

    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        data = load(config, str(directory.config))
        keep(config, directory, data)
        setting = Setting.of(config, data)
        train, test, _ = setting.split
        log(
            f"{len(train)} snapshots to train on, {len(test)} held out: "
            f"{data.snapshots!r}"
        )
        fits = {}
        for name, (own, folder) in self.models(config, directory).items():
            if folder.path != directory.path:
                folder.make()
            fits[name] = self.seen(setting, name, own).fit(folder, resume=resume)
        found = Outcome(setting.fit_metrics(fits["model"]))
        outcome = found.joined(self.score(setting, fits))
        # Figures come last: whatever happens to them, the scores are kept.
        directory.write_metrics(outcome.metrics)
        self._draw(setting, fits, outcome, directory)
        if ensemble := _ensemble(config):
            bands = ensemble.fit(setting, directory, resume=resume, log=log)
            outcome = outcome.joined(ensemble.judged(setting, bands))
            directory.write_metrics(outcome.metrics)
            ensemble.write(setting, bands, directory)
            directory.write_figure("bands", ensemble.draw(setting, bands))
        return outcome

    def evaluate(self, config: Params, directory: RunDirectory, log: Log) -> Outcome:
        setting, fits = self._opened(config, directory)
        moved = {
            name: self.seen(setting, name, own).refitted(fits[name])
            for name, (own, _) in self.models(config, directory).items()
        }
        outcome = self.score(setting, moved)
        if ensemble := _ensemble(config):
            bands = ensemble.load(setting, directory)
            outcome = outcome.joined(ensemble.judged(setting, bands))
        return outcome

    def opened(
        self, config: Params, directory: RunDirectory
    ) -> tuple[Fit, Snapshots, Units]:
        setting, fits = self._opened(config, directory)
        return fits["model"], setting.shown.train, setting.units

    def plot(self, config: Params, directory: RunDirectory) -> list[Path]:
        setting, fits = self._opened(config, directory)
        paths = self._draw(setting, fits, self.score(setting, fits), directory)
        if ensemble := _ensemble(config):
            drawn = ensemble.draw(setting, ensemble.load(setting, directory))
            paths.append(directory.write_figure("bands", drawn))
        return paths

    def sections(self, config: Params, directory: RunDirectory) -> list[Section]:
        setting, fits = self._opened(config, directory)
        return [
            *_page.sections(setting, fits["model"]),
            *super().sections(config, directory),
        ]

    def forecast(
        self,
        config: Params,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str | None,
    ) -> Path:
        path = write_forecast(config, directory, times, out, start)
        ensemble = _ensemble(config)
        # Bands are of forecasts from the last snapshot.
        if (
            ensemble
            and start != "initial"
            and times[0] >= trained_until(config, directory)
        ):
            beside = path.with_suffix(".bands.csv")
            ensemble.write_forecast(config, directory, times, beside)
        return path

    def _opened(self, p: Params, directory: RunDirectory) -> tuple[Setting, Fits]:
        """A finished run, on the data that ``p`` names."""
        units, _ = read_context(directory)
        setting = Setting.of(p, data_of(p, directory, units), units)
        models = self.models(p, directory).items()
        fits = {name: load_fit(own, folder) for name, (own, folder) in models}
        check_times(p, setting.shown.train, setting.units, fits["model"])
        return setting, fits

    def _draw(
        self, setting: Setting, fits: Fits, outcome: Outcome, directory: RunDirectory
    ) -> list[Path]:
        drawn = self.figures(setting, fits, outcome)
        return [directory.write_figure(name, figure) for name, figure in drawn.items()]


def _ensemble(p: PopulationParams) -> Bands | None:
    """What ``p`` asks of bands, where the task has any."""
    return getattr(p, "ensemble", None)
