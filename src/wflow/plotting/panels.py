"""Figures that are curves in frames, said as data."""

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from wflow.checks import count, increasing, instance, one_of, positive, within

from .given import listed, number, real, switch, text
from .style import CATEGORIES, MODEL, QUIET, figure, tidy


Scale = Literal["linear", "log"]
Ends = tuple[float | None, float | None]

# A marker, a line, or both in either order, as matplotlib writes them.
_LINE = r"--|-\.|-|:"
_MARKER = r"[.osv^dDx+*|_]"
_STYLE = re.compile(
    f"(?P<line>{_LINE})?(?P<marker>{_MARKER})?|(?P<m>{_MARKER})(?P<l>{_LINE})"
)


@dataclass(frozen=True)
class Curve:
    """Points ``(x, y)`` joined by a line, or shown by markers.

    Values that are not finite leave gaps.

    Attributes:
        x: ``(n,)``.
        y: ``(n,)``; several curves of one name are ``(n, k)``.
        label: its name in the legend; none by default.
        color: any of matplotlib's.
        style: of line and marker, such as ``"-"``, ``"--"``, ``"o"`` or ``"o-"``.
        width: of the line, in points.
        size: of the markers, in points.
        alpha: opacity.
        low, high: ends of a band around it, ``(n,)``: shaded for a line, bars for
            markers alone.
        steps: whether y holds between two x, as of a histogram; x are then the
            ``n + 1`` edges, and there is neither marker nor band.

    Raises:
        TypeError: something else than numbers, a text where there is none.
        ValueError: shapes that do not fit, edges out of order, or a color, style,
            width or opacity that there is not.
    """

    x: Float[ArrayLike, " n"]
    y: Float[ArrayLike, " n"] | Float[ArrayLike, "n k"]
    label: str | None = None
    _: KW_ONLY
    color: Any = MODEL
    style: str = "-"
    width: float = 1.5
    size: float = 4.0
    alpha: float = 1.0
    low: Float[ArrayLike, " n"] | None = None
    high: Float[ArrayLike, " n"] | None = None
    steps: bool = False

    def __post_init__(self) -> None:
        _named(self, self.label, self.color)
        line, marker = _line_and_marker(self.style)
        for name in ("width", "size"):
            positive(self, name, number("Curve", name, getattr(self, name)))
        within(self, "alpha", number("Curve", "alpha", self.alpha), 0, 1)
        switch("Curve", steps=self.steps)
        _points(self)
        if (self.low is None) != (self.high is None):
            raise ValueError(
                "Curve: expected low and high together, found one of them."
            )
        if self.steps and (marker or not line or self.low is not None):
            raise ValueError(
                "Curve: expected steps with a line alone, found a style with a marker, "
                "or a band of low and high."
            )


@dataclass(frozen=True)
class Level:
    """A straight line across a frame, horizontal at ``y`` or vertical at ``x``.

    One that is nan is not drawn.

    Raises:
        TypeError: no number, or a label that is no text.
        ValueError: both or neither, or a color or style that there is not.
    """

    y: float | None = None
    x: float | None = None
    label: str | None = None
    _: KW_ONLY
    color: Any = QUIET
    style: str = "-"

    def __post_init__(self) -> None:
        _named(self, self.label, self.color)
        line, marker = _line_and_marker(self.style, "Level")
        if marker or not line:
            raise ValueError(
                f"Level: expected style of a line alone, found {self.style!r}."
            )
        if (self.y is None) == (self.x is None):
            found = "neither" if self.y is None else "both"
            raise ValueError(f"Level: expected either y or x, found {found}.")
        for name, value in (("y", self.y), ("x", self.x)):
            if value is not None:
                real("Level", name, value, ())


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
        xlim: ends of the horizontal axis; by default, and where one is None, as the
            curves need them.
        ylim: ends of the vertical axis.
        xticks: where the horizontal axis is marked, by value and text.
        yticks: likewise the vertical one.
        legend: whether names are shown, or where, as matplotlib says it.

    Raises:
        TypeError: something else than curves, levels and texts.
        ValueError: a scale or a place of the legend that there is not, ends out of
            order or not on a logarithmic axis, or not as many texts as ticks.
    """

    curves: Sequence[Curve]
    x: str = ""
    y: str = ""
    _: KW_ONLY
    title: str = ""
    levels: Sequence[Level] = ()
    scales: tuple[Scale, Scale] = ("linear", "linear")
    xlim: Ends | None = None
    ylim: Ends | None = None
    xticks: tuple[Sequence[float], Sequence[str]] | None = None
    yticks: tuple[Sequence[float], Sequence[str]] | None = None
    legend: bool | str = True

    def __post_init__(self) -> None:
        text("Panel", x=self.x, y=self.y, title=self.title)
        for name, kind in (("curves", Curve), ("levels", Level)):
            what = f"a sequence of {kind.__name__}"
            entries = getattr(self, name)
            instance(self, name, entries, (list, tuple), what)
            for entry in entries:
                instance(self, name, entry, kind, what)
        for scale in listed("Panel", "scales", self.scales, 2, "one for each axis"):
            one_of(self, "scales", scale, get_args(Scale))
        for axis, scale in zip("xy", self.scales, strict=True):
            _ends(f"{axis}lim", getattr(self, f"{axis}lim"), scale)
            _ticks(f"{axis}ticks", getattr(self, f"{axis}ticks"))
        if not isinstance(self.legend, bool):
            one_of(self, "legend", self.legend, (True, False, *Legend.codes))


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
        TypeError: something else than panels, or a title that is no text.
        ValueError: no panels, no columns, or a frame without size.
    """
    panels = listed("plot_panels", "panels", panels, None, "a sequence of Panel")
    for panel in panels:
        instance("plot_panels", "panels", panel, Panel, "a sequence of Panel")
    count("plot_panels", "columns", columns)
    positive("plot_panels", "width", number("plot_panels", "width", width))
    positive("plot_panels", "height", number("plot_panels", "height", height))
    text("plot_panels", title=title)
    switch("plot_panels", share_y=share_y)
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


def shades(number: int, colors: str = "viridis") -> list[Any]:
    """So many colors, from dark to light, or of kinds.

    Args:
        number: of colors.
        colors: name of one of matplotlib's maps, such as "viridis"; "categories" are
            eight that stay apart under any color vision, then the first again.

    Raises:
        TypeError: ``number`` is not whole, or ``colors`` no text.
        ValueError: there is no such map.
    """
    count("shades", "number", number, least=0)
    text("shades", colors=colors)
    if colors == "categories":
        return [CATEGORIES[k % len(CATEGORIES)] for k in range(number)]
    if colors not in colormaps:
        raise ValueError(
            "shades: expected colors to be 'categories' or a map of matplotlib, such "
            f"as 'viridis', found {colors!r}."
        )
    return list(colormaps[colors](np.linspace(0.05, 0.85, number)))


def _draw(axes: Axes, panel: Panel, *, legend: bool) -> None:
    for level in panel.levels:
        style = {"color": level.color, "linestyle": level.style, "label": level.label}
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
    x, y, low, high = _points(curve)
    line, marker = _line_and_marker(curve.style)
    style: dict[str, Any] = {
        "color": curve.color,
        "alpha": curve.alpha,
        "linestyle": line or "none",
        "linewidth": curve.width,
    }
    if curve.steps:
        axes.stairs(y, x, label=curve.label, **style)
        return
    if low is not None and high is not None and line:
        axes.fill_between(x, low, high, color=curve.color, alpha=0.2, linewidth=0)
    elif low is not None and high is not None:
        # Around their own middle, as y need not lie between the ends.
        half = np.abs(high - low) / 2
        middle = (low + high) / 2
        axes.errorbar(x, middle, yerr=half, fmt="none", ecolor=curve.color, capsize=2)
    lines = axes.plot(x, y, marker=marker or None, markersize=curve.size, **style)
    # One name for all columns of y.
    lines[0].set_label(curve.label)


def _points(curve: Curve) -> tuple[np.ndarray, ...]:
    """x, y, low and high of a curve in float64, of shapes that fit."""
    several = np.ndim(curve.y) == 2 and curve.low is None and not curve.steps
    y = real("Curve", "y", curve.y, ("n", "k") if several else ("n",))
    x = real("Curve", "x", curve.x, (len(y) + curve.steps,))
    if curve.steps:
        increasing("Curve", "x", x)
    band = [
        None if end is None else real("Curve", name, end, (len(y),))
        for name, end in (("low", curve.low), ("high", curve.high))
    ]
    return x, y, *band


def _named(owner: Any, label: Any, color: Any) -> None:
    if label is not None:
        instance(owner, "label", label, str, "a text")
    if not is_color_like(color):
        raise ValueError(
            f"{type(owner).__name__}: expected color to be one of matplotlib's, found "
            f"{color!r}."
        )


def _line_and_marker(style: Any, owner: str = "Curve") -> tuple[str, str]:
    """The two parts of a style; one may be missing."""
    text(owner, style=style)
    found = _STYLE.fullmatch(style)
    if not style or found is None:
        raise ValueError(
            f"{owner}: expected style of a line (-, --, -., :), a marker (one of "
            f".osv^dDx+*|_) or both, found {style!r}."
        )
    return found["line"] or found["l"] or "", found["marker"] or found["m"] or ""


def _ends(name: str, ends: Any, scale: Scale) -> None:
    if ends is None:
        return
    found = listed("Panel", name, ends, 2, "the two ends of an axis")
    known = [number("Panel", name, end) for end in found if end is not None]
    increasing("Panel", name, known)
    if scale == "log":
        positive("Panel", name, known)


def _ticks(name: str, ticks: Any) -> None:
    if ticks is None:
        return
    what = "values and their texts"
    values, texts = listed("Panel", name, ticks, 2, what)
    values = listed("Panel", name, values, None, what)
    for value in values:
        number("Panel", name, value)
    for each in listed("Panel", name, texts, len(values), what):
        text("Panel", **{name: each})
