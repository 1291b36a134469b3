"""A learned energy landscape and the force that it exerts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wflow.checks import count

from . import given
from .style import coordinates, figure, plain


def plot_landscape(
    x: Float[ArrayLike, " nx"],
    y: Float[ArrayLike, " ny"],
    landscape: Float[ArrayLike, "ny nx"],
    force: Float[ArrayLike, "ny nx 2"],
    *,
    cloud: Float[ArrayLike, "n 2"] | None = None,
    time: float | None = None,
    labels: Sequence[str] | None = None,
    time_label: str = "time",
    equal: bool = False,
    arrows: int = 18,
    title: str = "Energy landscape and force",
) -> Figure:
    r"""Energy landscape in color, and the force that it exerts as arrows.

    $\delta F/\delta\mu$ and $-\nabla\,\delta F/\delta\mu$.

    Args:
        x: first coordinates of the grid.
        y: second coordinates of the grid.
        landscape: the first variation at (y, x), up to a constant.
        force: minus its gradient there; the longest arrow is as long as their spacing.
        cloud: the particles that the energy was taken at.
        time: of the cloud, for the title.
        labels: names of both coordinates, with units.
        time_label: name of the time, with unit.
        equal: one length for both axes: where positions are physical.
        arrows: arrows per axis.
        title: of the figure; the time of the cloud follows it.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: a grid that does not increase; a landscape, force or cloud of
            another shape; fewer than one arrow; names that are not two.
    """
    owner = "plot_landscape"
    x, y = given.grid(owner, "x", x), given.grid(owner, "y", y)
    landscape = given.real(owner, "landscape", landscape, (len(y), len(x)))
    force = given.real(owner, "force", force, (len(y), len(x), 2))
    if cloud is not None:
        cloud = given.real(owner, "cloud", cloud, ("n", 2))
    time = None if time is None else given.number(owner, "time", time)
    count(owner, "arrows", arrows)
    given.text(owner, time_label=time_label, title=title)
    given.switch(owner, equal=equal)
    coordinates(labels, 2)
    known = np.isfinite(landscape)
    landscape = np.where(known, landscape, np.nan)
    landscape = landscape - (landscape[known].min() if known.any() else 0.0)
    drawn = figure(6.8, 5.2)
    axes = drawn.subplots()
    filled = axes.contourf(x, y, landscape, levels=24, cmap="YlGnBu_r", alpha=0.9)
    axes.contour(x, y, landscape, levels=12, colors="white", linewidths=0.4, alpha=0.6)
    drawn.colorbar(filled, ax=axes, label=r"$\delta F/\delta\mu$ (lowest point = 0)")
    rows, columns = (slice(None, None, max(1, len(c) // arrows)) for c in (y, x))
    _arrows(axes, x[columns], y[rows], force[rows, columns])
    handles = [_arrow_handle("0.15", r"force $-\nabla\,\delta F/\delta\mu$")]
    if cloud is not None:
        dots = axes.scatter(
            cloud[:, 0],
            cloud[:, 1],
            s=13,
            color="#f2a65a",
            edgecolors="0.2",
            linewidths=0.4,
            label="particles",
        )
        handles.append(dots)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    if equal:
        axes.set_aspect("equal")
    names = coordinates(labels, 2)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    when = "" if time is None else f", {time_label} {plain(time)}"
    axes.set_title(f"{title}{when}")
    drawn.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
    )
    return drawn


def _arrows(axes: Axes, x: np.ndarray, y: np.ndarray, force: np.ndarray) -> None:
    """Arrows in the units of the axes, the longest as long as their spacing."""
    spacing = np.array([np.ptp(x) / max(len(x) - 1, 1), np.ptp(y) / max(len(y) - 1, 1)])
    lengths = np.linalg.norm(force / spacing, axis=-1)
    longest = np.max(lengths, initial=0.0, where=np.isfinite(lengths))
    axes.quiver(
        *np.meshgrid(x, y),
        force[..., 0],
        force[..., 1],
        angles="xy",
        scale_units="xy",
        scale=longest if longest > 0 else 1,
        color="0.15",
        width=0.0026,
        alpha=0.85,
    )


def _arrow_handle(color: str, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=r"$\rightarrow$",
        markersize=14,
        color=color,
        label=label,
    )
