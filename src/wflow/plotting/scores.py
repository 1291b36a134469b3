"""Scores of a model beside those of its baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from wflow.checks import instance, one_of

from . import given
from .style import BASELINES, MODEL, QUIET, figure, tidy


_NOISE = "noise of a score"


def plot_scores(
    groups: Sequence[str],
    scores: Mapping[str, Sequence[float | None]],
    *,
    models: Sequence[str] = ("model",),
    label: str = "$W_1$ to the held-out snapshot",
    floor: Sequence[float | None] | None = None,
    intervals: Mapping[str, Sequence[tuple[float, float] | None]] | None = None,
    title: str = "Scores against the baselines",
) -> Figure:
    """Scores as bars side by side, the model's in the warm color; lower is better.

    Below the floor of a group, which a line marks, scores are not told apart.

    Args:
        groups: names of the groups of bars (times).
        scores: for every method one score per group, None where it has none.
        models: which of the methods are the model.
        label: name of the score, with its unit.
        floor: for each group what noise alone scores, None where it is not known.
        intervals: for some of the methods both ends for each group, None where there
            are none.
        title: over all.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: no scores, or not one score or None per group; likewise a floor and
            intervals; intervals of what has no scores.
    """
    owner = "plot_scores"
    groups = given.listed(owner, "groups", groups, None, "names")
    for group in groups:
        instance(owner, "groups", group, str, "names")
    rows = given.named(owner, "scores", scores, "a score or None per group")
    for name, row in rows.items():
        what = f"scores {name!r}"
        entries = given.listed(owner, what, row, len(groups), "a score or None each")
        given.real(owner, what, [0.0 if e is None else e for e in entries], ("n",))
    instance(owner, "models", models, (tuple, list, set, frozenset), "a tuple of names")
    for name in models:
        instance(owner, "models", name, str, "a tuple of names")
    given.text(owner, label=label, title=title)
    noise = None if floor is None else _numbers("floor", floor, len(groups))
    ends = _ends(intervals, rows, len(groups))
    breadth = max(5.2, 1.25 * len(groups) + 3.4)
    drawn = figure(breadth, 4.2)
    axes = drawn.subplots()
    # Grays that come again are hatched.
    grays = iter(
        [(gray, hatch) for hatch in ("", "////", "....") for gray in BASELINES]
    )
    width = 0.8 / len(scores)
    positions = np.arange(len(groups))
    for i, (name, values) in enumerate(scores.items()):
        heights = np.array([np.nan if v is None else v for v in values], np.float64)
        # A second model is drawn lighter than the first.
        lighter = 1 - 0.45 * list(models).index(name) if name in models else 1
        errors = None
        if name in ends:
            errors = np.abs(ends[name].T - heights)
        color, hatch = (MODEL, "") if name in models else next(grays, (QUIET, "xx"))
        bars = axes.bar(
            positions + (i - (len(scores) - 1) / 2) * width,
            heights,
            width * 0.94,
            yerr=errors,
            error_kw={"ecolor": "0.1", "capsize": 2, "elinewidth": 1},
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            alpha=lighter,
            label=name,
        )
        texts = ["" if np.isnan(h) else f"{h:.3g}" for h in heights]
        # Above the bar, or above its interval.
        axes.bar_label(bars, texts, fontsize=7, padding=2, rotation=90)
    if noise is not None and np.isfinite(noise).any():
        axes.hlines(
            noise,
            positions - 0.45,
            positions + 0.45,
            color="black",
            linewidth=1.2,
            linestyle=(0, (4, 2)),
            label=_NOISE,
        )
    axes.margins(y=0.18)
    axes.set_xticks(positions, groups)
    axes.set_ylabel(f"{label} (lower is better)")
    axes.set_title(title)
    tidy(axes)
    axes.grid(False, axis="x")
    # As many columns as have room for the longest name, in inches.
    longest = max(map(len, (*scores, _NOISE)))
    columns = min(len(scores), 4, max(1, int(breadth / (0.7 + 0.085 * longest))))
    drawn.legend(loc="outside lower center", ncols=columns, frameon=False)
    return drawn


def _numbers(what: str, row: Any, size: int) -> np.ndarray:
    """A number or nan for each group."""
    entries = given.listed("plot_scores", what, row, size, "a number or None each")
    filled = [np.nan if entry is None else entry for entry in entries]
    return given.real("plot_scores", what, filled, (size,))


def _ends(intervals: Any, rows: Mapping[str, Any], size: int) -> dict[str, np.ndarray]:
    """Both ends for every group, by method."""
    if intervals is None:
        return {}
    owner, what = "plot_scores", "two ends or None each"
    found = {}
    for name, pairs in given.named(owner, "intervals", intervals, what).items():
        one_of(owner, "intervals", name, tuple(rows))
        place = f"intervals {name!r}"
        entries = given.listed(owner, place, pairs, size, what)
        filled = [(np.nan, np.nan) if pair is None else pair for pair in entries]
        found[name] = given.real(owner, place, filled, (size, 2))
    return found
