"""Learn how a population moves and grows, from clouds and their sizes."""

import dataclasses
from typing import Annotated, Literal

import numpy as np
from matplotlib.figure import Figure
from pydantic import model_validator

from wflow import flows
from wflow.flows import NeuralRate
from wflow.learning import Fit, Snapshots
from wflow.learning.report import Report
from wflow.populations import simulators
from wflow.populations.scores import growth_correlation
from wflow.studies import Outcome, Part, ScoreTable, Spec
from wflow.studies._folder import RunDirectory
from wflow.transport import w1

from . import _figures
from ._data import load
from ._fresh import MODEL, TRUTH, Fresh
from ._params import MatchedParams
from ._setting import TITLES, Setting
from ._splits import All
from ._task import AbstractPopulationTask, Fits


BALANCED = "balanced model"
FRESH = "model of a draw"
TITLE = "Weighted clouds from the first snapshot"
# The laws that are scored on the data, and their numbers in metrics.json.
PREFIXES = {"model": "", BALANCED: "balanced_"}
# What they are called where masses are shown.
MASSES = {"model": "model", BALANCED: "mass fixed"}


class Params(MatchedParams):
    """Train on all snapshots of a population that grows.

    Attributes:
        growth: births less deaths.
        balanced: whether the same is fitted beside with the mass held fixed.
        fresh: a function of ``wflow.populations.simulators`` that makes populations as
            the data are: the same training on one draw is scored on others, beside what
            that draw itself scores on them.
        split: all snapshots train, and are reached from the first.
    """

    task: Literal["population_unbalanced"]
    growth: Annotated[Spec | None, Part(flows, of=NeuralRate, needs=["dim", "key"])] = {
        "kind": "NeuralRate"
    }
    balanced: bool = True
    fresh: Annotated[
        Spec | None,
        Part(simulators, of=Snapshots, needs=["key", "dim"], optional=True),
    ] = None
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
        found = super().models(p, directory)
        if p.balanced:
            found[BALANCED] = (p.without_growth(), directory.balanced)
        if p.fresh is not None:
            found[FRESH] = (p, directory.fresh)
        return found

    def seen(self, setting: Setting, name: str, own: Params) -> Setting:
        if name == FRESH and own.fresh is not None:
            return Fresh(own.fresh, setting).first
        return super().seen(setting, name, own)

    def check(self, config: Params, source: str) -> None:
        super().check(config, source)
        if config.fresh is not None:
            Fresh(config.fresh, Setting.of(config, load(config, source))).draw(0)

    def score(self, setting: Setting, fits: Fits) -> Outcome:
        names = [name for name in PREFIXES if name in fits]
        reports = {name: _report(setting, fits[name]) for name in names}
        still = _persistence(setting)
        times = setting.split.test.times
        metrics = {
            "persistence_w1_mean": float(np.mean(still)),
            **setting.noise("w1_floor", times),
        }
        errors = {}
        for name, report in reports.items():
            prefix, errors[MASSES[name]] = PREFIXES[name], _mass_errors(report).tolist()
            metrics[f"{prefix}w1_mean"] = report.model
            metrics[f"{prefix}max_relative_mass_error"] = max(errors[MASSES[name]])
            for k, time in enumerate(map(setting.time_name, times)):
                metrics[f"{prefix}w1_{time}"] = report.scores["model"][k]
        for time, error in zip(times, errors["model"], strict=True):
            metrics[f"relative_mass_error_{setting.time_name(time)}"] = error
        clouds = setting.table(reports["model"], TITLE)
        rows = {
            name: report.scores["model"].tolist() for name, report in reports.items()
        }
        rows[TITLES["persistence"]] = still
        masses = ScoreTable("Relative error of the total mass", clouds.columns, errors)
        tables = [dataclasses.replace(clouds, rows=rows), masses]
        found = Outcome(metrics, tables)
        fresh = setting.p.fresh
        if fresh is None:
            return found
        return found.joined(_fresh_scores(Fresh(fresh, setting), fits))

    def figures(
        self, setting: Setting, fits: Fits, outcome: Outcome
    ) -> dict[str, Figure]:
        fitted = fits["model"]
        drawn = _figures.course(setting, fitted)
        if setting.split.train.dim == 2:
            drawn["growth"] = _figures.growth(setting, fitted)
        models = {MASSES[name]: fits[name] for name in PREFIXES if name in fits}
        drawn["masses"] = _figures.masses(setting, models)
        table = outcome.tables[0]
        times, substeps = setting.split.test.times, setting.p.evaluation.substeps
        for name, title, method in (
            ("clouds", TITLE, "model"),
            ("clouds_balanced", "Without growth", BALANCED),
        ):
            if method not in fits:
                continue
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


def _fresh_scores(fresh: Fresh, fits: Fits) -> Outcome:
    """On draws that nothing was trained on; and the growth against the true one."""
    setting, fitted = fresh.setting, fits["model"]
    table = fresh.table(fits[FRESH])
    metrics = {}
    for prefix, name in (("fresh", MODEL), ("fresh_truth", TRUTH)):
        row = table.rows[name]
        metrics[f"{prefix}_w1_mean"] = float(np.mean(np.array(row, float)))
        for time, value in zip(setting.split.test.times, row, strict=True):
            metrics[f"{prefix}_w1_{setting.time_name(time)}"] = value
    rate = fresh.rate
    if rate is not None and fitted.growth is not None:
        shown, units = setting.split.train, setting.units
        metrics["growth_correlation"] = growth_correlation(
            fitted.growth, shown, lambda x: rate(x * units.std + units.mean)
        )
    return Outcome(metrics, [table])


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
