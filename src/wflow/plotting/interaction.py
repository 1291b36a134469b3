"""The force between two particles."""

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.figure import Figure

from . import given
from .style import MODEL, OBSERVED, QUIET, figure, tidy


def plot_interaction(
    distances: Float[ArrayLike, " m"],
    potential: Float[ArrayLike, " m"],
    force: Float[ArrayLike, " m"],
    *,
    true_potential: Float[ArrayLike, " m"] | None = None,
    true_force: Float[ArrayLike, " m"] | None = None,
    observed: Float[ArrayLike, " k"] | None = None,
    unit: str = "units of the data",
) -> Figure:
    r"""Pair potential $\varphi$ and force $-\varphi'$ against distance, side by side.

    Args:
        distances: increasing.
        potential: at the distances, drawn as zero at the largest.
        force: at the distances, positive where particles repel each other.
        true_potential: that of a known law, dashed.
        true_force: that of a known law, dashed.
        observed: distances between points of the data, as a histogram behind the
            force: where there are none the curve is extrapolated.
        unit: of the distance.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: distances that do not increase; curves of another length.
    """
    owner = "plot_interaction"
    r = given.grid(owner, "distances", distances)
    potential = given.real(owner, "potential", potential, r.shape)
    force = given.real(owner, "force", force, r.shape)
    if true_potential is not None:
        name = "true_potential"
        true_potential = given.real(owner, name, true_potential, r.shape)
    if true_force is not None:
        true_force = given.real(owner, "true_force", true_force, r.shape)
    if observed is not None:
        observed = given.real(owner, "observed", observed, ("k",))
        observed = observed[np.isfinite(observed)]
    given.text(owner, unit=unit)
    drawn = figure(8.4, 3.8)
    left, right = drawn.subplots(1, 2)
    if observed is not None:
        counts = right.twinx()
        counts.hist(
            np.asarray(observed),
            bins=40,
            range=(r[0], r[-1]),
            color=QUIET,
            alpha=0.3,
            linewidth=0,
        )
        counts.set_yticks([])
        counts.spines[["top", "right", "left"]].set_visible(False)
        # The curve lies over the histogram.
        right.set_zorder(counts.get_zorder() + 1)
        right.patch.set_visible(False)
    rows = (
        (left, potential, true_potential, "pair potential $\\varphi$"),
        (right, force, true_force, "force $-\\varphi'$ (positive repels)"),
    )
    for axes, found, true, label in rows:
        shift = np.asarray(found)[-1] if axes is left else 0.0
        axes.plot(r, found - shift, color=MODEL, linewidth=1.8, label="model")
        if true is not None:
            shift = np.asarray(true)[-1] if axes is left else 0.0
            axes.plot(
                r,
                true - shift,
                color=OBSERVED,
                linewidth=1.4,
                linestyle="--",
                label="truth",
            )
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.set_xlim(r[0], r[-1])
        axes.set_xlabel(f"distance ({unit})")
        axes.set_ylabel(label)
        tidy(axes)
    if true_force is not None:
        left.legend(frameon=False)
    note = "" if observed is None else "; gray: distances in the data"
    drawn.suptitle(f"Interaction of two particles{note}", fontsize=11)
    return drawn
