"""Figures of the filtering tasks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wflow.plotting.style import QUIET, figure, tidy


if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _shades(names: Sequence[str]) -> dict[str, np.ndarray]:
    from matplotlib import colormaps

    shades = colormaps["tab10"](np.arange(len(names)) % 10)
    return dict(zip(names, shades, strict=True))


def plot_scores(
    runs: Mapping[str, np.ndarray],
    spreads: Mapping[str, float],
    levels: Mapping[str, np.ndarray],
    *,
    title: str,
) -> "Figure":
    """RMSE of every run beside the mean spread, and rank histograms.

    Args:
        runs: RMSE of every truth, by method.
        spreads: mean, by method.
        levels: histogram of the truth's level in the ensemble, by method, of sum one.
        title: the case.
    """
    drawn = figure(10, 0.34 * len(runs) + 2.2)
    left, right = drawn.subplots(1, 2)
    shades = _shades(list(runs))
    for row, (name, values) in enumerate(runs.items()):
        known = values[np.isfinite(values)]
        left.plot(known, np.full(known.shape, row), "o", color=shades[name], ms=4)
        left.plot(spreads[name], row, "|", color="0.3", ms=12)
    left.set_yticks(range(len(runs)), list(runs))
    left.invert_yaxis()
    left.set_xlabel("RMSE of the analysis (points), spread (bar)")
    left.set_title(title, fontsize=9)
    for name, share in levels.items():
        edges = np.linspace(0, 1, len(share) + 1)
        right.stairs(share * len(share), edges, color=shades[name], label=name)
    right.axhline(1, color=QUIET)
    right.set_xlabel("level of the truth in the ensemble")
    right.set_ylabel("density")
    right.legend(frameon=False, fontsize=7)
    for axes in (left, right):
        tidy(axes)
    return drawn


def plot_bimodal(
    times: np.ndarray,
    w1: Mapping[str, np.ndarray],
    mass: Mapping[str, np.ndarray],
) -> "Figure":
    """W1 to the exact law over time, and the lesser mode's share, by method.

    Args:
        times: of the observations.
        w1: mean over truths, by method.
        mass: least over truths, by method.
    """
    drawn = figure(9, 3.4)
    left, right = drawn.subplots(1, 2)
    shades = _shades(list(w1))
    for name in w1:
        left.plot(times, w1[name], color=shades[name], label=name)
        right.plot(times, mass[name], color=shades[name], label=name)
    left.set_ylabel("W1 to the filter on a grid")
    right.set_ylabel("least share of mass on one side of 0")
    left.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.set_xlabel("step")
        tidy(axes)
    return drawn


def plot_static(
    grid: np.ndarray,
    exact: Mapping[str, np.ndarray],
    samples: Mapping[str, Mapping[str, np.ndarray]],
) -> "Figure":
    """Exact distribution functions, and those of the members of every method.

    Args:
        grid: points.
        exact: density at them, by case.
        samples: members, by case and method.
    """
    columns = min(3, len(exact))
    rows = -(-len(exact) // columns)
    drawn = figure(3.6 * columns, 2.6 * rows)
    panels = drawn.subplots(rows, columns, squeeze=False).ravel()
    names = list(next(iter(samples.values())))
    shades = _shades(names)
    for axes, (case, density) in zip(panels, exact.items(), strict=False):
        levels = np.cumsum(density) / density.sum()
        seen = grid[(levels > 1e-3) & (levels < 1 - 1e-3)]
        axes.plot(grid, levels, color="0.1", linewidth=2.2, label="exact")
        for name in names:
            members = np.sort(samples[case][name])
            share = (np.arange(members.size) + 0.5) / members.size
            axes.plot(members, share, color=shades[name], linewidth=1, label=name)
        axes.set_xlim(seen[0] - 0.3, seen[-1] + 0.3)
        axes.set_title(case, fontsize=9)
        tidy(axes)
    for axes in panels[len(exact) :]:
        axes.set_visible(False)
    panels[0].legend(frameon=False, fontsize=7)
    return drawn
