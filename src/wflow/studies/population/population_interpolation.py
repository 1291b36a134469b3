"""Learn from some snapshots, reach the held-out ones in between."""

from typing import Literal

from matplotlib.figure import Figure

from wflow.learning import Snapshots
from wflow.populations.scores import interpolation_scores
from wflow.studies import Outcome

from . import _figures
from ._params import PopulationParams
from ._setting import Setting
from ._splits import Holdout
from ._task import AbstractPopulationTask, Fits


TITLE = "Held-out snapshots, each from the training snapshot before it"


class Params(PopulationParams):
    """Train on some snapshots, reach each other one from the snapshot before it."""

    task: Literal["population_interpolation"]
    split: Holdout


class PopulationInterpolation(AbstractPopulationTask[Params]):
    """Restarts at the last training snapshot before each held-out one."""

    config = Params

    def score(self, setting: Setting, fits: Fits) -> Outcome:
        substeps = setting.p.evaluation.substeps
        own, split, tracked = setting.tracked(fits["model"])
        options = {"substeps": substeps, "tracked": tracked}
        reports = interpolation_scores(own, split, **options)
        metrics = {
            **setting.metrics(reports["test"]),
            "train_w1": reports["train"].model,
        }
        return Outcome(metrics, [setting.table(reports["test"], TITLE)])

    def figures(
        self, setting: Setting, fits: Fits, outcome: Outcome
    ) -> dict[str, Figure]:
        fitted, (table,) = fits["model"], outcome.tables
        times, substeps = setting.split.test.times, setting.p.evaluation.substeps
        reached = [fitted.interpolate(time, substeps=substeps)[0] for time in times]
        starts = [fitted.snapshots.before(float(time)) for time in times]
        predicted, scores = Snapshots(times, reached), table.rows["model"]
        return {
            **_figures.course(setting, fitted),
            "interpolations": _figures.predictions(
                setting, predicted, starts, scores, TITLE
            ),
            "scores": _figures.scores(setting, table),
        }


STUDY = PopulationInterpolation()
