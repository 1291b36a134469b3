"""How often gradient descent fits all samples, against width and dimension."""

import math
from typing import Literal

import jax
import numpy as np
from matplotlib.figure import Figure

from wflow.networks.saddle.cover import interpolation_probability
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.plotting.style import OBSERVED
from wflow.studies import Arrays, Log, Outcome, ScoreTable, Study

from ._saddle import half_way, z_scores
from ._wide import Wide, runs


class Params(Wide):
    """What is fitted, beside what units that are on at the start cover.

    On orthogonal inputs the cover foretells the end: a unit that is off stays off.
    """

    task: Literal["saddle_width"]


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """By input, width and draw, whether all is fitted, and whether a cover says so.

    The first inputs are orthogonal; ``expected`` is the chance of their labels.
    """
    # The same labels and the same draws for each dimension, as for each width.
    keys = jax.random.split(key, p.draws)
    parts = []
    for dim in (None, *p.dims):
        part = runs(p, keys, dim)
        parts.append(part)
        name = f"dimension {dim}" if dim else "orthogonal"
        log(f"{name}: {part['fitted'].sum()} of {part['fitted'].size} fitted")
    arrays = {name: np.stack([each[name] for each in parts]) for name in parts[0]}
    positive = arrays.pop("positive")[0]
    chances = [
        interpolation_probability(m, n, p.samples - n)
        for m, n in zip(p.widths, positive, strict=True)
    ]
    return {**arrays, "expected": np.array(chances)}


def _shares(p: Params, arrays: Arrays) -> dict[str, np.ndarray]:
    """By input, the share of draws that are fitted at each width, and the formula's."""
    shares = arrays["fitted"].mean(axis=-1)
    random = {
        f"random, d = {d}": row for d, row in zip(p.dims, shares[1:], strict=True)
    }
    expected = arrays["expected"].mean(axis=-1)
    return {"orthogonal": shares[0], "its formula": expected, **random}


def report(p: Params, arrays: Arrays) -> Outcome:
    """Where half of the draws are fitted, and what the cover foretold."""
    shares = _shares(p, arrays)
    names = ("orthogonal", "formula", *p.dims)
    halves = [half_way(p.widths, row) for row in shares.values()]
    metrics = {f"width_half_{n}": x for n, x in zip(names, halves, strict=True)}
    agree = arrays["fitted"][0] == arrays["covered"][0]
    metrics["cover_agreement"] = float(agree.mean())
    scores = z_scores(shares["orthogonal"], shares["its formula"], p.draws)
    metrics["max_probability_z"] = float(max(scores, default=math.nan))
    for name, row in zip(names, shares.values(), strict=True):
        if name != "formula":
            metrics[f"fitted_{name}"] = float(row.mean())
    missed = {
        f"m = {width}": [1 - float(row[k]) for row in shares.values()]
        for k, width in enumerate(p.widths)
    }
    title = "Share of draws that gradient descent does not fit"
    remarks = [
        f"On orthogonal inputs the cover foretells the end of {agree.mean():.1%} of "
        f"{agree.size} runs.",
        f"Half of the draws are fitted from width {halves[0]:.1f} on orthogonal "
        f"inputs, {halves[-1]:.1f} on random ones of dimension {p.dims[-1]}.",
    ]
    return Outcome(metrics, [ScoreTable(title, tuple(shares), missed, ())], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """How often descent fits all samples, against the width and the dimension."""
    orthogonal, expected, *random = _shares(p, arrays).values()
    how = {"color": OBSERVED}
    against_width = [
        Curve(p.widths, expected, "formula", width=2.5, alpha=0.5, **how),
        Curve(p.widths, orthogonal, "orthogonal", style="o", size=4.5, **how),
    ]
    for dim, row, shade in zip(p.dims, random, shades(len(random))[::-1], strict=True):
        curve = Curve(p.widths, row, f"d = {dim}", style="s-", color=shade, width=1.1)
        against_width.append(curve)
    # Widths at which something is left to tell, five at most.
    telling = np.flatnonzero((expected > 0.02) & (expected < 0.98))
    telling = telling if telling.size else np.arange(len(p.widths))
    few = np.unique(telling[np.linspace(0, len(telling) - 1, 5).round().astype(int)])
    places, last = np.arange(len(p.dims) + 1), len(p.dims)
    against_dim = [
        Curve(
            places,
            [*(row[k] for row in random), orthogonal[k]],
            f"m = {p.widths[k]}",
            style="o-",
            color=tone,
        )
        for k, tone in zip(few, shades(len(few), "plasma")[::-1], strict=True)
    ]
    panels = [
        Panel(
            against_width,
            "width m",
            f"share of {p.draws} draws fitted",
            title=f"{p.samples} samples, against the width",
            ylim=(-0.03, 1.03),
        ),
        Panel(
            against_dim,
            "dimension of random inputs",
            title="against the dimension",
            levels=[Level(x=last - 0.5, style="--")],
            xticks=(places, [*map(str, p.dims), "orthogonal"]),
            ylim=(-0.03, 1.03),
        ),
    ]
    return {"width": plot_panels(panels, width=5.2, height=4.6)}


STUDY = Study(Params, run, report, figures)
