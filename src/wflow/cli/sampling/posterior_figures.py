"""Means and standard deviations of several methods, in units of the reference."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_intervals(
    labels: Sequence[str],
    intervals: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    models: Sequence[str],
    title: str,
) -> "Figure":
    """One row for each number: mean and one standard deviation to either side.

    Args:
        labels: of the rows.
        intervals: for each method means and standard deviations, (value - reference
            mean) / reference sd and ratio to it.
        models: methods to draw in the colour of models.
        title: of the figure.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import MODEL, figure, tidy

    n, k = len(labels), len(intervals)
    drawn = figure(6.8, 1.2 + 0.12 * n * (k + 1.5))
    axes = drawn.subplots()
    axes.axvspan(-1, 1, color="0.94", zorder=0)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    shades = colormaps["viridis"](np.linspace(0.1, 0.85, max(k, 2)))
    for i, (name, (means, sds)) in enumerate(intervals.items()):
        axes.errorbar(
            np.asarray(means),
            np.arange(n) + (i - (k - 1) / 2) / (k + 1.5),
            xerr=np.asarray(sds),
            fmt="o",
            markersize=3,
            linewidth=1.2,
            color=MODEL if name in models else shades[i],
            label=name,
        )
    axes.set_yticks(range(n), labels)
    axes.invert_yaxis()
    # A method that is far off leaves the picture.
    axes.set_xlim(-4, 4)
    axes.set_xlabel("(value - reference mean) / reference standard deviation")
    axes.set_title(title)
    axes.legend(frameon=False, fontsize="small", loc="upper left", ncols=2)
    tidy(axes)
    return drawn
