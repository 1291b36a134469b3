"""Figures of the bias of vanishing penalties on a product of two numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_fibre(
    columns: Mapping[str, Sequence[float]],
    metrics: Mapping[str, float],
    start: tuple[float, float],
    target: float,
) -> "Figure":
    """The paths in the plane of the two weights, and the end of them enlarged."""
    from wflow.plotting.style import MODEL, OBSERVED, figure, tidy

    flow = np.stack([columns["flow_u"], columns["flow_v"]], axis=1)
    ridge = np.stack([columns["ridge_u"], columns["ridge_v"]], axis=1)
    both = np.concatenate([flow, ridge])
    drawn = figure(8.6, 4.3)
    whole, close = drawn.subplots(1, 2)
    for axes in (whole, close):
        axes.plot(*ridge.T, color=OBSERVED, linewidth=3, label="vanishing anchored")
        axes.plot(*flow.T, color=MODEL, linewidth=1.6, label="no penalty")
        axes.plot(*ridge[-1], "s", color=OBSERVED, ms=6, label="end of it")
        axes.plot(*flow[-1], "o", color=MODEL, ms=7, label="end of it")
        for name, marker in (("geodesic", "+"), ("arc", "x")):
            axes.plot(
                metrics[f"{name}_u"],
                metrics[f"{name}_v"],
                marker,
                color="black",
                ms=11,
                linestyle="",
                label=f"vanishing {name}",
            )
        axes.plot(*start, "o", color="white", markeredgecolor="black", label="start")
        axes.set_xlabel("u")
        axes.set_ylabel("v")
        tidy(axes)
    _frame(whole, np.concatenate([both, [start]]), 0.6, target)
    _frame(close, np.stack([flow[-1], ridge[-1]]), 1.1, target)
    whole.set_title("from the start to the fibre", fontsize="medium")
    close.set_title("the end, enlarged", fontsize="medium")
    drawn.suptitle(f"Descent of $(uv - {target:g})^2/2$, and what a penalty adds")
    handles, labels = whole.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return drawn


def _frame(axes: "Axes", points: np.ndarray, reach: float, target: float) -> None:
    """A square around points, ``reach`` times as wide to each side, and its fibre."""
    low, high = points.min(0), points.max(0)
    half = reach * max(high - low)
    (left, right), (bottom, top) = zip(
        (low + high) / 2 - half, (low + high) / 2 + half, strict=True
    )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal", adjustable="box")
    u = np.linspace(left, right, 400)
    u = u[np.abs(u) > 1e-3]
    axes.plot(u, target / u, color="0.75", linewidth=1.2, zorder=0, label="fibre")


def plot_path(columns: Mapping[str, Sequence[float]]) -> "Figure":
    """Output, and distance from the leaf of the plain flow, over the strength."""
    from wflow.plotting.style import MODEL, OBSERVED, figure, tidy

    drawn = figure(7.6, 3.5)
    output, leaf = drawn.subplots(1, 2)
    for name, colour, label, size in (
        ("anchored", OBSERVED, "anchored ridge, a run each", 7),
        ("arc", MODEL, "arc ridge, one run", 3.5),
    ):
        u, v = np.asarray(columns[f"{name}_u"]), np.asarray(columns[f"{name}_v"])
        strength = columns["strength"]
        output.plot(strength, u * v, "o-", color=colour, ms=size, label=label)
        leaf.plot(strength, u**2 - v**2, "o-", color=colour, ms=size)
    output.set_ylabel("output $uv$")
    leaf.set_ylabel("$u^2 - v^2$")
    for axes in (output, leaf):
        axes.set_xscale("log")
        axes.set_xlabel(r"strength $\lambda$")
        tidy(axes)
    drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    drawn.suptitle("Ends over the strength; without a penalty $u^2 - v^2$ stays")
    return drawn


def plot_dial(columns: Mapping[str, Sequence[float]]) -> "Figure":
    """The bias of vanishing anchored ridge from feature learning to kernel regime."""
    from wflow.plotting.style import MODEL, OBSERVED, figure, tidy

    drawn = figure(5.4, 3.8)
    axes = drawn.subplots()
    axes.plot(columns["c"], columns["law"], color="0.7", label=r"$c^{-3/2}/2$")
    axes.plot(
        columns["c"],
        columns["gap"],
        "s",
        color=OBSERVED,
        label="bias of anchored ridge",
    )
    axes.plot(
        columns["c"], columns["excess"], "o", color=MODEL, label="arc / chord - 1"
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("$c = u^2 - v^2$ of the start")
    axes.set_title("From feature learning to the kernel regime")
    axes.legend(frameon=False)
    tidy(axes)
    return drawn


def plot_shrinkage(columns: Mapping[str, Sequence[float]]) -> "Figure":
    """What every penalty leaves of the residual, by the curvature of the direction."""
    from wflow.plotting.style import MODEL, OBSERVED, figure, tidy

    strengths = np.unique(columns["strength"])
    shown = strengths[np.linspace(0, len(strengths) - 1, 3).round().astype(int)]
    drawn = figure(9.0, 3.4)
    panels = drawn.subplots(1, len(shown), sharey=True)
    for axes, strength in zip(panels, shown, strict=True):
        here = np.asarray(columns["strength"]) == strength
        curvature = np.asarray(columns["curvature"])[here]
        fine = np.linspace(0, 1.05 * curvature.max(), 200)
        axes.plot(
            fine,
            strength / (fine + strength),
            color="0.7",
            label=r"$\lambda/(k + \lambda)$, kernel ridge",
        )
        for name, marker, colour in (("geodesic", "s", OBSERVED), ("arc", "o", MODEL)):
            values = np.asarray(columns[name])[here]
            axes.plot(curvature, values, marker, color=colour, ms=5, label=name)
        axes.set_title(rf"$\lambda = {strength:.3g}$", fontsize="medium")
        axes.set_xlabel("eigenvalue k of the kernel")
        tidy(axes)
    panels[0].set_ylabel("share of the residual left")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return drawn
