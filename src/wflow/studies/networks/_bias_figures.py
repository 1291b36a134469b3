"""Figures of the bias that vanishing penalties leave on a product of two numbers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wflow.plotting.panels import Curve, Panel, plot_panels
from wflow.plotting.style import MODEL, OBSERVED, QUIET
from wflow.studies import Arrays


def plot_fiber(arrays: Arrays, start: Sequence[float], target: float) -> Figure:
    """The paths in the plane of the two weights, and the end of them enlarged.

    Args:
        arrays: ``flow`` and ``ridge``, paths ``(n, 2)``; ``geodesic_end`` and
            ``arc_end``, ``(2,)``.
        start: of all paths, u and v.
        target: of their product, which makes the fiber.
    """
    flow, ridge = arrays["flow"], arrays["ridge"]
    geodesic, arc, origin = arrays["geodesic_end"], arrays["arc_end"], np.array(start)
    black = {"color": "black", "size": 11.0, "width": 1.0}
    curves = [
        Curve(ridge[:, 0], ridge[:, 1], "vanishing anchored", color=OBSERVED, width=3),
        Curve(flow[:, 0], flow[:, 1], "no penalty", color=MODEL),
        _dot(ridge[-1], "end of it", color=OBSERVED, style="s", size=6),
        _dot(flow[-1], "end of it", color=MODEL, style="o", size=7),
        _dot(geodesic, "vanishing geodesic", style="+", **black),
        _dot(arc, "vanishing arc", style="x", **black),
        _dot(origin, "start", color="black", style="o", size=6),
    ]
    both = np.concatenate([flow, ridge, [origin]])
    ends = np.stack([flow[-1], ridge[-1]])
    panels = []
    for points, reach, title in (
        (both, 0.6, "from the start to the fiber"),
        (ends, 1.1, "the end, enlarged"),
    ):
        # A square around the points, so many times as wide to each side.
        low, high = points.min(0), points.max(0)
        half = reach * max(high - low)
        (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
        u = np.linspace(left, right, 400)
        v = np.where(np.abs(u) > 1e-3, target / np.where(u == 0, 1, u), np.nan)
        fiber = Curve(u, v, "fiber", color="0.75", width=1.2)
        limits = {"xlim": (left, right), "ylim": (bottom, top)}
        panels.append(Panel([fiber, *curves], "u", "v", title=title, **limits))
    title = f"Descent of $(uv - {target:g})^2/2$, and what a penalty adds"
    drawn = plot_panels(panels, width=4.3, height=4.0, title=title, legend_below=4)
    for axes in drawn.axes:
        axes.set_aspect("equal", adjustable="box")
    return drawn


def _dot(point: np.ndarray, label: str, **style: object) -> Curve:
    return Curve(point[:1], point[1:], label, **style)


def plot_path(arrays: Arrays, strengths: Sequence[float]) -> Figure:
    """Output, and distance from the leaf of the plain flow, over the strength.

    Args:
        arrays: weights ``(m, 2)`` by strength, ``path_anchored`` and ``path_arc``.
        strengths: ``(m,)``.
    """
    outputs, leaves = [], []
    for name, color, label, size in (
        ("anchored", OBSERVED, "anchored ridge, a run each", 7.0),
        ("arc", MODEL, "arc ridge, one run", 3.5),
    ):
        u, v = arrays[f"path_{name}"].T
        style = {"color": color, "style": "o-", "size": size}
        outputs.append(Curve(strengths, u * v, label, **style))
        leaves.append(Curve(strengths, u**2 - v**2, label, **style))
    panels = [
        Panel(curves, r"strength $\lambda$", label, scales=("log", "linear"))
        for curves, label in ((outputs, "output $uv$"), (leaves, "$u^2 - v^2$"))
    ]
    title = "Ends over the strength; without a penalty $u^2 - v^2$ stays"
    return plot_panels(panels, title=title, legend_below=2)


def plot_dial(arrays: Arrays, starts: Sequence[float]) -> Figure:
    """The bias of vanishing anchored ridge from feature learning to kernel regime.

    Args:
        arrays: ``dial_gap``, the bias, and ``dial_arc_excess``, the relative excess of
            a path over its chord, ``(k,)``.
        starts: u^2 - v^2 of the starts, ``(k,)``.
    """
    c, gap, excess = np.array(starts), arrays["dial_gap"], arrays["dial_arc_excess"]
    curves = [
        Curve(c, c**-1.5 / 2, r"$c^{-3/2}/2$", color=QUIET),
        Curve(c, gap, "bias of anchored ridge", color=OBSERVED, style="s", size=6),
        Curve(c, excess, "arc / chord - 1", color=MODEL, style="o", size=6),
    ]
    title = "From feature learning to the kernel regime"
    x = "$c = u^2 - v^2$ of the start"
    panel = Panel(curves, x, title=title, scales=("log", "log"))
    return plot_panels([panel], width=5.4, height=3.8)
