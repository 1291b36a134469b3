"""What the population tasks do alike."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome
from wflow.studies._task import AbstractTask

from .data import load, with_data
from .kept import keep
from .reading import reading_metrics
from .schema import ForecastConfig, InterpolationConfig, UnbalancedConfig
from .study import (
    Study,
    check_times,
    data_of,
    fit_metrics,
    load_fit,
    read_context,
    write_forecast,
)


if TYPE_CHECKING:
    from wflow.learning import Fit
    from wflow.studies._task import Log

Config = TypeVar("Config", ForecastConfig, InterpolationConfig)


class AbstractPopulationTask(AbstractTask[Config]):
    """Load, split, fit, score, draw."""

    @abc.abstractmethod
    def score(self, study: Study, fitted: "Fit") -> Outcome:
        """Scores on the held-out snapshots, those of the baselines beside."""

    @abc.abstractmethod
    def draw(
        self, study: Study, fitted: "Fit", outcome: Outcome, directory: RunDirectory
    ) -> list[Path]:
        """The figures."""

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: Config, source: str) -> None:
        data = load(config, source)
        Study.of(config, data)

    def run(
        self,
        config: Config,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        data = load(config, str(directory.config))
        keep(config, directory, data)
        study = Study.of(config, data)
        log(
            f"{len(study.split.train)} snapshots to train on, "
            f"{len(study.split.test)} held out: {data.snapshots!r}",
            highlight=False,
            soft_wrap=True,
        )
        fitted = study.fit(directory, resume)
        scored = self.score(study, fitted)
        outcome = Outcome(
            {
                **fit_metrics(fitted),
                **reading_metrics(study, fitted),
                **scored.metrics,
            },
            scored.tables,
            scored.remarks,
        )
        # Figures come last: whatever happens to them, the scores are kept.
        directory.write_metrics(outcome.metrics)
        self.draw(study, fitted, outcome, directory)
        return outcome

    def evaluate(self, config: Config, directory: RunDirectory, log: "Log") -> Outcome:
        study, fitted = open_study(config, directory)
        return self.score(study, study.refitted(fitted))

    def plot(self, config: Config, directory: RunDirectory) -> list[Path]:
        study, fitted = open_study(config, directory)
        return self.draw(study, fitted, self.score(study, fitted), directory)

    def forecast(
        self,
        config: Config,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str,
    ) -> Path:
        return write_forecast(config, directory, times, out, start)


def open_study(
    config: ForecastConfig | InterpolationConfig | UnbalancedConfig,
    directory: RunDirectory,
) -> tuple[Study, "Fit"]:
    """A finished run: its study, on the data that ``config`` names, and its fit."""
    units, _ = read_context(directory)
    data = data_of(config, directory, units)
    study, fitted = Study.of(config, data, units), load_fit(config, directory)
    check_times(config, study.shown.train, units, fitted)
    return study, fitted
