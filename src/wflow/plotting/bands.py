"""Statistics of a population over time, with the bands of their forecasts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wflow.checks import instance, within

from . import given
from .style import MODEL, OBSERVED, figure, tidy


# Rows in all; coordinates beyond are left out.
_MOST = 4


class BandCurve(NamedTuple):
    """One statistic, observed before and after the forecast begins, and its bands.

    Attributes:
        past_times: of the training snapshots.
        past: the statistic there.
        times: of the forecasts.
        observed: the statistic there.
        center: forecast.
        bands: for every level the lower and the upper ends.
    """

    past_times: Float[np.ndarray, " K"]
    past: Float[np.ndarray, " K"]
    times: Float[np.ndarray, " T"]
    observed: Float[np.ndarray, " T"]
    center: Float[np.ndarray, " T"]
    bands: Sequence[tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]]


def plot_bands(
    curves: Mapping[str, Mapping[str, BandCurve]],
    *,
    levels: Sequence[float] = (0.5, 0.9),
    time_label: str = "time",
) -> Figure:
    """Forecasts with their bands, and what was seen: a row for each coordinate.

    Args:
        curves: for each coordinate, by its name, curves by the name of the statistic;
            the first four coordinates are drawn.
        levels: of the bands of each curve, the narrowest first.
        time_label: name of the time, with unit.

    Raises:
        TypeError: a curve is no ``BandCurve``, or holds no real numbers.
        ValueError: no curve; arrays that do not belong together; levels outside (0, 1)
            or not as many as bands.
    """
    levels = _checked(curves, levels, time_label)
    shown = list(curves.items())[:_MOST]
    columns = max(len(row) for _, row in shown)
    drawn = figure(2.1 * columns + 0.6, 2.1 * len(shown) + 0.7)
    panels = drawn.subplots(len(shown), columns, squeeze=False, sharex=True)
    for row, (label, statistics) in zip(panels, shown, strict=True):
        row[0].set_ylabel(label, fontsize=8)
        for axes, (name, curve) in zip(row, statistics.items(), strict=False):
            _panel(axes, curve, levels)
            axes.set_title(name, fontsize=8)
        for axes in row[len(statistics) :]:
            axes.set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel(time_label, fontsize=8)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawn.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False
    )
    return drawn


def _checked(curves: Any, levels: Any, time_label: Any) -> list[float]:
    owner = "plot_bands"
    found = given.axis(owner, "levels", levels, ordered=True)
    within(owner, "levels", found, 0, 1, closed="neither")
    given.text(owner, time_label=time_label)
    for row in given.named(owner, "curves", curves, "rows of curves").values():
        for name, curve in given.named(owner, "curves", row, "curves").items():
            instance(owner, f"curves {name!r}", curve, BandCurve, "a BandCurve")
            before = len(given.axis(owner, "curves: past_times", curve.past_times))
            after = len(given.axis(owner, "curves: times", curve.times))
            given.real(owner, "curves: past", curve.past, (before,))
            given.real(owner, "curves: observed", curve.observed, (after,))
            given.real(owner, "curves: center", curve.center, (after,))
            what = "lower and upper ends for each of the levels"
            bands = given.listed(owner, "curves: bands", curve.bands, len(found), what)
            for band in bands:
                given.real(owner, "curves: bands", band, (2, after))
    return found.tolist()


def _panel(axes: Axes, curve: BandCurve, levels: Sequence[float]) -> None:
    axes.plot(
        curve.past_times,
        curve.past,
        color=OBSERVED,
        marker="o",
        markersize=3,
        linewidth=1,
        label="training",
    )
    # From the last thing seen to the first forecast.
    times = np.concatenate([curve.past_times[-1:], curve.times])
    start = curve.past[-1:]
    widest_first = reversed(list(zip(levels, curve.bands, strict=True)))
    for i, (level, (low, high)) in enumerate(widest_first):
        axes.fill_between(
            times,
            np.concatenate([start, low]),
            np.concatenate([start, high]),
            color=MODEL,
            alpha=0.18 + 0.17 * i,
            linewidth=0,
            label=f"{level:.0%} band",
        )
    axes.plot(
        times,
        np.concatenate([start, curve.center]),
        color=MODEL,
        linewidth=1.5,
        label="model",
    )
    axes.plot(
        curve.times,
        curve.observed,
        color=OBSERVED,
        marker="o",
        markersize=4.5,
        markerfacecolor="white",
        linestyle="none",
        label="held out",
    )
    axes.tick_params(labelsize=7)
    tidy(axes)
