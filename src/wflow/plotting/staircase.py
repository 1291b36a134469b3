"""A loss that falls in steps, beside the steps predicted for it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from .style import MODEL, figure, tidy


if TYPE_CHECKING:
    from matplotlib.figure import Figure


class StaircaseCurve(NamedTuple):
    """One instance: the predicted steps, and losses of runs by name.

    Attributes:
        jumps: predicted times in order.
        levels: predicted loss before the first and after each.
        runs: times and losses by the name of the run, the nearest to the limit last.
    """

    jumps: Float[np.ndarray, " q"]
    levels: Float[np.ndarray, " q+1"]
    runs: Mapping[str, tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]]


def plot_staircase(
    curves: Mapping[str, StaircaseCurve],
    *,
    title: str,
    time_label: str = r"slow time $\tau = t / \log(1/\lambda)$",
) -> "Figure":
    """The losses of runs and the predicted steps, a panel for each instance.

    Args:
        curves: by the name of the instance.
        title: of the figure.
        time_label: of the horizontal axis.
    """
    from matplotlib import colormaps

    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    drawn = figure(3.3 * columns + 0.6, 2.6 * rows + 0.9)
    panels = drawn.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, curve) in zip(panels, curves.items(), strict=False):
        shades = colormaps["viridis"](np.linspace(0.85, 0.1, len(curve.runs)))
        end = max(times[-1] for times, _ in curve.runs.values())
        if len(curve.jumps):
            end = min(end, 1.2 * curve.jumps[-1])
        edges = np.concatenate([[0.0], curve.jumps, [end]])
        axes.stairs(
            curve.levels,
            edges,
            baseline=None,
            color=MODEL,
            linewidth=3.2,
            alpha=0.45,
            label="predicted",
        )
        for shade, (run, (times, losses)) in zip(
            shades, curve.runs.items(), strict=True
        ):
            shown = times <= end
            axes.plot(times[shown], losses[shown], color=shade, lw=1.3, label=run)
        axes.set_title(name, fontsize=9)
        axes.set_xlim(0, end)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=8)
        tidy(axes)
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(curves) - columns) : len(curves)]:
        axes.set_xlabel(time_label, fontsize=9)
    for axes in panels[: len(curves) : columns]:
        axes.set_ylabel("loss", fontsize=9)
    drawn.suptitle(title, fontsize=12)
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
        fontsize=9,
    )
    return drawn
