"""Processes that are reset: a path, the stationary state, its covariance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .style import MODEL, OBSERVED, QUIET, figure, tidy


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_reset_paths(
    paths: Mapping[
        str, tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"], np.ndarray]
    ],
    stationary: Mapping[str, Float[np.ndarray, " n"]],
    *,
    origin: float,
    label: str,
) -> "Figure":
    """Paths of one coordinate with their resets, beside the stationary state.

    Args:
        paths: for each row, by its title, times, values and the times of the resets.
        stationary: draws of the stationary state, by the same titles.
        origin: where resets lead.
        label: of the coordinate.
    """
    drawn = figure(8.2, 2.3 * len(paths) + 0.3)
    rows = drawn.subplots(
        len(paths), 2, squeeze=False, width_ratios=(3, 1), sharey="row", sharex="col"
    )
    for (left, right), (title, (times, values, resets)) in zip(
        rows, paths.items(), strict=True
    ):
        for reset in resets:
            left.axvline(reset, color="0.85", linewidth=0.8, zorder=0)
        left.plot(times, values, color=MODEL, linewidth=1.0)
        left.axhline(origin, color="0.4", linewidth=0.8, linestyle=(0, (3, 3)))
        left.set_ylabel(label)
        left.set_title(title)
        tidy(left)
        draws = stationary[title]
        right.hist(
            draws, 40, density=True, orientation="horizontal", color=OBSERVED, alpha=0.6
        )
        right.axhline(draws.mean(), color=OBSERVED, linewidth=1.2)
        right.set_title("stationary", fontsize="medium")
        tidy(right)
    rows[-1][0].set_xlabel("time")
    rows[-1][1].set_xlabel("density")
    return drawn


def plot_ellipses(
    draws: Mapping[str, Float[np.ndarray, "n 2"]],
    ellipses: Mapping[
        str, Sequence[tuple[str, Float[np.ndarray, " 2"], Float[np.ndarray, "2 2"]]]
    ],
    *,
    origin: Float[np.ndarray, " 2"],
    rest: Float[np.ndarray, " 2"],
) -> "Figure":
    """Draws of the stationary state and ellipses of covariances, a panel for each law.

    Args:
        draws: of the stationary state, by the name of the law.
        ellipses: of two deviations for each law: what, center, covariance.
        origin: where resets lead.
        rest: where the flow leads without them.
    """
    drawn = figure(3.1 * len(draws), 4.4)
    panels = drawn.subplots(1, len(draws), squeeze=False)[0]
    for axes, (law, cloud) in zip(panels, draws.items(), strict=True):
        axes.scatter(*cloud.T, s=2, color=QUIET, alpha=0.35, linewidth=0)
        for (what, center, cov), style in zip(
            ellipses[law], ("-", "--", ":"), strict=False
        ):
            _ellipse(axes, center, cov, style, what)
        axes.plot(*origin, "o", color="black", ms=5, label="reset to")
        axes.plot(*rest, "x", color="black", ms=6, label="rest")
        axes.set_title(law)
        axes.set_xlabel(r"$\theta_1$")
        axes.set_aspect("equal", adjustable="box")
        tidy(axes)
    panels[0].set_ylabel(r"$\theta_2$")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False
    )
    return drawn


def _ellipse(
    axes: "Axes",
    center: Float[np.ndarray, " 2"],
    cov: Float[np.ndarray, "2 2"],
    style: str,
    label: str,
) -> None:
    values, axes_of = np.linalg.eigh(cov)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    # A covariance without rank is a segment.
    spread = 2 * axes_of * np.sqrt(np.maximum(values, 0))
    x, y = center[:, None] + spread @ circle
    axes.plot(x, y, color=MODEL, linestyle=style, linewidth=1.6, label=label)
