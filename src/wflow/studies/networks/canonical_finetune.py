"""Fine-tune a small network: arc, anchored and standard ridge over strengths."""

from typing import Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from matplotlib.figure import Figure

from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical.finetuning import descend
from wflow.plotting.panels import Curve, Panel, plot_panels
from wflow.studies import Arrays, Count, Log, NonNegative, Outcome, Study

from ._finetuning import (
    COLORS,
    LABELS,
    METHODS,
    PENALIZED,
    FinetuningParams,
    best,
    chosen_table,
    each_method,
    loss,
    score_figures,
    score_metrics,
    strength_metrics,
    strength_table,
    tuned,
)
from ._waves import Shallow, initial, noisy, tilted_wave, wave


class Params(FinetuningParams):
    """A shallow network on a wave, fine-tuned on few noisy points of a tilted one.

    Attributes:
        units: of the hidden layer.
        points: to fine-tune on.
        validation: points for the choice of a strength, as noisy.
        noise_variance: of the targets.
    """

    task: Literal["canonical_finetune"]
    units: Count = 64
    points: Count = 15
    validation: Count = 60
    noise_variance: NonNegative = 0.25


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Scores of every method, repeat and strength, and predictions of one repeat."""
    del log

    @eqx.filter_jit
    @eqx.filter_vmap
    def tasks(key: PRNGKeyArray) -> tuple[Point, Supervised, Supervised]:
        weights, train, validation = jax.random.split(key, 3)
        start, before = Point(initial(weights, p.units)), p.pretraining
        return (
            descend(wave(200), start, rate=before.rate, steps=before.steps),
            noisy(train, p.points, p.noise_variance),
            noisy(validation, p.validation, p.noise_variance),
        )

    starts, train, validation = tasks(jax.random.split(key, p.repeats))
    ends = tuned(p, starts, train, validation)
    test = tilted_wave(401)

    def error(model: Shallow) -> Array:
        return 2 * loss(model, test)

    def first(model: Shallow, at: int | None) -> Array:
        one = jax.tree.map(lambda w: w[0] if at is None else w[0, at], model)
        return jax.vmap(one)(test.x)

    scores = {
        "validation": each_method(loss, starts, ends, validation),
        "mse": each_method(error, starts, ends),
    }
    arrays = {f"{s}_{m}": v for s, found in scores.items() for m, v in found.items()}
    points = {"pretrained": starts, **ends._asdict()}
    for method in METHODS:
        at = int(best(arrays, method)[0]) if method in PENALIZED else None
        arrays[f"prediction_{method}"] = first(points[method].value, at)
    return {
        **arrays,
        "reached": ends.reached,
        "x": test.x,
        "truth": test.y,
        "tuned_x": train.x[0],
        "tuned_y": train.y[0],
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """Test errors with the strength by validation, and at the best of each repeat."""
    strengths = p.strengths.values()
    metrics = {
        **score_metrics(arrays, "mse", ("anchored", "standard", "early_stopping")),
        **strength_metrics(p, arrays),
    }
    for method in PENALIZED:
        least = arrays[f"mse_{method}"].min(1)
        metrics[f"mse_{method}_best_strength"] = float(least.mean())
    title = (
        f"Test MSE, strength chosen on {p.validation} points, mean of {p.repeats} "
        "repeats"
    )
    over = "Test MSE over the strength"
    tables = [
        chosen_table(title, arrays, "mse", "test MSE"),
        strength_table(over, arrays, "mse", strengths),
    ]
    remark = (
        f"Runs of gradient descent a repeat: 1 for arc ridge, {len(strengths)} for "
        "each of the others."
    )
    return Outcome(metrics, tables, [remark])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Errors over the strength and by method, and what the networks predict."""
    title = f"Fine-tuning on {p.points} points, {p.repeats} repeats"
    labels, chosen = {"mse": "test MSE"}, "Strength chosen on validation"
    return {
        **score_figures(arrays, labels, p.strengths.values(), title, chosen),
        "predictions": _predictions(arrays),
    }


def _predictions(arrays: Arrays) -> Figure:
    """What networks that saw the same points predict, beside the truth."""
    x, truth = arrays["x"], arrays["truth"]
    seen = {"color": "black", "style": "o"}
    panels = []
    for methods in (("pretrained", "arc", "anchored"), ("unregularized", "standard")):
        curves = [Curve(x, truth, "truth", color="0.75", width=4)]
        for method in methods:
            y, label = arrays[f"prediction_{method}"], LABELS[method]
            curves.append(Curve(x, y, label, color=COLORS[method]))
        dots = Curve(arrays["tuned_x"], arrays["tuned_y"], "fine-tuned on", **seen)
        # Overshoot between the points is part of the result, not the scale.
        limits = (float(truth.min()) - 1.4, float(truth.max()) + 1.4)
        panels.append(Panel([*curves, dots], "x", "output", ylim=limits))
    title = "The first repeat, strength chosen on validation"
    return plot_panels(panels, title=title, share_y=True)


STUDY = Study(Params, run, report, figures)
