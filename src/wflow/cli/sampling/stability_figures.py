"""Distance of two flows, and the bounds on it, against time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_bounds(
    times: Sequence[float],
    exact: Mapping[str, Sequence[float]],
    bounds: Mapping[str, Sequence[float]],
    *,
    limit: tuple[str, float] | None = None,
    label: str,
    title: str,
) -> "Figure":
    """Exact curves with dots, bounds as lines, both axes logarithmic.

    Args:
        times: of all curves.
        exact: values by name, the most important first.
        bounds: bounds on the first of them, by name.
        limit: name and value of a horizontal line.
        label: of the vertical axis.
        title: of the figure.
    """
    from wflow.plotting.style import BASELINES, MODEL, OBSERVED, figure, tidy

    drawn = figure(6.4, 4.4)
    axes = drawn.subplots()
    styles = ("-", "--", "-.", ":")
    for i, (name, values) in enumerate(bounds.items()):
        axes.plot(
            times,
            np.asarray(values),
            styles[i % len(styles)],
            color=BASELINES[min(i // len(styles), len(BASELINES) - 1)],
            linewidth=1.5,
            label=name,
        )
    for (name, values), colour in zip(exact.items(), (MODEL, OBSERVED), strict=False):
        axes.plot(times, np.asarray(values), "o-", color=colour, ms=4, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    largest = max(float(np.max(values)) for values in exact.values())
    if limit is not None:
        name, value = limit
        axes.axhline(value, color="0.3", linewidth=0.8, linestyle=(0, (1, 2)))
        axes.annotate(
            name,
            (times[0], value),
            xytext=(0, 3),
            textcoords="offset points",
            color="0.3",
        )
        largest = max(largest, value)
    # Bounds that say nothing any more leave the picture.
    least = min(float(np.min(values)) for values in exact.values())
    axes.set_ylim(least / 2, 40 * largest)
    axes.set_xlabel("time")
    axes.set_ylabel(label)
    axes.set_title(title)
    axes.legend(frameon=False, fontsize="small", loc="upper left", ncols=2)
    tidy(axes)
    return drawn
