"""Scores of networks that were fine-tuned under every penalty and strength."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PyTree
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical.finetuning import Finetuned, finetune
from wflow.plotting.panels import Curve, Level, Panel, Scale, plot_panels
from wflow.plotting.rows import plot_rows
from wflow.plotting.style import BASELINES as SHADES
from wflow.plotting.style import MODEL, OBSERVED, QUIET
from wflow.studies import Arrays, Count, Positive, ScoreTable, Strict, StudyParams

from ._strengths import Strengths


PENALIZED = ("arc", "anchored", "standard")
BASELINES = ("pretrained", "unregularized", "early_stopping")
METHODS = PENALIZED + BASELINES
LABELS = {
    "arc": "arc ridge",
    "anchored": "anchored ridge",
    "standard": "standard ridge",
    "pretrained": "pretrained",
    "unregularized": "no penalty",
    "early_stopping": "early stopping",
}
COLORS: dict[str, Any] = dict(
    zip(METHODS, (MODEL, OBSERVED, SHADES[1], QUIET, "0.25", "0.55"), strict=True)
)
DASHES = dict(zip(BASELINES, ("-", "--", ":"), strict=True))


class Descent(Strict):
    """Gradient descent on all points.

    Attributes:
        rate: of learning.
        steps: their number.
    """

    rate: Positive
    steps: Count


class FinetuningParams(StudyParams):
    """What a study of fine-tuning has, whatever it trains on.

    Attributes:
        repeats: independent draws of weights and data, all from the one seed.
        strengths: of every penalty; one is chosen for each repeat on a validation set.
        pretraining: without a penalty.
        finetuning: under every penalty and strength.
    """

    repeats: Annotated[int, Field(ge=2)] = 12
    strengths: Strengths = Strengths()
    pretraining: Descent
    finetuning: Descent

    @model_validator(mode="after")
    def _stable(self) -> "FinetuningParams":
        # Decay alone multiplies weights by 1 - rate * strength.
        most = 2 / self.finetuning.rate
        if not self.strengths.high < most:
            raise ValueError(
                f"strengths.high: expected less than 2 / finetuning.rate = {most:g}, "
                f"where descent diverges, found {self.strengths.high:g}."
            )
        return self


def tuned(
    p: FinetuningParams, starts: Point, train: Supervised, validation: Supervised
) -> Finetuned:
    """Every method from every start; all have a leading axis of repeats."""
    strengths, after = p.strengths.values(), p.finetuning

    @eqx.filter_jit
    @eqx.filter_vmap
    def run(start: Point, train: Supervised, validation: Supervised) -> Finetuned:
        return finetune(
            start, train, validation, strengths, rate=after.rate, steps=after.steps
        )

    return run(starts, train, validation)


def loss(model: PyTree, energy: Supervised) -> Array:
    """The energy of a network, as a score."""
    return energy.value(Point(model))


def each_method(
    score: Callable[..., Array], pretrained: Point, ends: Finetuned, *data: PyTree
) -> dict[str, np.ndarray]:
    """``score(model, *data)``, ``(repeats,)`` or ``(repeats, strengths)`` if penalized.

    All that is given has a leading axis of repeats.
    """
    points = {"pretrained": pretrained, **ends._asdict()}

    @eqx.filter_jit
    @eqx.filter_vmap
    def scores(points: dict[str, Point], data: tuple[PyTree, ...]) -> dict[str, Array]:
        def single(model: PyTree) -> Array:
            return score(model, *data)

        return {
            name: (jax.vmap(single) if name in PENALIZED else single)(point.value)
            for name, point in points.items()
        }

    found = scores({name: points[name] for name in METHODS}, data)
    return {name: np.asarray(values) for name, values in found.items()}


def best(arrays: Arrays, method: str) -> np.ndarray:
    """Which strength has the least validation loss, ``(repeats,)``."""
    return np.argmin(arrays[f"validation_{method}"], axis=1)


def chosen(arrays: Arrays, score: str) -> dict[str, np.ndarray]:
    """A score of every method ``(repeats,)``, at the strength by validation."""
    found = {method: arrays[f"{score}_{method}"] for method in METHODS}
    for method in PENALIZED:
        at = best(arrays, method)[:, None]
        found[method] = np.take_along_axis(found[method], at, 1)[:, 0]
    return found


def standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over the first axis."""
    return values.std(axis=0, ddof=1) / len(values) ** 0.5


def score_metrics(
    arrays: Arrays, score: str, others: Sequence[str]
) -> dict[str, float]:
    """Means of all methods and of the differences of arc ridge to ``others``."""
    values = chosen(arrays, score)
    gaps = {f"arc_minus_{other}": values["arc"] - values[other] for other in others}
    metrics = {}
    for name, column in {**values, **gaps}.items():
        metrics[f"{score}_{name}"] = float(column.mean())
        metrics[f"{score}_{name}_se"] = float(standard_error(column))
    return metrics


def strength_metrics(p: FinetuningParams, arrays: Arrays) -> dict[str, float]:
    """Median strengths that validation chose, and how many arc ridge came to."""
    strengths = np.array(p.strengths.values())
    metrics = {"arc_reached_share": float(arrays["reached"].mean(dtype=np.float32))}
    for method in PENALIZED:
        at_best = strengths[best(arrays, method)]
        metrics[f"strength_{method}"] = float(np.median(at_best))
    return metrics


def chosen_table(title: str, arrays: Arrays, score: str, label: str) -> ScoreTable:
    """Means over repeats by method."""
    values = chosen(arrays, score)
    rows = {method: [float(values[method].mean())] for method in METHODS}
    return ScoreTable(title, (label,), rows, PENALIZED[:1])


def strength_table(
    title: str, arrays: Arrays, score: str, strengths: Sequence[float]
) -> ScoreTable:
    """Means over repeats, a row for each strength and a column for each penalty."""
    columns = [arrays[f"{score}_{method}"].mean(0).tolist() for method in PENALIZED]
    rows = {
        f"{strength:.2g}": row
        for strength, *row in zip(strengths, *columns, strict=True)
    }
    return ScoreTable(title, PENALIZED, rows, ())


def score_figures(
    arrays: Arrays,
    labels: Mapping[str, str],
    strengths: Sequence[float],
    over: str,
    by_method: str,
) -> dict[str, Figure]:
    """Scores over the strength, those of baselines as levels; and by method.

    Args:
        arrays: scores by name and method.
        labels: of the scores.
        strengths: of the penalties.
        over: title of the figure over the strength.
        by_method: title of the figure by method.
    """
    panels = [
        _over(arrays, score, label, strengths, "log" if len(labels) == 1 else "linear")
        for score, label in labels.items()
    ]
    rows = {
        label: {
            LABELS[method]: (values.mean(), standard_error(values))
            for method, values in chosen(arrays, score).items()
        }
        for score, label in labels.items()
    }
    style = {"columns": 2, "width": 4.4, "height": 3.4, "legend_below": 3}
    colors = {LABELS[method]: COLORS[method] for method in METHODS}
    return {
        "strengths": plot_panels(panels, title=over, **style),
        "chosen": plot_rows(rows, colors, title=by_method),
    }


def _over(
    arrays: Arrays, score: str, label: str, strengths: Sequence[float], scale: Scale
) -> Panel:
    """A score over the strength, with a band of one standard error."""
    curves, levels = [], []
    for method in PENALIZED:
        values = arrays[f"{score}_{method}"]
        mean, error = values.mean(0), standard_error(values)
        band = {"low": mean - error, "high": mean + error}
        style = {"color": COLORS[method], "style": "o-", **band}
        curves.append(Curve(strengths, mean, LABELS[method], **style))
    for method, dashes in DASHES.items():
        mean = float(arrays[f"{score}_{method}"].mean())
        style = {"color": COLORS[method], "style": dashes}
        levels.append(Level(mean, label=LABELS[method], **style))
    x = r"strength $\lambda$"
    return Panel(curves, x, label, levels=levels, scales=("log", scale))
