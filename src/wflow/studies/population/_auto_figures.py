"""Figures of a choice: snapshots, forecasts, scores of all answers."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from wflow.io.base import Layout
from wflow.learning import Snapshots
from wflow.plotting import plot_forecasts, plot_scores, plot_snapshots
from wflow.populations import BestFit
from wflow.populations._best_fit import WHERE
from wflow.studies import Outcome

from . import _auto
from ._auto_params import Params


# Panels of a figure of forecasts.
_PANELS = 4


def figures(
    p: Params,
    best: BestFit,
    test: Snapshots | None,
    outcome: Outcome,
    layout: Layout,
) -> dict[str, Figure]:
    """The snapshots, what is forecast, and the scores of all answers."""
    train, axes = best.snapshots, p.data.axes
    shown: dict[str, Any] = {
        "labels": axes.labels or layout.coordinates(train.dim),
        "equal": axes.equal,
        "time_label": p.data.time.label,
    }
    times, observed = midway(train.times), None
    if test is not None:
        times, observed = test.times, test.clouds
    clouds = best.forecast(times)
    figures = {
        "snapshots": plot_snapshots(train.times, train.clouds, **shown),
        "forecasts": plot_forecasts(
            times,
            [None] * len(times) if observed is None else observed,
            clouds.clouds,
            start=[train[train.before(float(time))] for time in times],
            start_label="snapshot before",
            predicted_label="forecast",
            weights=clouds.weights,
            title="Forecasts",
            **shown,
        ),
    }
    contests = _auto.contests(best)
    for (question, one), table in zip(contests.items(), outcome.tables, strict=False):
        figures[f"scores_{question}"] = plot_scores(
            table.columns,
            table.rows,
            models=(one.winner,),
            label=_auto.unit(best),
            floor=table.floor,
            intervals=table.intervals,
            title=f"{WHERE[question]} (in color: the answer that is kept)",
        )
    return figures


def midway(times: np.ndarray) -> np.ndarray:
    """Times midway between snapshots, a few of them."""
    middle = (times[1:] + times[:-1]) / 2
    if len(middle) <= _PANELS:
        return middle
    return middle[np.linspace(0, len(middle) - 1, _PANELS).astype(int)]
