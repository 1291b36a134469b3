"""Learn from some snapshots, reach each held-out one from the snapshot before it."""

from pathlib import Path
from typing import TYPE_CHECKING

from wflow.cli.population.figures import draw_course, draw_predictions, draw_scores
from wflow.cli.population.schema import InterpolationConfig
from wflow.cli.population.study import Study
from wflow.cli.population.task import AbstractPopulationTask
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome


if TYPE_CHECKING:
    from wflow.learning import Fit


TITLE = "Held-out snapshots, each from the training snapshot before it"


class PopulationInterpolation(AbstractPopulationTask[InterpolationConfig]):
    """Restarts at the last training snapshot before each held-out one."""

    summary = "learn from some snapshots, reach the held-out ones in between"
    config = InterpolationConfig

    def score(self, study: Study, fitted: "Fit") -> Outcome:
        from wflow.populations import interpolation_scores

        substeps = study.config.evaluation.substeps
        reports = interpolation_scores(fitted, study.split, substeps=substeps)
        metrics = {
            **study.metrics(reports["test"]),
            "train_w1": reports["train"].model,
        }
        return Outcome(metrics, [study.table(reports["test"], TITLE)])

    def draw(
        self, study: Study, fitted: "Fit", outcome: Outcome, directory: RunDirectory
    ) -> list[Path]:
        from wflow.learning import Snapshots

        paths = draw_course(study, fitted, directory)
        times = study.split.test.times
        substeps = study.config.evaluation.substeps
        predicted = [fitted.interpolate(time, substeps=substeps) for time in times]
        paths.append(
            draw_predictions(
                study,
                Snapshots(times, [clouds[0] for clouds in predicted]),
                [fitted.snapshots.before(float(time)) for time in times],
                outcome.tables[0].rows["model"],
                "interpolations",
                TITLE,
                directory,
            )
        )
        return [*paths, draw_scores(study, outcome.tables[0], directory)]


TASK = PopulationInterpolation()
