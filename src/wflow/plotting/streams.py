"""Velocities averaged over a plane, and the lines along them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.figure import Figure

from wflow.checks import instance

from . import given
from .style import OTHERS, QUIET, categories, coordinates, figure, tidy, time_colors


Lattice = tuple[
    Float[np.ndarray, " nx"], Float[np.ndarray, " ny"], Float[np.ndarray, "ny nx 2"]
]

# Of the larger extent: how far a velocity is felt.
_REACH = 0.03
# Mass around a place below which nothing is drawn, as a share of the usual one.
_LEAST = 0.05
_MOST = 20_000


def averaged(
    points: Float[np.ndarray, "n 2"],
    velocities: Float[np.ndarray, "n 2"],
    size: int = 40,
) -> Lattice:
    r"""Mean velocity around each place of a lattice, nan where hardly any point is.

    $\sum_i k(y, x_i) v_i / \sum_i k(y, x_i)$ with a Gaussian kernel k in the units of
    the axes, of a width of 3 percent of them.

    Args:
        points: positions; those that are not finite are left out.
        velocities: one for each of them.
        size: of the lattice, along either axis.

    Returns:
        Both axes and the velocities.
    """
    known = np.isfinite(points).all(1) & np.isfinite(velocities).all(1)
    points, velocities = points[known], velocities[known]
    step = max(1, -(-len(points) // _MOST))
    points, velocities = points[::step], velocities[::step]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.where(high > low, high - low, 1.0)
    low, high = low - 0.03 * extent, high + 0.03 * extent
    x, y = (np.linspace(a, b, size) for a, b in zip(low, high, strict=True))
    # The kernel is a product over both axes.
    along_x, along_y = (
        np.exp(-0.5 * ((axis[:, None] - points[:, k]) / (_REACH * extent[k])) ** 2)
        for k, axis in enumerate((x, y))
    )
    mass = along_y @ along_x.T
    field = np.stack([(along_y * v) @ along_x.T for v in velocities.T], axis=-1)
    # What a point feels of all, itself too.
    felt = (along_y * (mass @ along_x)).sum(0) / (along_y.sum(0) * along_x.sum(0))
    few = mass < _LEAST * np.median(felt)
    field[few] = np.nan
    return x, y, field / np.where(few, 1.0, mass)[..., None]


def lines(lattice: Lattice, density: float = 1.0) -> list[Float[np.ndarray, "k 2"]]:
    """Lines along the velocities of a lattice, each from its start to its end."""
    x, y, field = lattice
    if not np.nan_to_num(field).any():
        return []
    masked = np.ma.masked_invalid(field)
    axes = Figure().subplots()
    drawn = axes.streamplot(
        x, y, masked[..., 0], masked[..., 1], density=density, arrowstyle="-"
    )
    found: list[list[np.ndarray]] = []
    # A line comes whole, or in pieces that begin where the last one ended.
    for piece in map(np.asarray, drawn.lines.get_segments()):
        if not found or not np.array_equal(found[-1][-1], piece[0]):
            found.append([piece[0]])
        found[-1].extend(piece[1:])
    return [np.array(line) for line in found]


def plot_streams(
    points: Float[ArrayLike, "n 2"],
    velocities: Float[ArrayLike, "n 2"],
    *,
    groups: Sequence[str] | None = None,
    times: Float[ArrayLike, " n"] | None = None,
    labels: Sequence[str] | None = None,
    time_label: str = "time",
    title: str = "Streams",
    equal: bool = False,
) -> Figure:
    """Lines along the mean velocity of points in a plane, where there are any.

    ```python
    plot_streams(umap.places, umap.embed_velocities(x, v), groups=types)
    ```

    Args:
        points: places, such as those of an ``Embedding``; what is not finite is left
            out.
        velocities: one for each point, in the units of the plane.
        groups: of each point the name of its group, which colors it; of more than eight
            groups the rarest share a color.
        times: of each point, which color it where there are no groups.
        labels: names of both axes, with units.
        time_label: name of the time, with unit.
        title: of the figure.
        equal: one length for both axes: where positions are physical.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: not one velocity, group and time for each point; no point whose
            velocity is known; names that are not two.
    """
    owner = "plot_streams"
    points = given.real(owner, "points", points, ("n", 2))
    velocities = given.real(owner, "velocities", velocities, points.shape)
    kinds: list[str] | None = None
    if groups is not None:
        what = "a name for each point"
        kinds = given.listed(owner, "groups", groups, len(points), what)
        for kind in kinds:
            instance(owner, "groups", kind, str, what)
    if times is not None:
        times = given.axis(owner, "times", times, len(points))
    given.text(owner, time_label=time_label, title=title)
    given.switch(owner, equal=equal)
    names = coordinates(labels, 2)
    if not (np.isfinite(points).all(1) & np.isfinite(velocities).all(1)).any():
        raise ValueError(
            f"{owner}: expected a point with a finite velocity at least, found none."
        )
    drawn = figure(6.4, 4.8)
    axes = drawn.subplots()
    style = {"s": 8, "alpha": 0.6, "linewidths": 0}
    if kinds is not None:
        inks = categories(kinds)
        shown = np.array([kind if kind in inks else OTHERS for kind in kinds])
        for name, ink in inks.items():
            axes.scatter(*points[shown == name].T, color=ink, label=name, **style)
        drawn.legend(loc="outside right upper", frameon=False, markerscale=2)
    elif times is not None:
        shade = time_colors(np.asarray(times).tolist())
        axes.scatter(*points.T, color=shade.to_rgba(times), **style)
        drawn.colorbar(shade, ax=axes, label=time_label)
    else:
        axes.scatter(*points.T, color=QUIET, **style)
    x, y, field = averaged(points, velocities)
    if np.nan_to_num(field).any():
        masked = np.ma.masked_invalid(field)
        axes.streamplot(
            *(x, y, masked[..., 0], masked[..., 1]),
            density=1.2,
            color="0.1",
            linewidth=0.9,
            arrowsize=0.9,
        )
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.set_title(title)
    if equal:
        axes.set_aspect("equal", adjustable="datalim")
    tidy(axes)
    return drawn
