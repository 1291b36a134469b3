"""Spectral filters of laws, and the coefficients that they make."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .style import CATEGORIES, OBSERVED, figure, tidy


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Names in one row of a legend.
_ROW = 8


def law_styles(
    names: Sequence[str], reference: str, dashed: Sequence[str] = ()
) -> dict[str, dict[str, object]]:
    """Line styles by name, the same in every panel."""
    others = [name for name in names if name != reference]
    styles: dict[str, dict[str, object]] = {
        name: {
            "color": CATEGORIES[i % len(CATEGORIES)],
            "linestyle": "--" if name in dashed else "-",
            "linewidth": 1.4,
        }
        for i, name in enumerate(others)
    }
    if reference in names:
        styles[reference] = {"color": "black", "linestyle": "-", "linewidth": 2.0}
    return styles


def plot_filters(
    mu: Float[np.ndarray, " m"],
    filters: Mapping[str, Mapping[str, Float[np.ndarray, " m"]]],
    penalty: Mapping[str, Float[np.ndarray, " m"]],
    *,
    reference: str,
    dashed: Sequence[str] = (),
) -> "Figure":
    """Filters against curvature, a panel for each scaling, and the penalties alike.

    Args:
        mu: curvatures, in units of the inverse mean.
        filters: for each panel, by its title, filters by the name of their law.
        penalty: the ridge penalty that shrinks alike, by the name of the law.
        reference: the law in black, drawn last.
        dashed: names of filters that no law has.
    """
    drawn = figure(3.3 * (len(filters) + 1), 3.6)
    panels = drawn.subplots(1, len(filters) + 1, squeeze=False)[0]
    names = list(penalty)
    styles = law_styles(names, reference, dashed)
    order = [n for n in names if n != reference] + [n for n in names if n == reference]
    for axes, (title, curves) in zip(panels, filters.items(), strict=False):
        _curves(axes, mu, curves, order, styles)
        axes.set_ylabel(r"filter $h(\mu)$")
        axes.set_title(title)
        axes.set_xlim(1e-2, 1e2)
    last = panels[-1]
    _curves(last, mu, penalty, order, styles)
    last.set_yscale("log")
    last.set_ylim(0.2, 3)
    last.yaxis.set_major_formatter("{x:g}")
    last.set_yticks([0.2, 0.5, 1, 2], minor=False)
    last.minorticks_off()
    last.set_ylabel(r"$\lambda(\mu) = \mu(1 - h)/h$")
    last.set_title("ridge penalty that shrinks alike")
    handles, labels = last.get_legend_handles_labels()
    columns = len(labels) if len(labels) <= _ROW else (len(labels) + 1) // 2
    drawn.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False
    )
    return drawn


def _curves(
    axes: "Axes",
    mu: Float[np.ndarray, " m"],
    curves: Mapping[str, Float[np.ndarray, " m"]],
    order: Sequence[str],
    styles: Mapping[str, Mapping[str, object]],
) -> None:
    for name in order:
        axes.plot(mu, curves[name], label=name.replace("_", " "), **styles[name])
    axes.set_xscale("log")
    axes.set_xlabel(r"curvature times mean, $\mu\tau$")
    tidy(axes)


def plot_shrinkage(
    rates: Float[np.ndarray, " m"],
    curves: Mapping[str, Float[np.ndarray, "m p"]],
    *,
    names: Sequence[str] = (),
    marked: float | None = None,
) -> "Figure":
    """Coefficients against the reset rate, a panel for each law.

    Args:
        rates: resets per unit of time, on a logarithmic axis.
        curves: coefficients by the name of the law.
        names: of the coefficients, written at the left end where it is not crowded.
        marked: a rate to mark.
    """
    drawn = figure(3.1 * len(curves) + 0.4, 3.4)
    panels = drawn.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    for axes, (law, values) in zip(panels, curves.items(), strict=True):
        for j, column in enumerate(values.T):
            axes.plot(
                rates, column, color=CATEGORIES[j % len(CATEGORIES)], linewidth=1.2
            )
        if marked is not None:
            axes.axvline(marked, color="0.4", linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set_xscale("log")
        axes.set_xlabel("reset rate")
        axes.set_title(law.replace("_", " "))
        tidy(axes)
    panels[0].set_ylabel("coefficient")
    first = next(iter(curves.values()))[0]
    gap = 0.06 * np.ptp(first)
    taken: list[float] = []
    for j in np.argsort(-np.abs(first))[: len(names)]:
        if all(abs(first[j] - other) > gap for other in taken):
            taken.append(float(first[j]))
            panels[0].annotate(
                names[j],
                (rates[0], first[j]),
                xytext=(2, 2),
                textcoords="offset points",
                fontsize=7,
                color=OBSERVED,
            )
    return drawn
