"""Means and standard deviations of several methods, in units of the reference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BESIDE, MODEL, figure, tidy


# Ends of the axes; what lies beyond is drawn hollow at the end.
_MEANS = (-1.5, 1.5)
_RATIOS = (0.25, 4.0)


def plot_moments(
    labels: Sequence[str],
    moments: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    models: Sequence[str],
    title: str,
) -> Figure:
    """A row for each number: errors of the means, and beside them ratios of the sds.

    Args:
        labels: of the rows.
        moments: for each method (mean - reference mean) / reference sd, and sd /
            reference sd.
        models: methods to draw in the color of models.
        title: of the figure.
    """
    n, k = len(labels), len(moments)
    drawn = figure(8.2, max(1.6 + 0.34 * n, 3.4))
    left, right = drawn.subplots(1, 2, sharey=True)
    for i, (name, (means, sds)) in enumerate(moments.items()):
        rows = np.arange(n) + 0.7 * (i - (k - 1) / 2) / k
        own = name in models
        style = {
            "color": MODEL if own else BESIDE[i % len(BESIDE)],
            # Colors that come again have another shape.
            "marker": "os^Dv"[i // len(BESIDE) % 5],
            "s": 26 if own else 14,
        }
        _dots(left, np.asarray(means), rows, _MEANS, style, name)
        _dots(right, np.asarray(sds), rows, _RATIOS, style, name)
    for axes, neutral in ((left, 0), (right, 1)):
        axes.axvline(neutral, color="0.5", linewidth=0.8, zorder=0)
        for row in range(1, n, 2):
            axes.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=-1)
        tidy(axes)
        axes.grid(False, axis="y")
    left.set_yticks(range(n), labels)
    left.set_ylim(n - 0.5, -0.5)
    left.set_xlim(*_MEANS)
    left.set_xlabel("error of the mean / reference sd")
    right.set_xscale("log", base=2)
    right.set_xlim(*_RATIOS)
    right.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    right.set_xlabel("sd / reference sd")
    drawn.suptitle(title)
    drawn.legend(
        *left.get_legend_handles_labels(),
        frameon=False,
        fontsize="small",
        loc="outside right upper",
    )
    return drawn


def _dots(
    axes: Axes,
    values: np.ndarray,
    rows: np.ndarray,
    limits: tuple[float, float],
    style: Mapping[str, Any],
    label: str,
) -> None:
    """Dots; those out of the picture hollow at its edge, nan left out."""
    inside = (values > limits[0]) & (values < limits[1])
    axes.scatter(values[inside], rows[inside], zorder=3, **style)
    out = ~inside & ~np.isnan(values)
    hollow = {key: value for key, value in style.items() if key != "color"}
    axes.scatter(
        np.clip(values[out], *limits),
        rows[out],
        facecolors="none",
        edgecolors=[style["color"]],
        clip_on=False,
        zorder=3,
        **hollow,
    )
    axes.scatter([], [], label=label, **style)
