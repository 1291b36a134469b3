"""The width at which a ReLU network from a small start fits orthogonal samples."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from wflow.networks.saddle import ReLUData, width_for
from wflow.networks.saddle.cover import (
    covering_width,
    interpolation_probability,
    sample_cover,
)
from wflow.plotting.panels import Curve, Panel, plot_panels, shades
from wflow.studies import (
    Arrays,
    Count,
    Log,
    Outcome,
    Positive,
    ScoreTable,
    Strict,
    Study,
    StudyParams,
)

from ._saddle import Counts, Sizes, ends, z_scores


# Draws that are held at once.
_CHUNK = 100


class FlowCheck(Strict):
    """Runs of the flow itself, ``draws`` of each width, from exp(-inverse_scale)."""

    samples: Count
    widths: Counts
    draws: Count
    inverse_scale: Positive = 50.0


class Params(StudyParams):
    """The chance to interpolate: formula, sampled covers, and the flow.

    Attributes:
        samples: numbers n of samples, half of each sign (one more of the negative).
        widths: of the networks.
        draws: of signs and units for each n.
        labels: of the runs of the flow.
        flow: these runs; none where it is left out.
    """

    task: Literal["saddle_interpolation"]
    samples: Counts
    widths: Counts
    draws: Count = 4000
    labels: Sizes = Sizes()
    flow: FlowCheck | None = None


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Chances and counts by n and width, and ends of the flow by width and draw."""
    del log
    of_covers, of_flow = jax.random.split(key)
    halves = [(n // 2, n - n // 2) for n in p.samples]
    chance = lambda m, half: float(interpolation_probability(m, *half))
    keys = jax.random.split(of_covers, len(p.samples))
    least = [_least_widths(p, n, key) for n, key in zip(p.samples, keys, strict=True)]
    arrays = {
        "expected": [[chance(m, half) for m in p.widths] for half in halves],
        "counted": [[np.mean(each <= m) for m in p.widths] for each in least],
        "width_half": [width_for(*half, 0.5) for half in halves],
        "width_99": [width_for(*half, 0.99) for half in halves],
    }
    if p.flow is not None:
        keys = jax.random.split(of_flow, len(p.flow.widths))
        found = [_ends(p, p.flow, m, keys[k]) for k, m in enumerate(p.flow.widths)]
        fitted, foretold = np.moveaxis(found, 2, 0)
        arrays |= {"flow_fitted": fitted, "flow_foretold": foretold}
    return {name: np.array(values) for name, values in arrays.items()}


def _signs(n: int) -> jax.Array:
    """Signs of the labels, the positive ones first."""
    return jnp.where(jnp.arange(n) < n // 2, 1.0, -1.0)


def _least_widths(p: Params, n: int, key: jax.Array) -> np.ndarray:
    """For every draw of the most neurons, how many of the first cover all samples."""
    cover = lambda key: sample_cover(key, max(p.widths), n)
    least = lambda key: covering_width(*cover(key), _signs(n))
    each = jax.jit(lambda keys: jax.lax.map(least, keys, batch_size=_CHUNK))
    return np.asarray(each(jax.random.split(key, p.draws)))


def _ends(
    p: Params, flow: FlowCheck, width: int, key: jax.Array
) -> list[tuple[bool, bool]]:
    """For every draw, whether the flow fits all samples, and whether its cover does."""
    found = []
    for each in jax.random.split(key, flow.draws):
        of_labels, of_neurons = jax.random.split(each)
        y = jnp.abs(p.labels.labels(of_labels, flow.samples)) * _signs(flow.samples)
        data = ReLUData.orthogonal(y)
        limit, course = ends(of_neurons, width, data, flow.inverse_scale)
        # What is not fitted keeps all of its label.
        fits = bool(jnp.max(jnp.abs(course.residual[-1] / y)) < 0.5)
        found.append((fits, not bool(limit.unfitted.any())))
    return found


def report(p: Params, arrays: Arrays) -> Outcome:
    """How far counts are from the formula, and the widths that suffice."""
    scores = z_scores(arrays["counted"], arrays["expected"], p.draws)
    worst = float(max(scores, default=math.nan))
    metrics = {"max_probability_z": worst, "cells": float(len(scores))}
    union = [math.log(n / 0.01) / math.log(4 / 3) for n in p.samples]
    half, most = arrays["width_half"].tolist(), arrays["width_99"].tolist()
    for name, row in (("width_half", half), ("width_99", most), ("union_99", union)):
        metrics |= {f"{name}_{n}": w for n, w in zip(p.samples, row, strict=True)}
    table = ScoreTable(
        "Widths of the formula, and of the union bound",
        tuple(f"n = {n}" for n in p.samples),
        {"50 %": half, "99 %": most, "99 % by the union bound": union},
        (),
    )
    remark = f"Largest z of {len(scores)} cells with {p.draws} draws each: {worst:.2f}."
    remarks = [remark]
    if p.flow is not None:
        agree = arrays["flow_fitted"] == arrays["flow_foretold"]
        metrics["flow_agreement"] = float(agree.mean())
        remarks.append(
            f"The flow interpolates where its cover says so in {agree.mean():.1%} of "
            f"{agree.size} runs."
        )
    return Outcome(metrics, [table], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Chances against the width: formula as lines, counts with two standard errors."""

    def counts(widths: list[int], share: np.ndarray, draws: int, **how: Any) -> Curve:
        error = 2 * np.sqrt(share * (1 - share) / draws)
        return Curve(widths, share, low=share - error, high=share + error, **how)

    curves, colors = [], dict(zip(p.samples, shades(len(p.samples)), strict=True))
    for k, (n, shade) in enumerate(colors.items()):
        formula, counted = arrays["expected"][k], arrays["counted"][k]
        curves.append(Curve(p.widths, formula, f"n = {n}, formula", color=shade))
        how = {"label": f"n = {n}, counted", "style": "o", "color": shade}
        curves.append(counts(p.widths, counted, p.draws, **how))
    if p.flow is not None:
        n, share = p.flow.samples, arrays["flow_fitted"].mean(axis=1)
        how = {"label": f"n = {n}, the flow", "style": "x"}
        how |= {"color": colors.get(n, "0.2"), "size": 7}
        curves.append(counts(p.flow.widths, share, p.flow.draws, **how))
    axis, y = "width m", "probability to interpolate"
    panel = Panel(curves, axis, y, ylim=(-0.03, 1.03), legend="lower right")
    return {"interpolation": plot_panels([panel], width=6.4, height=4.4)}


STUDY = Study(Params, run, report, figures)
