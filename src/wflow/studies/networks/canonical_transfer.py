"""Fine-tune on digits, tumors or diabetes: penalties over their strength."""

from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical.finetuning import descend
from wflow.studies import Arrays, Count, Log, Outcome, Part, Spec, Study, build

from . import _packaged_data
from ._finetuning import (
    METHODS,
    FinetuningParams,
    chosen_table,
    each_method,
    loss,
    score_figures,
    score_metrics,
    strength_metrics,
    strength_table,
    tuned,
)
from ._packaged_data import Packaged, Rows
from ._transfer_scores import Held, Layer, initial, scores


Several = Annotated[int, Field(ge=2)]
LABELS = {
    "error": "error, new task",
    "ece": "calibration error",
    "old_error": "error, old task",
    "drift": "drift of features, 1 - CKA",
}


class Params(FinetuningParams):
    """A network with two hidden layers, pretrained and fine-tuned on packaged data.

    Attributes:
        data: ``Digits``, ``BreastCancer`` or ``Diabetes`` with their noise.
        width: of the hidden layers.
        points: to fine-tune on.
        validation: points for the choice of a strength.
        held_out: points of the first task on which forgetting is measured.
    """

    task: Literal["canonical_transfer"]
    data: Annotated[Spec, Part(_packaged_data)]
    width: Count = 64
    points: Several = 30
    validation: Several = 60
    held_out: Several = 100

    @model_validator(mode="after")
    def _enough(self) -> "Params":
        tasks = self.packaged().tasks()
        for rows, key, count in (
            (tasks.new, "points and validation", self.points + self.validation),
            (tasks.old, "held_out", self.held_out),
        ):
            if count >= len(rows.y):
                raise ValueError(
                    f"{key}: expected fewer than {len(rows.y)} in all, found {count}."
                )
        return self

    def packaged(self) -> Packaged:
        """The data."""
        return build(self.data, _packaged_data, place="data")


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Scores of every method, repeat and strength."""
    del log
    data = p.packaged()
    tasks = data.tasks()
    numbers = tasks.classes is None
    rng = np.random.default_rng(p.seed)
    splits = zip(*(_split(data, p, rng) for _ in range(p.repeats)), strict=True)
    name = "mean_square" if numbers else "cross_entropy"
    old, train, validation, held_new, held_old = (
        Supervised(
            np.stack([part.x for part in parts]).astype(p.precision),
            np.stack([part.y for part in parts]).astype(
                p.precision if numbers else int
            ),
            name,
        )
        for parts in splits
    )
    outputs = 1 if numbers else int(tasks.old.y.max()) + 1

    @eqx.filter_jit
    @eqx.filter_vmap
    def pretrained(key: PRNGKeyArray, old: Supervised) -> Point:
        start = Point(initial(key, old.x.shape[-1], p.width, outputs))
        before = p.pretraining
        return descend(old, start, rate=before.rate, steps=before.steps)

    starts = pretrained(jax.random.split(key, p.repeats), old)
    held = Held(held_new, held_old, starts.value)
    if tasks.fresh:
        zeros = [jnp.zeros((p.repeats, tasks.classes, *k)) for k in ((p.width,), ())]
        starts = eqx.tree_at(lambda mu: mu.value.head, starts, Layer(*zeros))
    ends = tuned(p, starts, train, validation)
    arrays = {"reached": np.asarray(ends.reached)}
    found = {"validation": each_method(loss, starts, ends, validation)}
    for name, score in scores(labels=not numbers, fresh=tasks.fresh).items():
        found[name] = each_method(score, starts, ends, held)
    for name, by_method in found.items():
        arrays |= {f"{name}_{method}": by_method[method] for method in METHODS}
    return arrays


def _split(data: Packaged, p: Params, rng: np.random.Generator) -> tuple[Rows, ...]:
    """Pretraining, fine-tuning and validation, and the held-out new and old."""
    tasks = data.tasks()
    old, new = (
        Rows(rows.x[order], rows.y[order])
        for rows in (tasks.old, tasks.new)
        for order in [rng.permutation(len(rows.y))]
    )
    few = p.points + p.validation
    noisy = data.noisy(new.y[:few], rng)
    return (
        Rows(old.x[p.held_out :], old.y[p.held_out :]),
        Rows(new.x[: p.points], noisy[: p.points]),
        Rows(new.x[p.points : few], noisy[p.points :]),
        Rows(new.x[few:], new.y[few:]),
        Rows(old.x[: p.held_out], old.y[: p.held_out]),
    )


def report(p: Params, arrays: Arrays) -> Outcome:
    """Every score with the strength by validation, and errors over the strength."""
    strengths = p.strengths.values()
    title = f"{p.data['kind']}, {p.points} points, {p.repeats} repeats"
    metrics, tables = strength_metrics(p, arrays), []
    for name, label in _labels(arrays).items():
        metrics |= score_metrics(arrays, name, ("anchored", "standard"))
        tables.append(chosen_table(f"{title}: {label}", arrays, name, "mean"))
    over = "Error on the new task over the strength"
    tables.append(strength_table(over, arrays, "error", strengths))
    return Outcome(metrics, tables, ["Strengths were chosen on validation."])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Every score over the strength, and by method."""
    over = f"{p.data['kind']}: {p.points} points, {p.repeats} repeats"
    by_method = f"{over}, strength by validation"
    labels, strengths = _labels(arrays), p.strengths.values()
    return score_figures(arrays, labels, strengths, over, by_method)


def _labels(arrays: Arrays) -> dict[str, str]:
    """Of the scores that there are: numbers have no calibration."""
    return {name: text for name, text in LABELS.items() if f"{name}_arc" in arrays}


STUDY = Study(Params, run, report, figures)
