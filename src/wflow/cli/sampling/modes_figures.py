"""Mass of every mode against time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_masses(
    weights: Sequence[float],
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    grid: tuple[np.ndarray, np.ndarray] | None,
    *,
    title: str,
) -> "Figure":
    """One panel for each method: runs as thin lines, their mean thick, the grid dashed.

    Args:
        weights: of the modes, drawn as dots at the end.
        curves: for each method times ``(T,)`` and masses ``(runs, T, k)``.
        grid: times and masses ``(T, k)`` of the flow without particles.
        title: of the figure.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import figure, tidy

    columns = min(len(curves), 3)
    rows = -(-len(curves) // columns)
    drawn = figure(3.4 * columns, 2.8 * rows + 0.5)
    panels = drawn.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    colours = colormaps["viridis"](np.linspace(0.05, 0.85, len(weights)))
    for axes, (name, (times, masses)) in zip(panels, curves.items(), strict=False):
        for k, colour in enumerate(colours):
            axes.plot(times, masses[:, :, k].T, color=colour, linewidth=0.5, alpha=0.5)
            axes.plot(times, masses[:, :, k].mean(0), color=colour, label=f"{k + 1}")
            if grid is not None and np.isclose(times[-1], grid[0][-1]):
                axes.plot(*(grid[0], grid[1][:, k]), "--", color="0.2", linewidth=0.9)
            axes.plot(times[-1], weights[k], "o", color=colour, clip_on=False)
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("time of the flow")
        axes.set_ylim(0, 1)
        tidy(axes)
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("mass")
    panels[0].legend(
        title="mode", frameon=False, fontsize="small", title_fontsize="small"
    )
    drawn.suptitle(title)
    return drawn
