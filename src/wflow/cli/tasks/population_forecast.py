"""Learn from the first snapshots, forecast the later ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wflow.cli.population import ensemble
from wflow.cli.population.data import load
from wflow.cli.population.figures import draw_course, draw_predictions, draw_scores
from wflow.cli.population.schema import ForecastConfig
from wflow.cli.population.study import Study
from wflow.cli.population.task import AbstractPopulationTask, open_study
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome


if TYPE_CHECKING:
    from wflow.learning import Fit
    from wflow.studies._task import Log


class PopulationForecast(AbstractPopulationTask[ForecastConfig]):
    """Forecasts from the last training snapshot and, as in training, from the first.

    With an ensemble, bands of statistics of the former.
    """

    summary = "learn from the first snapshots, forecast the later ones"
    config = ForecastConfig

    def check(self, config: ForecastConfig, source: str) -> None:
        super().check(config, source)
        if config.ensemble is not None:
            ensemble.check(Study.of(config, load(config, source)))

    def run(
        self,
        config: ForecastConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        outcome = super().run(config, directory, resume=resume, log=log)
        if config.ensemble is None:
            return outcome
        study = Study.of(config, load(config, str(directory.config)))
        fits, error = ensemble.fit_members(study, directory, resume, log)
        bands = ensemble.bands_of(study, fits, error)
        outcome = outcome.joined(ensemble.judged(study, bands, error))
        directory.write_metrics(outcome.metrics)
        ensemble.write_bands(study, bands, directory)
        ensemble.draw_bands(study, bands, directory)
        return outcome

    def evaluate(
        self, config: ForecastConfig, directory: RunDirectory, log: "Log"
    ) -> Outcome:
        outcome = super().evaluate(config, directory, log)
        if config.ensemble is None:
            return outcome
        study, _ = open_study(config, directory)
        fits, error = ensemble.load_members(config, directory)
        bands = ensemble.bands_of(study, fits, error)
        return outcome.joined(ensemble.judged(study, bands, error))

    def plot(self, config: ForecastConfig, directory: RunDirectory) -> list[Path]:
        paths = super().plot(config, directory)
        if config.ensemble is None:
            return paths
        study, _ = open_study(config, directory)
        bands = ensemble.bands_of(study, *ensemble.load_members(config, directory))
        return [*paths, ensemble.draw_bands(study, bands, directory)]

    def forecast(
        self,
        config: ForecastConfig,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str,
    ) -> Path:
        path = super().forecast(config, directory, times, out, start)
        # Bands are of forecasts from the last snapshot.
        if config.ensemble is not None and start == "last_snapshot":
            ensemble.write_forecast_bands(config, directory, times, path)
        return path

    def score(self, study: Study, fitted: "Fit") -> Outcome:
        from wflow.populations import forecast_scores

        substeps = study.config.evaluation.substeps
        reports = forecast_scores(fitted, study.split, substeps=substeps)
        last, first = reports["from_last"], reports["from_first"]
        metrics = {
            **study.metrics(last),
            "forecast_w1": last.model,
            "test_w1_from_last": last.model,
            "test_w1_from_first": first.model,
            "train_w1": reports["train"].model,
        }
        tables = [
            study.table(last, "Forecasts from the last training snapshot"),
            study.table(first, "Forecasts from the first snapshot"),
        ]
        return Outcome(metrics, tables)

    def draw(
        self, study: Study, fitted: "Fit", outcome: Outcome, directory: RunDirectory
    ) -> list[Path]:
        paths = draw_course(study, fitted, directory)
        substeps = study.config.evaluation.substeps
        starts = (
            ("forecasts", "last_snapshot", len(study.split.train) - 1, "last training"),
            ("forecasts_from_first", "initial", 0, "first"),
        )
        for (name, start, k, words), table in zip(starts, outcome.tables, strict=True):
            predicted = fitted.forecast(
                study.split.test.times, start, substeps=substeps
            )
            path = draw_predictions(
                study,
                predicted,
                [k] * len(predicted),
                table.rows["model"],
                name,
                f"Forecasts from the {words} snapshot",
                directory,
            )
            paths.append(path)
        return [*paths, draw_scores(study, outcome.tables[0], directory)]


TASK = PopulationForecast()
