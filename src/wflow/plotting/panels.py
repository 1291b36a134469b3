"""Figures that are curves in frames, said as data."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wflow.checks import count, instance, one_of

from .style import MODEL, QUIET, figure, tidy


Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Curve:
    """Points ``(x, y)`` joined by a line, or shown by markers.

    Attributes:
        x: ``(n,)``.
        y: ``(n,)``; several curves of one name are ``(n, k)``.
        label: its name in the legend; none by default.
        colour: any of matplotlib's.
        style: of line and marker, such as ``"-"``, ``"--"``, ``"o"`` or ``"o-"``.
        width: of the line, in points.
        size: of the markers, in points.
        alpha: opacity.
        low, high: ends of a band around it, ``(n,)``: shaded for a line, bars for
            markers alone.
        steps: whether y holds between two x, as of a histogram; x are then the
            ``n + 1`` edges.
    """

    x: Float[ArrayLike, " n"]
    y: Float[ArrayLike, " n"]
    label: str | None = None
    _: KW_ONLY
    colour: Any = MODEL
    style: str = "-"
    width: float = 1.5
    size: float = 4.0
    alpha: float = 1.0
    low: Float[ArrayLike, " n"] | None = None
    high: Float[ArrayLike, " n"] | None = None
    steps: bool = False


@dataclass(frozen=True)
class Level:
    """A straight line across a frame, horizontal at ``y`` or vertical at ``x``."""

    y: float | None = None
    x: float | None = None
    label: str | None = None
    _: KW_ONLY
    colour: Any = QUIET
    style: str = "-"


@dataclass(frozen=True)
class Panel:
    """A frame with curves.

    Attributes:
        curves: what it shows.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        title: above it.
        levels: straight lines behind the curves.
        scales: of the axes, ``"linear"`` or ``"log"``.
        xlim: ends of the horizontal axis; by default as the curves need them.
        ylim: ends of the vertical axis.
        xticks: where the horizontal axis is marked, by value and text.
        yticks: likewise the vertical one.
        legend: whether names are shown, or where, as matplotlib says it.
    """

    curves: Sequence[Curve]
    x: str = ""
    y: str = ""
    _: KW_ONLY
    title: str = ""
    levels: Sequence[Level] = ()
    scales: tuple[Scale, Scale] = ("linear", "linear")
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    xticks: tuple[Sequence[float], Sequence[str]] | None = None
    yticks: tuple[Sequence[float], Sequence[str]] | None = None
    legend: bool | str = True


def plot_panels(
    panels: Sequence[Panel],
    *,
    columns: int = 3,
    width: float = 3.8,
    height: float = 3.2,
    title: str = "",
    share_y: bool = False,
    legend_below: int = 0,
) -> Figure:
    """Frames beside and below each other.

    ```python
    t = np.linspace(0, 1)
    figure = plot_panels([Panel([Curve(t, t**2, "square")], "time", "value")])
    figure.savefig("square.png")
    ```

    Args:
        panels: one or more.
        columns: most frames beside each other.
        width: of a frame, in inches.
        height: of a frame, in inches.
        title: of the whole figure.
        share_y: whether all frames have the same vertical axis.
        legend_below: columns of one legend below all frames, with the names of the
            first; 0 for a legend in each.

    Raises:
        TypeError: something else than panels.
        ValueError: no panels, or a scale of another name.
    """
    count("plot_panels", "panels", len(panels))
    count("plot_panels", "columns", columns)
    for panel in panels:
        instance("plot_panels", "panels", panel, Panel, "Panel")
        for scale in panel.scales:
            one_of("plot_panels", "scales", scale, ("linear", "log"))
    count("plot_panels", "legend_below", legend_below, least=0)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    extra = 0.3 * (bool(title) + bool(legend_below))
    drawn = figure(width * columns, height * rows + extra)
    frames = drawn.subplots(rows, columns, squeeze=False, sharey=share_y).ravel()
    for axes, panel in zip(frames, panels, strict=False):
        _draw(axes, panel, legend=not legend_below)
    for axes in frames[len(panels) :]:
        axes.set_visible(False)
    if title:
        drawn.suptitle(title)
    if legend_below:
        drawn.legend(
            *frames[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=legend_below,
            frameon=False,
            fontsize=8,
        )
    return drawn


def shades(number: int, colours: str = "viridis") -> list[Any]:
    """So many colours, from dark to light; of a map with few, one after the other.

    Args:
        number: of colours.
        colours: name of one of matplotlib's maps, such as "viridis" or "tab10".
    """
    count("shades", "number", number, least=0)
    found = colormaps[colours]
    if found.N <= 20:
        return list(found(np.arange(number) % found.N))
    return list(found(np.linspace(0.05, 0.85, number)))


def _draw(axes: Axes, panel: Panel, *, legend: bool) -> None:
    for level in panel.levels:
        style = {"color": level.colour, "linestyle": level.style, "label": level.label}
        if level.y is not None:
            axes.axhline(level.y, linewidth=1, **style)
        if level.x is not None:
            axes.axvline(level.x, linewidth=1, **style)
    for curve in panel.curves:
        _draw_curve(axes, curve)
    axes.set(xscale=panel.scales[0], yscale=panel.scales[1])
    axes.set(xlabel=panel.x, ylabel=panel.y)
    if panel.title:
        axes.set_title(panel.title, fontsize=9)
    if panel.xlim is not None:
        axes.set_xlim(*panel.xlim)
    if panel.ylim is not None:
        axes.set_ylim(*panel.ylim)
    for axis, ticks in ((axes.xaxis, panel.xticks), (axes.yaxis, panel.yticks)):
        if ticks is not None:
            axis.set_ticks(ticks[0], ticks[1])
            axis.set_ticks([], minor=True)
    tidy(axes)
    if legend and panel.legend and axes.get_legend_handles_labels()[1]:
        place = panel.legend if isinstance(panel.legend, str) else "best"
        axes.legend(frameon=False, fontsize=8, loc=place)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    x, y = np.asarray(curve.x), np.asarray(curve.y)
    style: dict[str, Any] = {"color": curve.colour, "alpha": curve.alpha}
    if curve.steps:
        axes.stairs(y, x, label=curve.label, linewidth=curve.width, **style)
        return
    line, marker = curve.style.strip("os^x+|."), curve.style.strip("-:")
    if curve.low is not None and curve.high is not None:
        low, high = np.asarray(curve.low), np.asarray(curve.high)
        if line:
            axes.fill_between(x, low, high, color=curve.colour, alpha=0.2, linewidth=0)
        else:
            bars = np.abs(np.stack([low, high]) - y)
            axes.errorbar(x, y, yerr=bars, fmt="none", ecolor=curve.colour, capsize=2)
    lines = axes.plot(
        x,
        y,
        linestyle=line or "none",
        marker=marker or None,
        markersize=curve.size,
        linewidth=curve.width,
        **style,
    )
    # One name for all columns of y.
    lines[0].set_label(curve.label)
