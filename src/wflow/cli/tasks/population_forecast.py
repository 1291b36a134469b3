"""Learn from the first snapshots, forecast the later ones."""

from pathlib import Path
from typing import TYPE_CHECKING

from wflow.cli.population.figures import draw_course, draw_predictions, draw_scores
from wflow.cli.population.schema import ForecastConfig
from wflow.cli.population.study import Study
from wflow.cli.population.task import AbstractPopulationTask
from wflow.cli.report import Outcome
from wflow.cli.rundir import RunDirectory


if TYPE_CHECKING:
    from wflow.learning import Fit


class PopulationForecast(AbstractPopulationTask[ForecastConfig]):
    """Forecasts from the last training snapshot and, as in training, from the first."""

    summary = "learn from the first snapshots, forecast the later ones"
    config = ForecastConfig

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
