"""Fluctuations of finite networks against time and width."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .style import MODEL, QUIET, figure, tidy


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_chaos(
    times: Float[np.ndarray, " T"],
    widths: Float[np.ndarray, " k"],
    mean: Float[np.ndarray, "k T"],
    *,
    slope: float,
    limit: Float[np.ndarray, " T"] | None = None,
) -> "Figure":
    """Squared gaps over time, times m, and their suprema over m.

    Args:
        times: saved times.
        widths: m.
        mean: mean squared gap of every width.
        slope: fitted to the suprema.
        limit: m times the gap for m to infinity.
    """
    from matplotlib import colormaps

    drawn = figure(11, 3.6)
    gap, collapse, sup = drawn.subplots(1, 3)
    shades = colormaps["viridis"](np.linspace(0.85, 0.1, len(widths)))
    for shade, m, row in zip(shades, widths, mean, strict=True):
        gap.semilogy(times, row, color=shade, label=f"m = {m:g}")
        collapse.plot(times, m * row, color=shade, label=f"m = {m:g}")
    if limit is not None:
        collapse.plot(times, limit, "--", color=MODEL, label="linearized flow")
    sups = mean.max(axis=1)
    line = np.exp(np.mean(np.log(sups) - slope * np.log(widths)))
    sup.loglog(widths, line * widths**slope, color=QUIET, label=f"slope {slope:.3f}")
    sup.loglog(widths, sups, "o", color=MODEL)
    for axes, x, y in (
        (gap, "time", r"$E\|\Delta_t\|^2$"),
        (collapse, "time", r"$m\,E\|\Delta_t\|^2$"),
        (sup, "width m", r"$\sup_t E\|\Delta_t\|^2$"),
    ):
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        tidy(axes)
    collapse.legend(frameon=False, fontsize=8)
    sup.legend(frameon=False, fontsize=8)
    return drawn
