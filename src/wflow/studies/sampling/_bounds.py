"""Distances of two flows and the bounds on them, drawn."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from wflow.plotting.panels import Curve, Level, Panel, plot_panels
from wflow.plotting.style import BASELINES, MODEL, OBSERVED


_STYLES = ("-", "--", "-.", ":")


def plot_bounds(
    times: np.ndarray,
    exact: Mapping[str, np.ndarray],
    bounds: Mapping[str, np.ndarray],
    *,
    limit: tuple[str, float] | None = None,
    label: str,
    title: str,
) -> Figure:
    """Exact values with dots, bounds as lines, both axes logarithmic.

    Args:
        times: of all curves, ``(T,)``.
        exact: values ``(T,)`` by name, at most two.
        bounds: on the first of them, by name.
        limit: name and value of a horizontal line.
        label: of the vertical axis.
        title: of the figure.
    """
    curves = [
        Curve(times, values, name, color=BASELINES[k // 4], style=_STYLES[k % 4])
        for k, (name, values) in enumerate(bounds.items())
    ]
    curves += [
        Curve(times, values, name, color=color, style="o-")
        for (name, values), color in zip(exact.items(), (MODEL, OBSERVED), strict=False)
    ]
    levels = []
    largest = max(float(np.max(values)) for values in exact.values())
    if limit is not None:
        levels = [Level(limit[1], label=limit[0], color="0.3", style=":")]
        largest = max(largest, limit[1])
    least = min(float(np.min(values)) for values in exact.values())
    panel = Panel(
        curves,
        "time",
        label,
        title=title,
        levels=levels,
        scales=("log", "log"),
        # Bounds that say nothing any more leave the picture.
        ylim=(least / 2, 40 * largest),
    )
    return plot_panels([panel], width=6.4, height=4.4, legend_below=4)
