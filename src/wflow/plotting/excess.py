"""Scores beside those of a reference, in per cent of it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .style import BASELINES, MODEL, figure, tidy


# Per cent, beyond which an axis is logarithmic.
_FAR = 5.0


def plot_ratios(
    ratios: Mapping[str, Mapping[str, float]],
    bounds: Mapping[str, float],
    *,
    reference: str,
) -> Figure:
    """Risk over that of a reference, in per cent of it, a panel for each problem.

    Args:
        ratios: for each problem, ratios by the name of the filter.
        bounds: for each problem, the ratio of the best linear filter.
        reference: whose risk is one.
    """
    names = list(next(iter(ratios.values())))
    drawn = figure(2.5 * len(ratios) + 0.6, 0.32 * len(names) + 1.4)
    panels = drawn.subplots(1, len(ratios), squeeze=False, sharey=True)[0]
    places = np.arange(len(names))[::-1]
    for axes, (problem, row) in zip(panels, ratios.items(), strict=True):
        gains = np.array([100 * (row[name] - 1) for name in names])
        colors = [MODEL if gain < 0 else BASELINES[0] for gain in gains]
        axes.barh(places, gains, 0.62, color=colors)
        room = 0.55 * max(np.abs(gains).max(), 1e-3)
        for place, gain in zip(places, gains, strict=True):
            axes.annotate(
                f"{gain:+.2f}",
                (gain, place),
                xytext=(3 if gain >= 0 else -3, 0),
                textcoords="offset points",
                va="center",
                ha="left" if gain >= 0 else "right",
                fontsize=7,
            )
        axes.set_xlim(min(gains.min(), 0) - room, max(gains.max(), 0) + room)
        axes.axvline(0, color="black", linewidth=1.2)
        axes.set_yticks(places, [name.replace("_", " ") for name in names])
        best = 100 * (bounds[problem] - 1)
        axes.set_title(
            f"{problem.replace('_', ' ')}\nbest linear filter {best:+.1f}",
            fontsize="medium",
        )
        tidy(axes)
    label = f"risk at the best mean minus that of {reference}, in %"
    drawn.supxlabel(label, fontsize="medium")
    return drawn


def plot_excess(
    errors: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    reference: str,
    title: str,
) -> Figure:
    """Test errors minus that of a reference, a panel for each case, zero marked.

    Args:
        errors: for each case, value in per cent and its standard error by name; two
            of them are drawn.
        reference: whose error is zero.
        title: of the figure.
    """
    names = list(dict.fromkeys(name for row in errors.values() for name in row))
    drawn = figure(2.7 * len(errors) + 1.2, 0.3 * len(names) + 1.5)
    panels = drawn.subplots(1, len(errors), squeeze=False, sharey=True)[0]
    places = dict(zip(names, range(len(names))[::-1], strict=True))
    for axes, (case, row) in zip(panels, errors.items(), strict=True):
        for name, (value, spread) in row.items():
            axes.errorbar(
                value,
                places[name],
                xerr=2 * spread,
                fmt="o",
                ms=4,
                capsize=2,
                color=MODEL if value + 2 * spread < 0 else BASELINES[0],
            )
        axes.axvline(0, color="black", linewidth=1.2)
        low = min(value - 2 * spread for value, spread in row.values())
        high = max(value + 2 * spread for value, spread in row.values())
        # Some fail by far; the scale is for what is close.
        if high > _FAR:
            axes.set_xscale("symlog", linthresh=1.0)
            ticks = (-10, -1, 0, 1, 10, 100)
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.set_xlim(min(1.5 * low, -0.5), 1.5 * high)
        axes.set_yticks(
            list(places.values()), [name.replace("_", " ") for name in places]
        )
        axes.set_title(case)
        tidy(axes)
    drawn.supxlabel(
        f"test error minus that of {reference}, in % of it, with two standard errors",
        fontsize="medium",
    )
    drawn.suptitle(title)
    return drawn
