"""Figures of fine-tuning: scores over the strength, and by method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .canonical_scores import BASELINES, METHODS, PENALISED


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "arc": "arc ridge",
    "anchored": "anchored ridge",
    "standard": "standard ridge",
    "pretrained": "pretrained",
    "unregularised": "no penalty",
    "early_stopping": "early stopping",
}


def colours() -> dict[str, str]:
    """Of every method."""
    from wflow.plotting.style import BASELINES as SHADES
    from wflow.plotting.style import MODEL, OBSERVED, QUIET

    shades = (MODEL, OBSERVED, SHADES[1], QUIET, "0.25", "0.55")
    return dict(zip(METHODS, shades, strict=True))


def plot_strengths(
    columns: Mapping[str, Sequence[float]],
    metrics: Mapping[str, float],
    labels: Mapping[str, str],
    title: str,
) -> "Figure":
    """Scores of the penalties over their strength, those of the baselines as lines.

    Args:
        columns: ``strength``, and by score and method means and standard errors.
        metrics: of the run; what ``<score>_<baseline>`` says is drawn as a line.
        labels: of the vertical axes, by score, one panel for each.
        title: of the figure.
    """
    from wflow.plotting.style import figure, tidy

    across = min(len(labels), 2)
    down = -(-len(labels) // across)
    drawn = figure(4.2 * across + 1.0, 3.3 * down + 1.1)
    panels = drawn.subplots(down, across, squeeze=False).ravel()
    for axes in panels[len(labels) :]:
        axes.set_visible(False)
    panels = panels[: len(labels)]
    shades = colours()
    for axes, (score, label) in zip(panels, labels.items(), strict=True):
        for method in PENALISED:
            axes.errorbar(
                columns["strength"],
                columns[f"{score}_{method}"],
                columns[f"{score}_{method}_se"],
                color=shades[method],
                marker="o",
                ms=3.5,
                linewidth=1.5,
                capsize=2,
                label=LABELS[method],
            )
        for method, dashes in zip(BASELINES, ("-", "--", ":"), strict=True):
            axes.axhline(
                metrics[f"{score}_{method}"],
                color=shades[method],
                linestyle=dashes,
                linewidth=1.2,
                label=LABELS[method],
            )
        axes.set_xscale("log")
        axes.set_xlabel(r"strength $\lambda$")
        axes.set_ylabel(label)
        tidy(axes)
    if len(labels) == 1:
        panels[0].set_yscale("log")
    handles, names = panels[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    drawn.suptitle(title)
    return drawn


def plot_chosen(
    metrics: Mapping[str, float], labels: Mapping[str, str], title: str
) -> "Figure":
    """Mean and standard error by method, at the strengths that validation chose."""
    from wflow.plotting.style import figure, tidy

    drawn = figure(2.9 * len(labels) + 1.4, 3.2)
    panels = drawn.subplots(1, len(labels), squeeze=False, sharey=True)[0]
    shades, rows = colours(), np.arange(len(METHODS))[::-1]
    for axes, (score, label) in zip(panels, labels.items(), strict=True):
        for row, method in zip(rows, METHODS, strict=True):
            _bar(axes, row, metrics, f"{score}_{method}", shades[method])
        axes.set_xlabel(label)
        axes.set_yticks(rows, [LABELS[method] for method in METHODS])
        axes.margins(x=0.22)
        axes.set_xlim(left=0)
        tidy(axes)
        axes.grid(False, axis="y")
    drawn.suptitle(title)
    return drawn


def _bar(
    axes: "Axes", row: int, metrics: Mapping[str, float], key: str, colour: str
) -> None:
    value, error = metrics[key], metrics[f"{key}_se"]
    axes.barh(row, value, 0.7, xerr=error, color=colour, error_kw={"capsize": 2})
    axes.annotate(
        f"{value:.3g}",
        (value + error, row),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def plot_predictions(columns: Mapping[str, Sequence[float]], title: str) -> "Figure":
    """What networks fine-tuned on the same points predict, beside the truth."""
    from wflow.plotting.style import figure, tidy

    drawn = figure(7.6, 3.6)
    panels = drawn.subplots(1, 2, sharex=True, sharey=True)
    shades = colours()
    x = np.asarray(columns["x"])
    shown = (("pretrained", "arc", "anchored"), ("unregularised", "standard"))
    seen = ~np.isnan(columns["train_y"])
    for axes, methods in zip(panels, shown, strict=True):
        axes.plot(x, columns["truth"], color="0.75", linewidth=4, label="truth")
        for method in methods:
            axes.plot(x, columns[method], color=shades[method], label=LABELS[method])
        axes.plot(
            np.asarray(columns["train_x"])[seen],
            np.asarray(columns["train_y"])[seen],
            "o",
            color="black",
            ms=4,
            label="fine-tuned on",
        )
        axes.set_xlabel("x")
        axes.legend(frameon=False, fontsize="small")
        tidy(axes)
    # Overshoot between the points is part of the result, not the scale.
    low, high = np.min(columns["truth"]), np.max(columns["truth"])
    panels[0].set_ylim(low - 1.4, high + 1.4)
    panels[0].set_ylabel("output")
    drawn.suptitle(title)
    return drawn
