"""Widths that suffice, and sizes of what is learnt."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Chances(NamedTuple):
    """Frequencies of success at widths, with what is expected of them.

    Attributes:
        widths: of the networks.
        expected: chances, or nan where there is no formula.
        counted: relative frequencies.
        draws: that they are counted over.
    """

    widths: Sequence[float]
    expected: Sequence[float]
    counted: Sequence[float]
    draws: float


def plot_chances(
    chances: Mapping[str, Chances],
    flow: Mapping[str, Chances],
    *,
    title: str,
    label: str,
) -> "Figure":
    """Chances against the width: formula as lines, counts with their errors.

    Args:
        chances: by the name of the case.
        flow: the same counted on the flow itself, open squares.
        title: of the figure.
        label: of the vertical axis.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import figure, tidy

    drawn = figure(6.4, 4.4)
    axes = drawn.subplots()
    shades = colormaps["viridis"](np.linspace(0.05, 0.8, len(chances)))
    colour = dict(zip(chances, shades, strict=True))
    for name, each in chances.items():
        axes.plot(each.widths, each.expected, color=colour[name], linewidth=1.4)
        _counts(axes, each, color=colour[name], marker="o", label=name)
    for name, each in flow.items():
        _counts(
            axes,
            each,
            color=colour.get(name, "0.2"),
            marker="s",
            markerfacecolor="white",
            label=f"{name}, the flow",
        )
    axes.plot([], [], color="0.4", linewidth=1.4, label="formula")
    axes.set_xlabel("width m")
    axes.set_ylabel(label)
    axes.set_ylim(-0.03, 1.03)
    axes.set_title(title)
    axes.legend(frameon=False, fontsize="small", loc="lower right")
    tidy(axes)
    return drawn


def _counts(axes: object, each: Chances, **style: object) -> None:
    counted = np.asarray(each.counted)
    error = np.sqrt(counted * (1 - counted) / each.draws)
    axes.errorbar(  # pyright: ignore[reportAttributeAccessIssue]
        each.widths, counted, yerr=2 * error, linestyle="none", markersize=4.5, **style
    )


def plot_norms(
    samples: Sequence[float],
    learnt: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    least: Sequence[float],
    flow: Sequence[tuple[float, float, float]],
    *,
    slope: float,
) -> "Figure":
    """Squared norm against sqrt(n), and its ratio to the least possible.

    Args:
        samples: numbers n, one for each entry of ``least``.
        learnt: ``ratio`` and ``norm``: medians and half-spreads.
        least: mean of the least squared norm of an interpolator.
        flow: triples of n, squared norm and ratio from the flow itself.
        slope: of the logarithm of the norm in that of n.
    """
    from matplotlib.ticker import LogLocator

    from wflow.plotting.style import MODEL, OBSERVED, QUIET, figure, tidy

    drawn = figure(9.6, 4.2)
    left, right = drawn.subplots(1, 2)
    root = np.sqrt(samples)
    middle, spread = (np.asarray(values) for values in learnt["norm"])
    left.errorbar(
        root, middle, yerr=spread, color=MODEL, marker="o", capsize=2, label="learnt"
    )
    left.plot(root, least, color=OBSERVED, marker="v", label="least possible")
    if flow:
        n, norms, _ = (np.asarray(column) for column in zip(*flow, strict=True))
        left.plot(np.sqrt(n), norms, "s", mfc="white", color="0.2", label="flow")
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel(r"$\sqrt{n}$")
    left.set_ylabel(r"$\sum_j a_j^2 + |w_j|^2$")
    left.set_title(f"Squared norm, slope {slope:.3f} in log n", fontsize=11)
    left.legend(frameon=False)
    middle, spread = (np.asarray(values) for values in learnt["ratio"])
    right.axhline(1, color=OBSERVED, linewidth=1)
    right.axhline(1 / (np.sqrt(2) - 1), color=QUIET, linewidth=1, linestyle="--")
    right.annotate(
        r"$1/(\sqrt{2} - 1)$, $n\to\infty$ with m of order log n",
        (root[0], 1 / (np.sqrt(2) - 1)),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8,
        color="0.4",
    )
    right.errorbar(root, middle, yerr=spread, color=MODEL, marker="o", capsize=2)
    if flow:
        n, _, ratios = (np.asarray(column) for column in zip(*flow, strict=True))
        right.plot(np.sqrt(n), ratios, "s", mfc="white", color="0.2")
    right.set_xscale("log")
    right.set_ylim(0.9, 2.7)
    right.set_xlabel(r"$\sqrt{n}$")
    right.set_ylabel("squared norm over the least")
    right.set_title("How far from minimal", fontsize=11)
    ticks = sorted({*np.round(root, 1), *(round(row[0] ** 0.5, 1) for row in flow)})
    for axes in (left, right):
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.set_xticks([], minor=True)
        tidy(axes)
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("")
    return drawn
