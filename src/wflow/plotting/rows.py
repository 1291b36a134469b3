"""Numbers with their errors as rows of bars."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from .style import figure, tidy


def plot_rows(
    panels: Mapping[str, Mapping[str, tuple[float, float]]],
    colors: Mapping[str, Any],
    *,
    title: str = "",
) -> Figure:
    """A frame for each score, with a bar for each method.

    Args:
        panels: by the name of a score, for every method its value and standard error.
        colors: of the methods, from the top down.
        title: of the figure.
    """
    drawn = figure(2.9 * len(panels) + 1.4, 3.2)
    frames = drawn.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (label, scores) in zip(frames, panels.items(), strict=True):
        for row, (method, color) in enumerate(colors.items()):
            value, error = map(float, scores[method])
            bar = {"xerr": error, "color": color, "error_kw": {"capsize": 2}}
            axes.barh(row, value, 0.7, **bar)
            axes.annotate(
                f"{value:.3g}",
                (value + error, row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_xlabel(label)
        axes.set_yticks(range(len(colors)), list(colors))
        axes.margins(x=0.22)
        axes.set_xlim(left=0)
        tidy(axes)
        axes.grid(False, axis="y")
    # One axis for all frames.
    frames[0].invert_yaxis()
    drawn.suptitle(title)
    return drawn
