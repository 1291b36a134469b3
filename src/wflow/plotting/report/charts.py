"""Charts of a report, as Plotly draws them, from arrays."""

import html
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from wflow.plotting.history import by_horizon
from wflow.plotting.style import (
    BASELINES,
    CATEGORIES,
    MODEL,
    OBSERVED,
    QUIET,
    log_number,
    log_ticks,
)

from .blocks import Chart, Table
from .thinning import few


# Points of a curve, which a screen does not tell from more.
_STEPS = 1500
# Letters beside an axis.
_LINE = 34


def shown(text: str) -> str:
    """A text of a file in a chart: as it is written, simple formulas as such."""
    text = html.escape(text, quote=False)
    return re.sub(
        r"\$([^${}]*?)_\{?([^${}]+?)\}?\$", r"<i>\1</i><sub>\2</sub>", text
    ).replace("$", "")


def names(labels: Sequence[str] | None, dim: int, time_label: str) -> tuple[str, str]:
    """Of both axes of the plane in which clouds of ``dim`` coordinates are drawn."""
    given = labels or [f"$x_{k + 1}$" for k in range(dim)]
    return (given[0], given[1]) if dim > 1 else (time_label, given[0])


def rounded(values: ArrayLike, scale: float) -> list[Any]:
    """Numbers in few digits: none is off by more than a ten thousandth of ``scale``.

    What is not finite is None.
    """
    digits = 4 - int(np.floor(np.log10(scale))) if scale > 0 else 4
    found = np.round(np.asarray(values, np.float64), min(max(digits, -300), 300))
    return _plain(found)


def _plain(values: np.ndarray) -> list[Any]:
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [float(v) if np.isfinite(v) else None for v in values]


def extent(values: ArrayLike) -> float:
    """From the least to the largest of the finite values."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    return float(np.ptp(values)) if values.size else 0.0


def axis(label: str, **more: Any) -> dict[str, Any]:
    """An axis with its name, in several lines where that is long."""
    lines = textwrap.wrap(label, _LINE) or [""]
    return {"title": {"text": "<br>".join(map(shown, lines))}, **more}


def log_axis(label: str, values: ArrayLike) -> dict[str, Any]:
    """A logarithmic axis for these values; a linear one where none is positive."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return axis(label)
    ticks = log_ticks(values.min() / 1.1, values.max() * 1.1)
    texts = []
    for text, power in map(log_number, ticks):
        front = f"{text}\u00d7" if text and power is not None else text
        texts.append(front if power is None else f"{front}10<sup>{power}</sup>")
    return axis(label, type="log", tickvals=ticks.tolist(), ticktext=texts)


def score_chart(table: Table) -> Chart:
    """Bars of every method side by side, with intervals and the noise of a score.

    What stands last in parentheses in the title is the name of the axis.
    """
    label = (re.findall(r"\(([^()]*)\)", table.title) or ["score"])[-1]
    columns = [shown(column) for column in table.columns]
    # Grays that come again are hatched.
    grays = iter([(gray, shape) for shape in ("", "/", ".") for gray in BASELINES])
    inks, traces = iter(CATEGORIES), []
    shapes: list[dict[str, Any]] = []
    first = True
    for name, row in table.rows.items():
        if name in table.models:
            color, shape = MODEL if first else next(inks, QUIET), ""
            first = False
        else:
            color, shape = next(grays, (QUIET, "x"))
        bar: dict[str, Any] = {
            "type": "bar",
            "name": shown(name),
            "x": columns,
            "y": [None if v is None or not np.isfinite(v) else v for v in row],
            "marker": {"color": color, "pattern": {"shape": shape}},
            "hovertemplate": "%{x}<br>%{y:.4g}<extra>%{fullData.name}</extra>",
        }
        if ends := table.spread.get(name):
            bar["error_y"] = _bars(row, ends)
        traces.append(bar)
    if table.floor is not None and any(v is not None for v in table.floor):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"noise: {table.noise_of}",
                "x": columns,
                "y": list(table.floor),
                "marker": {
                    "symbol": "line-ew-open",
                    "size": 20,
                    "color": "black",
                    "line": {"width": 2},
                },
                "hovertemplate": "%{x}<br>%{y:.4g}<extra>noise</extra>",
            }
        )
        # Over the whole group: what stands for a category is its number.
        edge = {"type": "line", "xref": "x", "yref": "y", "line": {"width": 2}}
        for k, noise in enumerate(table.floor):
            if noise is not None:
                shapes.append({**edge, "x0": k - 0.4, "x1": k + 0.4, "y0": noise})
                shapes[-1]["y1"] = noise
    note = "Lower is better."
    if table.spread:
        note += " Thin lines are intervals."
    layout = {
        "barmode": "group",
        "xaxis": {"type": "category"},
        "yaxis": axis(label, rangemode="tozero"),
        "shapes": shapes,
    }
    return Chart(traces, layout, table.title, note)


def _bars(
    row: Sequence[float | None], ends: Sequence[tuple[float, float] | None]
) -> dict[str, Any]:
    above: list[float | None] = []
    below: list[float | None] = []
    for value, pair in zip(row, ends, strict=True):
        if value is None or pair is None:
            above.append(None)
            below.append(None)
            continue
        above.append(max(pair[1] - value, 0.0))
        below.append(max(value - pair[0], 0.0))
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "thickness": 1.2,
        "width": 3,
    }


def loss_chart(
    step: ArrayLike,
    loss: ArrayLike,
    *,
    horizon: ArrayLike | None = None,
    label: str = "loss",
) -> Chart:
    """Loss over steps, with a running median for each length of the rollouts."""
    step, loss = np.asarray(step, np.float64), np.asarray(loss, np.float64)
    at = few(len(step), _STEPS)
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "each step",
            "x": _plain(step[at]),
            "y": _plain(_digits(loss[at])),
            "marker": {"size": 4, "color": QUIET, "opacity": 0.6},
        }
    ]
    curves = by_horizon(step, loss, None if horizon is None else np.asarray(horizon))
    for (name, (x, y)), ink in zip(curves.items(), CATEGORIES, strict=False):
        at = few(len(x), _STEPS)
        color = MODEL if len(curves) == 1 else ink
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": _plain(x[at]),
                "y": _plain(_digits(y[at])),
                "line": {"color": color, "width": 2},
            }
        )
    layout = {"xaxis": axis("step"), "yaxis": log_axis(label, loss)}
    return Chart(traces, layout, "Loss")


def _digits(values: np.ndarray) -> np.ndarray:
    """Four significant digits."""
    return np.array([float(f"{value:.4g}") for value in values])


def line_chart(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    x: str,
    y: str,
    *,
    dots: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    title: str = "",
    note: str = "",
    log: bool = False,
) -> Chart:
    """Curves by name, the first of them the model's, and observed dots."""
    traces: list[dict[str, Any]] = []
    inks = [MODEL, *BASELINES]
    for k, (name, (xs, ys)) in enumerate(curves.items()):
        xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
        at = few(len(xs), _STEPS)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": shown(name),
                "x": _plain(xs[at]),
                "y": _plain(_digits(ys[at])),
                "line": {"color": inks[k % len(inks)], "width": 2},
            }
        )
    for name, (xs, ys) in (dots or {}).items():
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": shown(name),
                "x": _plain(np.asarray(xs, np.float64)),
                "y": _plain(_digits(np.asarray(ys, np.float64))),
                "marker": {
                    "symbol": "circle-open",
                    "size": 9,
                    "color": OBSERVED,
                    "line": {"width": 2},
                },
            }
        )
    up = axis(y)
    if log:
        both = [ys for _, ys in (*curves.values(), *(dots or {}).values())]
        up = log_axis(y, np.concatenate([np.ravel(np.asarray(ys)) for ys in both]))
    layout = {"xaxis": axis(x), "yaxis": up}
    return Chart(traces, layout, title, note)
