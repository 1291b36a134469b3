"""A rate of growth over the plane, and the size of a population over time."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wflow.checks import positive

from . import given
from .style import BASELINES, MODEL, OBSERVED, coordinates, figure, plain, tidy


def plot_growth(
    x: Float[ArrayLike, " nx"],
    y: Float[ArrayLike, " ny"],
    rate: Float[ArrayLike, "ny nx"],
    *,
    cloud: Float[ArrayLike, "n 2"] | None = None,
    time: float | None = None,
    unit: str = "per time",
    labels: Sequence[str] | None = None,
    time_label: str = "time",
    equal: bool = False,
) -> Figure:
    """Rate of growth in color, white where births and deaths are equal.

    Args:
        x: first coordinates of the grid.
        y: second coordinates of the grid.
        rate: growth per time at (y, x).
        cloud: observed points: away from them the rate is extrapolated.
        time: at which the rate is taken, for the title.
        unit: of the rate.
        labels: names of both coordinates, with units.
        time_label: name of the time, with unit.
        equal: one length for both axes: where positions are physical.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: a grid that does not increase; a rate of another shape; a cloud
            that is not ``(n, 2)``; names that are not two.
    """
    owner = "plot_growth"
    x, y = given.grid(owner, "x", x), given.grid(owner, "y", y)
    rate = given.real(owner, "rate", rate, (len(y), len(x)))
    if cloud is not None:
        cloud = given.real(owner, "cloud", cloud, ("n", 2))
    time = None if time is None else given.number(owner, "time", time)
    given.text(owner, unit=unit, time_label=time_label)
    given.switch(owner, equal=equal)
    rate = np.where(np.isfinite(rate), rate, np.nan)
    largest = float(np.abs(rate).max(initial=0.0, where=~np.isnan(rate))) or 1.0
    drawn = figure(6.4, 5.0)
    axes = drawn.subplots()
    levels = np.linspace(-largest, largest, 25)
    filled = axes.contourf(x, y, rate, levels=levels, cmap="PuOr_r")
    axes.contour(x, y, rate, levels=[0], colors="0.3", linewidths=0.8)
    bar = drawn.colorbar(filled, ax=axes, label=f"growth rate ({unit})")
    bar.locator = MaxNLocator(9)
    bar.update_ticks()
    if cloud is not None:
        axes.scatter(
            cloud[:, 0], cloud[:, 1], s=4, color="0.2", alpha=0.4, linewidths=0
        )
    names = coordinates(labels, 2)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    if equal:
        axes.set_aspect("equal")
    when = "" if time is None else f", {time_label} {plain(time)}"
    axes.set_title(f"Growth{when}")
    return drawn


def plot_masses(
    times: Float[ArrayLike, " T"],
    masses: Float[ArrayLike, " T"],
    curves: Mapping[str, tuple[Float[ArrayLike, " m"], Float[ArrayLike, " m"]]],
    *,
    time_label: str = "time",
) -> Figure:
    """Size of the population over time, observed and by models, log scale.

    Args:
        times: of the snapshots.
        masses: observed there.
        curves: for each model its times and masses, the most important first.
        time_label: name of the time, with unit.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: not one mass > 0 for each time; a curve whose times and masses are
            not as many.
    """
    owner = "plot_masses"
    times = given.axis(owner, "times", times)
    masses = given.real(owner, "masses", masses, times.shape)
    positive(owner, "masses", masses)
    for name, curve in given.named(owner, "curves", curves, "curves").items():
        what = "times and masses"
        curve_times, values = given.listed(owner, f"curves {name!r}", curve, 2, what)
        size = len(given.axis(owner, f"curves {name!r}: times", curve_times))
        given.real(owner, f"curves {name!r}: masses", values, (size,))
    given.text(owner, time_label=time_label)
    drawn = figure(5.6, 4.0)
    axes = drawn.subplots()
    colors = [MODEL, *BASELINES]
    for i, (name, curve) in enumerate(curves.items()):
        color = colors[i % len(colors)]
        axes.plot(*map(np.asarray, curve), color=color, linewidth=1.8, label=name)
    axes.scatter(
        np.asarray(times),
        np.asarray(masses),
        s=36,
        facecolors="none",
        edgecolors=OBSERVED,
        linewidths=1.4,
        label="observed",
        zorder=3,
    )
    axes.set_yscale("log")
    ticks = sorted({float(f"{mass:.3g}") for mass in np.asarray(masses)})
    axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(time_label)
    axes.set_ylabel("total mass")
    axes.set_title("Size of the population")
    axes.legend(frameon=False)
    tidy(axes)
    return drawn
