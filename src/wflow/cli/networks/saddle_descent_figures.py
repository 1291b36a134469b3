"""Gradient descent at small starts: its course, its cost, and what it fits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_curves(
    curves: Sequence[Mapping[str, tuple[np.ndarray, np.ndarray]]], *, share: float
) -> "Figure":
    """Losses of descent in slow time, a panel for each draw, a line for each scale.

    Args:
        curves: for each draw slow times and losses by the name of the scale.
        share: step over the largest at which descent can rest.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import figure, tidy

    drawn = figure(3.5 * len(curves) + 0.4, 3.9)
    panels = drawn.subplots(1, len(curves), squeeze=False)[0]
    for number, (axes, runs) in enumerate(zip(panels, curves, strict=True)):
        shades = colormaps["viridis"](np.linspace(0.9, 0.05, len(runs)))
        first_loss = max(loss[0] for _, loss in runs.values())
        ends = [_settled(tau, loss) for tau, loss in runs.values()]
        for shade, (name, (tau, loss)) in zip(shades, runs.items(), strict=True):
            axes.plot(tau, loss, color=shade, linewidth=1.4, label=name)
        axes.set_xlim(0, 1.05 * max(ends))
        axes.set_ylim(0, 1.05 * first_loss)
        axes.set_title(f"draw {number + 1}", fontsize=9)
        axes.set_xlabel(r"slow time $\tau = t / \log(1/\lambda)$", fontsize=9)
        axes.tick_params(labelsize=8)
        tidy(axes)
    panels[0].set_ylabel("loss", fontsize=9)
    drawn.suptitle(
        f"Gradient descent, {share:g} of the largest step, blurs the steps of the loss",
        fontsize=12,
    )
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(4, len(labels)),
        frameon=False,
        fontsize=8,
    )
    return drawn


def _settled(tau: np.ndarray, loss: np.ndarray) -> float:
    """When a loss has come to a hundredth of its fall above its end."""
    there = loss <= loss[-1] + 0.01 * (loss[0] - loss[-1])
    return float(tau[np.argmax(there)])


def plot_costs(
    scales: Sequence[float], costs: Mapping[str, Sequence[tuple[float, float]]]
) -> "Figure":
    """Steps and errors of jump times against log(1 / scale).

    Args:
        scales: log(1 / scale).
        costs: by method, steps and worst relative error at each scale; nan where it
            does not run. The first method is the reference.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import MODEL, OBSERVED, figure, tidy

    drawn = figure(9.6, 4.4)
    left, right = drawn.subplots(1, 2)
    shades = colormaps["viridis"](np.linspace(0.75, 0.1, max(1, len(costs) - 2)))
    colours = [MODEL, OBSERVED, *shades]
    for number, (name, values) in enumerate(costs.items()):
        steps, late = np.asarray(values).T
        marker = "os^"[min(number, 2)]
        style = {"color": colours[number], "marker": marker, "markersize": 4.5}
        left.plot(scales, steps, **style, label=name)
        if number:
            right.plot(scales, late, **style)
    left.set_ylabel("steps")
    left.set_title("Cost", fontsize=11)
    right.set_ylabel("worst relative difference to the flow")
    right.set_title("Times of the jumps", fontsize=11)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(r"$\log(1/\lambda)$")
        tidy(axes)
    drawn.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(3, len(costs)),
        frameon=False,
        fontsize=9,
    )
    return drawn


def plot_widths(
    widths: Sequence[int],
    shares: Mapping[int, Sequence[float]],
    expected: Sequence[float],
    *,
    samples: int,
    draws: int,
) -> "Figure":
    """How often descent fits all samples, against the width and the dimension.

    Args:
        widths: of the networks.
        shares: by dimension, 0 for orthogonal inputs: share of draws for each width.
        expected: the chance that orthogonal samples are covered, for each width.
        samples: n.
        draws: behind each share.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import OBSERVED, QUIET, figure, tidy

    drawn = figure(10.4, 4.6)
    left, right = drawn.subplots(1, 2)
    dims = [dim for dim in shares if dim]
    shades = colormaps["viridis"](np.linspace(0.85, 0.1, len(dims)))
    left.plot(
        widths, expected, color=OBSERVED, linewidth=2.5, alpha=0.5, label="formula"
    )
    left.plot(
        widths,
        shares[0],
        "o",
        color=OBSERVED,
        markersize=4.5,
        label="orthogonal",
    )
    for shade, dim in zip(shades, dims, strict=True):
        left.plot(
            widths,
            shares[dim],
            color=shade,
            marker="s",
            markersize=3.5,
            linewidth=1.1,
            label=f"d = {dim}",
        )
    left.set_xlabel("width m")
    left.set_ylabel(f"share of {draws} draws fitted")
    left.set_title(f"{samples} samples, against the width", fontsize=11)
    left.legend(frameon=False, fontsize=8, loc="lower right")

    # Widths at which something is left to tell, five at most.
    telling = [k for k, chance in enumerate(expected) if 0.02 < chance < 0.98]
    telling = telling or list(range(len(widths)))
    few = sorted({telling[round(k)] for k in np.linspace(0, len(telling) - 1, 5)})
    tones = colormaps["plasma"](np.linspace(0.85, 0.1, len(few)))
    places = np.arange(len(dims) + 1)
    for tone, k in zip(tones, few, strict=True):
        values = [*(shares[dim][k] for dim in dims), shares[0][k]]
        right.plot(
            places,
            values,
            color=tone,
            marker="o",
            markersize=4,
            label=f"m = {widths[k]}",
        )
    right.axvline(len(dims) - 0.5, color=QUIET, linewidth=1, linestyle="--")
    right.set_xticks(places, [*(f"{dim}" for dim in dims), "orthogonal"], fontsize=8)
    right.set_xlabel("dimension of random inputs")
    right.set_title("against the dimension", fontsize=11)
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.set_ylim(-0.03, 1.03)
        tidy(axes)
    return drawn


def plot_cosines(
    cases: Mapping[float, Mapping[str, np.ndarray]], *, samples: int, draws: int
) -> "Figure":
    """Which draws follow the orthogonal run, and the norm, against typical cosines.

    Args:
        cases: by log(1 / scale); the first case of each is orthogonal. Cosines that
            were scaled have dimension 0.
        samples: n.
        draws: behind each share.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import QUIET, figure, tidy

    drawn = figure(10.4, 4.5)
    left, right = drawn.subplots(1, 2)
    shades = colormaps["viridis"](np.linspace(0.8, 0.1, len(cases)))
    for shade, (scale, case) in zip(shades, cases.items(), strict=True):
        tilted = case["cosine"] > 0
        scaled = tilted & (case["dim"] == 0)
        random = tilted & (case["dim"] > 0)
        place = np.full(len(tilted), np.nan)
        place[tilted] = -np.log(case["cosine"][tilted]) / scale
        label = rf"$\log(1/\lambda) = {scale:g}$"
        for axes, name in ((left, "follows"), (right, "least")):
            axes.plot(
                place[scaled],
                case[name][scaled],
                color=shade,
                marker="o",
                markersize=3.5,
                linewidth=1.2,
                label=label,
            )
            axes.plot(
                place[random],
                case[name][random],
                "D",
                color=shade,
                markerfacecolor="white",
                markersize=5,
            )
        right.axhline(case["least"][0], color=shade, linewidth=0.9, linestyle=":")
    left.plot([], [], "D", color="0.3", mfc="white", ms=5, label="random inputs")
    right.plot([], [], ":", color="0.3", linewidth=0.9, label="orthogonal inputs")
    left.set_ylabel(f"share of {draws} draws that follow")
    left.set_title(f"{samples} samples: the orthogonal course", fontsize=11)
    left.set_ylim(-0.03, 1.03)
    right.set_ylabel("squared norm over the least")
    right.set_title("What is learnt", fontsize=11)
    for axes in (left, right):
        axes.axvline(1, color=QUIET, linewidth=1, linestyle="--")
        axes.set_xlabel(r"$\log(1/\mathrm{cosine})\,/\,\log(1/\lambda)$")
        axes.legend(frameon=False, fontsize=8)
        tidy(axes)
    return drawn
