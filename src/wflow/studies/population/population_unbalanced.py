"""Learn how a population moves and grows, from clouds and their sizes."""

import dataclasses
from typing import Annotated, Literal

import numpy as np
from matplotlib.figure import Figure
from pydantic import model_validator

from wflow import flows
from wflow.flows import NeuralRate
from wflow.learning import Fit
from wflow.learning.report import Report
from wflow.studies import Outcome, Part, ScoreTable, Spec
from wflow.studies._folder import RunDirectory
from wflow.transport import w1

from . import _figures
from ._params import PopulationParams
from ._setting import TITLES, Setting
from ._splits import All
from ._task import AbstractPopulationTask, Fits


BALANCED = "balanced model"
TITLE = "Weighted clouds from the first snapshot"


class Params(PopulationParams):
    """Train on all snapshots of a population that grows; beside it a balanced fit.

    Attributes:
        growth: births less deaths.
        split: all snapshots train, and are reached from the first.
    """

    task: Literal["population_unbalanced"]
    growth: Annotated[Spec | None, Part(flows, of=NeuralRate, needs=["dim", "key"])] = {
        "kind": "NeuralRate"
    }
    split: All = All(kind="all")

    @model_validator(mode="after")
    def _grows(self) -> "Params":
        if self.data.masses is None:
            raise ValueError(
                "data.masses is missing: expected counts (the number of points of each "
                "snapshot) or a list of numbers."
            )
        return self

    def without_growth(self) -> "Params":
        """The same with the mass held fixed, and not compared."""
        fit = dict(self.fit)
        loss = fit.pop("loss", {})
        if "shape" in loss:
            fit["loss"] = loss["shape"]
        return self.model_copy(update={"growth": None, "fit": fit})


class PopulationUnbalanced(AbstractPopulationTask[Params]):
    """Mechanics and growth learned together from clouds and their masses."""

    config = Params

    def models(
        self, p: Params, directory: RunDirectory
    ) -> dict[str, tuple[Params, RunDirectory]]:
        balanced = (p.without_growth(), directory.balanced)
        return {**super().models(p, directory), BALANCED: balanced}

    def score(self, setting: Setting, fits: Fits) -> Outcome:
        model, other = (_report(setting, fits[name]) for name in ("model", BALANCED))
        still = _persistence(setting)
        errors = {"": _mass_errors(model), "balanced_": _mass_errors(other)}
        metrics = {
            "persistence_w1_mean": float(np.mean(still)),
            **setting.noise("w1_floor", model.times),
        }
        for prefix, report in (("", model), ("balanced_", other)):
            metrics[f"{prefix}w1_mean"] = report.model
            metrics[f"{prefix}max_relative_mass_error"] = errors[prefix].max()
        for k, time in enumerate(map(setting.time_name, model.times)):
            metrics[f"w1_{time}"] = model.scores["model"][k]
            metrics[f"balanced_w1_{time}"] = other.scores["model"][k]
            metrics[f"relative_mass_error_{time}"] = errors[""][k]
        clouds = setting.table(model, TITLE)
        rows = {
            "model": clouds.rows["model"],
            BALANCED: other.scores["model"].tolist(),
            TITLES["persistence"]: still,
        }
        masses = ScoreTable(
            "Relative error of the total mass",
            clouds.columns,
            {
                "model": errors[""].tolist(),
                "mass fixed": errors["balanced_"].tolist(),
            },
        )
        return Outcome(metrics, [dataclasses.replace(clouds, rows=rows), masses])

    def figures(
        self, setting: Setting, fits: Fits, outcome: Outcome
    ) -> dict[str, Figure]:
        fitted = fits["model"]
        drawn = _figures.course(setting, fitted)
        if setting.split.train.dim == 2:
            drawn["growth"] = _figures.growth(setting, fitted)
        models = {"model": fitted, "mass fixed": fits[BALANCED]}
        drawn["masses"] = _figures.masses(setting, models)
        table = outcome.tables[0]
        times, substeps = setting.split.test.times, setting.p.evaluation.substeps
        for name, title, method in (
            ("clouds", TITLE, "model"),
            ("clouds_balanced", "Without growth", BALANCED),
        ):
            predicted = fits[method].forecast(times, "initial", substeps=substeps)
            starts, scores = [0] * len(times), table.rows[method]
            drawn[name] = _figures.predictions(
                setting, predicted, starts, scores, title
            )
        return {**drawn, "scores": _figures.scores(setting, table)}


def _report(setting: Setting, fitted: Fit) -> Report:
    substeps = setting.p.evaluation.substeps
    return fitted.report(
        setting.split.test, baselines=False, start="initial", substeps=substeps
    )


def _persistence(setting: Setting) -> list[float]:
    """The one baseline that does not look at the snapshots that are scored."""
    train, test, _ = setting.split
    return [
        w1(train[0], cloud, train.weight(0), test.weight(k))
        for k, cloud in enumerate(test)
    ]


def _mass_errors(report: Report) -> np.ndarray:
    if report.mass_errors is None:
        raise ValueError("the snapshots have no masses.")
    return report.mass_errors


STUDY = PopulationUnbalanced()
