"""How every figure looks."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from wflow.checks import count, instance


MODEL = "#c1440e"
OBSERVED = "#1f4e79"
QUIET = "#9aa5b1"
# Apart in lightness, so that they are told apart without hue.
BASELINES = ("#3f4a56", "#6d7b8a", "#9caebf", "#c9d6e2")
# Eight that stay apart under any deficiency of color vision.
# Reference: Petroff, arXiv:2107.02270 (2021), table 1.
CATEGORIES = (
    "#1845fb",
    "#ff5e02",
    "#c91f16",
    "#c849a9",
    "#adad7d",
    "#86c8dd",
    "#578dff",
    "#656364",
)
# Those that also stay apart from ``MODEL``.
BESIDE = tuple(color for k, color in enumerate(CATEGORIES) if k not in (1, 2))
OTHERS = "others"


def figure(width: float, height: float) -> Figure:
    """A figure in inches; made without pyplot, so no window and no global state."""
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def tidy(axes: Axes) -> None:
    """Fewer lines around and a light grid below the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        # Ticks that somebody has set stay.
        if axis.get_scale() == "log" and isinstance(
            axis.get_major_locator(), LogLocator
        ):
            axis.set_major_locator(_Numbers())
            axis.set_major_formatter(FuncFormatter(_power))
            axis.set_minor_formatter(NullFormatter())


class _Numbers(LogLocator):
    """See ``log_ticks``."""

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        return log_ticks(vmin, vmax)


def log_ticks(low: float, high: float) -> np.ndarray:
    """Where a logarithmic axis has numbers: at powers of ten.

    Where there are few of them also at 2 and 5 times these, and on an axis that is
    shorter than that at round numbers.
    """
    low, high = sorted((low, high))
    if not (low > 0 and np.isfinite(high)):
        return np.zeros(0)
    decades = np.log10(high / low)
    if decades < 0.7:
        found = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
        ticks = np.asarray(found)
        return ticks[ticks > 0]
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    if decades < 2.5:
        return np.outer(powers, [1, 2, 5]).ravel()
    return powers[:: max(1, round(decades / 7))]


def log_number(value: float) -> tuple[str, int | None]:
    """A number of a logarithmic axis: its text, or a factor and a power of ten."""
    if 1e-3 <= value < 1e5:
        return f"{value:.6g}", None
    power = int(np.floor(np.log10(value) + 1e-9))
    factor = value / 10.0**power
    return "" if abs(factor - 1) < 1e-6 else f"{factor:.4g}", power


def _power(value: float, _: object = None) -> str:
    text, power = log_number(value)
    if power is None:
        return text
    front = rf"{text}\times" if text else ""
    return rf"${front}10^{{{power}}}$"


def time_colors(times: Sequence[float]) -> ScalarMappable:
    """Colors from early (dark) to late (light), for points and for a color bar."""
    low, high = float(np.min(times)), float(np.max(times))
    # The light end of viridis is hard to see on white.
    shades = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))
    return ScalarMappable(Normalize(low, high if high > low else low + 1), shades)


def plain(time: float) -> str:
    """A time as a reader would write it: 1997, 0.25, 0.7854."""
    time = float(time)
    return f"{round(time, 4):.12g}" if abs(time) >= 0.01 else f"{time:.4g}"


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


def categories(names: Sequence[str]) -> dict[str, str]:
    """A color for each kind of name, the most frequent kinds first.

    Of more than eight kinds the rarest share the last color, as ``OTHERS``.
    """
    counts = Counter(names)
    # Kinds that are as frequent stand in the order of the alphabet.
    kinds = sorted(counts, key=lambda kind: (-counts[kind], kind))
    if len(kinds) > len(CATEGORIES):
        kinds = [*kinds[: len(CATEGORIES) - 1], OTHERS]
    return dict(zip(kinds, CATEGORIES, strict=False))
