"""Forecasts from the last training snapshot and from the first: scores and figures."""

import dataclasses
from collections.abc import Sequence

from matplotlib.figure import Figure

from wflow.learning import Fit
from wflow.populations.protocols import Split
from wflow.populations.scores import forecast_scores
from wflow.studies import Outcome, ScoreTable

from . import _figures
from ._data import first_points
from ._setting import Setting


def scored(setting: Setting, fitted: Fit) -> Outcome:
    """A table for either start."""
    substeps = setting.p.evaluation.substeps
    own, split, tracked = setting.tracked(fitted)
    reports = forecast_scores(own, split, substeps=substeps, tracked=tracked)
    last, first = reports["from_last"], reports["from_first"]
    metrics = {
        **setting.metrics(last),
        "forecast_w1": last.model,
        "test_w1_from_last": last.model,
        "test_w1_from_first": first.model,
        "train_w1": reports["train"].model,
    }
    tables = [
        setting.table(last, "Forecasts from the last training snapshot"),
        setting.table(first, "Forecasts from the first snapshot"),
    ]
    return Outcome(metrics, tables)


def drawn(
    setting: Setting, fitted: Fit, tables: Sequence[ScoreTable]
) -> dict[str, Figure]:
    """The course of the training, the forecasts, and the bars of their scores."""
    found = _figures.course(setting, fitted)
    times, substeps = setting.split.test.times, setting.p.evaluation.substeps
    last = len(setting.split.train) - 1
    for (name, start, k, words), table in zip(
        (
            ("forecasts", "last_snapshot", last, "last training"),
            ("forecasts_from_first", "initial", 0, "first"),
        ),
        tables,
        strict=True,
    ):
        predicted = fitted.forecast(times, start, substeps=substeps)
        found[name] = _figures.predictions(
            setting,
            predicted,
            [k] * len(predicted),
            table.rows["model"],
            f"Forecasts from the {words} snapshot",
        )
    return {**found, "scores": _figures.scores(setting, tables[0])}


def thinned(setting: Setting, fitted: Fit, points: int) -> tuple[Setting, Fit]:
    """Both with the first ``points`` of every cloud; samples are in no order."""

    def few(split: Split) -> Split:
        train, test = (
            first_points(split.train, points),
            first_points(split.test, points),
        )
        return split._replace(train=train, test=test)

    velocities = tuple(None if v is None else v[:points] for v in fitted.velocities)
    snapshots = first_points(fitted.snapshots, points)
    return (
        dataclasses.replace(
            setting, shown=few(setting.shown), split=few(setting.split)
        ),
        dataclasses.replace(fitted, snapshots=snapshots, velocities=velocities),
    )
