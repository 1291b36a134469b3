"""Where u v ends as anchored, geodesic and arc ridge vanish: biases they leave."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.studies import (
    Arrays,
    Log,
    Outcome,
    Positive,
    ScoreTable,
    Strict,
    Study,
    StudyParams,
)

from ._bias_figures import plot_dial, plot_fiber, plot_path
from ._penalized_flows import flat, horizon_of, leaf_drift, product
from ._strengths import Strengths


Pair = Annotated[tuple[float, float], Field(strict=False)]
# Of the paths that are drawn.
POINTS = 400


class Prediction(Strict):
    """u (v . x) trained on x = (1, 0) and asked at x = (0, 1).

    Attributes:
        start: u and v_1.
        weight: v_2, which no gradient of the loss moves.
        target: at the training input.
    """

    start: Pair = (1.0, 0.0)
    weight: Positive = 1.0
    target: float = 3.0


class Params(StudyParams):
    """Where u v goes from a start to a target as penalties vanish.

    Attributes:
        start: u and v.
        target: of their product.
        vanishing: the strength at which bias is measured, for geodesic and arc ridge.
        ridge: the strength of the vanishing anchored and standard ridge, whose flows
            run to time 60/strength: they drift along the fiber that slowly.
        strengths: of the path of arc ridge, from one run and from separate runs.
        dial: u^2 - v^2 of starts with v = 0, from feature learning to the kernel
            regime; their target is 1.
        prediction: what bias means where the network was not trained.
        rtol: of all solves.
    """

    task: Literal["canonical_bias"]
    start: Pair = (2.0, 0.0)
    target: float = 1.0
    vanishing: Positive = 1e-6
    ridge: Positive = 1e-5
    strengths: Strengths = Strengths()
    dial: Annotated[list[Positive], Field(min_length=1)] = [1.0, 4.0, 64.0, 1024.0]
    prediction: Prediction = Prediction()
    rtol: Positive = 1e-10


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Weights (u, v) along the flows and at their ends; nothing is random."""
    del key, log
    training = product(p.start, p.target, p.rtol)
    horizon, strengths = horizon_of(p.start, p.target), p.strengths.values()
    early, late = (
        # Not beyond the end by rounding.
        jnp.minimum(jnp.geomspace(1e-3 * horizon, end, POINTS), end)
        for end in (horizon, 60 / p.ridge)
    )
    path = training.arc_path(jnp.asarray(strengths), horizon)
    separate = [flat(training.arc(s, horizon).measure) for s in strengths]
    return {
        "flow": flat(training.end(horizon, times=early).measures),
        "ridge": flat(training.ridge(p.ridge, late).measures),
        "geodesic_end": flat(training.geodesic(p.vanishing, horizon)),
        "arc_end": flat(training.arc(p.vanishing, horizon).measure),
        "path_arc": flat(path.points),
        "path_arc_separate": np.stack(separate),
        "path_anchored": np.stack([flat(training.ridge(s)[-1]) for s in strengths]),
        "path_reached": path.stopped,
        **_dial(p),
        **_predictions(p),
    }


def _dial(p: Params) -> dict[str, np.ndarray]:
    """Bias, and by how much a path is longer than its chord, from (sqrt(c), 0)."""
    gaps, excesses = [], []
    for c in p.dial:
        start = (c**0.5, 0.0)
        training = product(start, 1.0, p.rtol)
        end = training.arc(0.0, horizon_of(start, 1.0))
        w = flat(end.measure)
        gaps.append(np.linalg.norm(flat(training.ridge(p.ridge)[-1]) - w))
        excesses.append(float(end.length) / float(np.linalg.norm(w - start)) - 1)
    return {"dial_gap": np.array(gaps), "dial_arc_excess": np.array(excesses)}


def _predictions(p: Params) -> dict[str, np.ndarray]:
    """Ends of networks that all fit the one input that training saw."""
    asked = p.prediction
    start = (*asked.start, asked.weight)
    training = product(start, asked.target, p.rtol, inputs=2)
    horizon = horizon_of(asked.start, asked.target)
    ends = {
        "limit": training.end(horizon)[-1],
        "arc": training.arc(p.vanishing, horizon).measure,
        "anchored": training.ridge(p.ridge)[-1],
        "standard": training.ridge(p.ridge, anchored=False)[-1],
    }
    return {f"prediction_{name}": flat(end) for name, end in ends.items()}


def report(p: Params, arrays: Arrays) -> Outcome:
    """Biases, drifts from the leaf of the plain flow, and predictions elsewhere."""
    limit = arrays["flow"][-1]
    ends = {name: arrays[f"{name}_end"] for name in ("geodesic", "arc")}
    ends = {"ridge": arrays["ridge"][-1], **ends}
    biases = {n: float(np.linalg.norm(end - limit)) for n, end in ends.items()}
    gap = arrays["path_arc"] - arrays["path_arc_separate"]
    metrics = {f"vanishing_{name}_bias": bias for name, bias in biases.items()}
    for name, end in {"limit": limit, **ends}.items():
        metrics |= {f"{name}_u": float(end[0]), f"{name}_v": float(end[1])}
    metrics |= {
        "arc_path_max_difference": float(np.abs(gap).max()),
        "arc_path_reached": float(arrays["path_reached"].mean()),
        "arc_leaf_drift": leaf_drift(arrays["path_arc"]),
        "anchored_leaf_drift": leaf_drift(arrays["path_anchored"]),
    }
    for what in ("gap", "arc_excess"):
        for c, value in zip(p.dial, arrays[f"dial_{what}"], strict=True):
            metrics[f"dial_{what}_c{c:g}"] = float(value)
    for name in ("limit", "arc", "anchored", "standard"):
        u, _, v = arrays[f"prediction_{name}"]
        metrics[f"prediction_{name}"] = float(u * v)
    labels = {"ridge": "anchored", "geodesic": "geodesic", "arc": "arc"}
    table = ScoreTable(
        f"Distance to the plain flow's end, from {p.start} to u v = {p.target:g}",
        ("bias",),
        {f"{labels[name]} ridge": [bias] for name, bias in biases.items()},
        ("arc ridge", "geodesic ridge"),
    )
    return Outcome(metrics, [table])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Paths in the plane of weights, ends over the strength, bias over the start."""
    return {
        "fiber": plot_fiber(arrays, p.start, p.target),
        "path": plot_path(arrays, p.strengths.values()),
        "dial": plot_dial(arrays, p.dial),
    }


STUDY = Study(Params, run, report, figures)
