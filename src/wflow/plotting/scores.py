"""Scores of a model beside those of its baselines."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from wflow.checks import instance

from . import given
from .style import BASELINES, MODEL, figure, tidy


def plot_scores(
    groups: Sequence[str],
    scores: Mapping[str, Sequence[float | None]],
    *,
    models: Sequence[str] = ("model",),
    label: str = "$W_1$ to the held-out snapshot",
) -> Figure:
    """Scores as bars side by side, the model's in the warm color; lower is better.

    Args:
        groups: names of the groups of bars (times).
        scores: for every method one score per group, None where it has none.
        models: which of the methods are the model.
        label: name of the score, with its unit.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: no scores, or not one score or None per group.
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
    given.text(owner, label=label)
    breadth = max(5.2, 1.25 * len(groups) + 3.4)
    drawn = figure(breadth, 4.2)
    axes = drawn.subplots()
    shades = iter(BASELINES * len(scores))
    width = 0.8 / len(scores)
    positions = np.arange(len(groups))
    for i, (name, values) in enumerate(scores.items()):
        heights = np.array([np.nan if v is None else v for v in values], np.float64)
        # A second model is drawn lighter than the first.
        lighter = 1 - 0.45 * list(models).index(name) if name in models else 1
        bars = axes.bar(
            positions + (i - (len(scores) - 1) / 2) * width,
            heights,
            width * 0.94,
            color=MODEL if name in models else next(shades),
            alpha=lighter,
            label=name,
        )
        texts = ["" if np.isnan(h) else f"{h:.3g}" for h in heights]
        axes.bar_label(bars, texts, fontsize=7, padding=2, rotation=90)
    axes.margins(y=0.18)
    axes.set_xticks(positions, groups)
    axes.set_ylabel(f"{label} (lower is better)")
    axes.set_title("Scores against the baselines")
    tidy(axes)
    axes.grid(False, axis="x")
    # As many columns as have room for a long name.
    columns = min(len(scores), 4, int(breadth / 2.3))
    drawn.legend(loc="outside lower center", ncols=columns, frameon=False)
    return drawn
