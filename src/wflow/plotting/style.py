"""How every figure looks."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from wflow.checks import count, instance


MODEL = "#c1440e"
OBSERVED = "#1f4e79"
QUIET = "#9aa5b1"
BASELINES = ("#5b7c99", "#8fa9bd", "#b9cad6", "#d7e0e7")


def figure(width: float, height: float) -> Figure:
    """A figure in inches; made without pyplot, so no window and no global state."""
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def tidy(axes: Axes) -> None:
    """Fewer lines around and a light grid below the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)


def time_colours(times: Sequence[float]) -> ScalarMappable:
    """Colors from early (dark) to late (light), for points and for a color bar."""
    low, high = float(np.min(times)), float(np.max(times))
    # The light end of viridis is hard to see on white.
    shades = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))
    return ScalarMappable(Normalize(low, high if high > low else low + 1), shades)


def plain(time: float) -> str:
    """A time as a reader would write it: 1997, 0.25."""
    return f"{float(time):.12g}"


def coordinates(labels: Sequence[str] | None, dim: int) -> list[str]:
    """Names of the coordinates, made up where none are given.

    Raises:
        TypeError: the names are no texts, or ``dim`` is not whole.
        ValueError: there are not ``dim`` names.
    """
    count("coordinates", "dim", dim)
    if labels is None:
        return [f"$x_{{{i + 1}}}$" for i in range(dim)]
    if isinstance(labels, str) or not isinstance(labels, Sequence | np.ndarray):
        raise TypeError(
            f"coordinates: expected labels to be {dim} names, found "
            f"{type(labels).__name__}."
        )
    for label in labels:
        instance("coordinates", "labels", label, str, "names")
    if len(labels) != dim:
        raise ValueError(f"labels: expected {dim} names, found {len(labels)}.")
    return list(labels)
