"""Attention heads that learn the principal direction of their prompts."""

from typing import Annotated, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.networks.attention.prompts import bbp_overlap
from wflow.plotting.alignment import plot_alignment, plot_gap, plot_recovery
from wflow.studies import Arrays, Log, Name, Outcome, ScoreTable, Study

from ._prompt_heads import (
    HeadsParams,
    Setting,
    predicted_norm,
    recovered,
    recovery_curves,
)
from ._prompt_risks import Course, Gap, courses, gap_curves


BASELINES = {
    "pooled": "eigh of the pooled second moment",
    "oja": "Oja's iteration",
    "prompt_pca": "PCA of one prompt",
    "power_layers": "untrained heads on one prompt",
}


class Params(HeadsParams):
    """Heads trained on fresh prompts, beside what knows more and what knows less.

    Attributes:
        settings: laws of prompts by name.
        course: figure against time.
        gap: figure against the length.
    """

    task: Literal["attention_pca"]
    settings: Annotated[dict[Name, Setting], Field(min_length=1)]
    course: Course
    gap: Gap


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Squared cosines and norms by setting, and curves over time, spike and length."""
    keys = jax.random.split(key, 3 + len(p.settings))
    arrays = {}
    for (name, setting), own in zip(p.settings.items(), keys[3:], strict=True):
        found = recovered(p, setting, own)
        arrays |= {f"{what}_{name}": values for what, values in found.items()}
        arrays[f"predicted_{name}"] = predicted_norm(setting, p.dimension)
        worst = min(float(found[head].min()) for head in p.names)
        log(f"{name}: cos2 at least {worst:.4f}.")
    curves = {
        "course": courses(p, p.course, keys[0]),
        "recovery": recovery_curves(p, keys[1]),
        "gap": gap_curves(p.dimension, p.gap, keys[2]),
    }
    for figure, found in curves.items():
        arrays |= {f"{figure}_{what}": values for what, values in found.items()}
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Numbers of every setting, the worst of them, and slopes beside their rates."""
    metrics, slopes = {}, _slopes(p, arrays)
    for name, setting in p.settings.items():
        for method in (*p.names, *BASELINES):
            cos2 = arrays[f"{method}_{name}"]
            metrics[f"cos2_{method}_{name}"] = float(cos2.mean())
            metrics[f"cos2_{method}_{name}_least"] = float(cos2.min())
        predicted = float(arrays[f"predicted_{name}"])
        for head in p.names:
            norms = arrays[f"norm_{head}_{name}"]
            error = abs(float(norms.mean()) / predicted - 1)
            metrics |= {
                f"norm_{head}_{name}": float(norms.mean()),
                f"norm_{head}_{name}_sd": float(norms.std()),
                f"norm_relative_error_{head}_{name}": error,
            }
        metrics[f"norm_predicted_{name}"] = predicted
        gamma = p.dimension / setting.prompt_length
        metrics[f"bbp_{name}"] = float(bbp_overlap(setting.theta, gamma))
    worst = lambda what, of: of(metrics[what.format(name)] for name in p.settings)
    for head in p.names:
        metrics[f"min_cos2_{head}"] = worst(f"cos2_{head}_{{}}_least", min)
    metrics["min_cos2"] = min(metrics[f"min_cos2_{head}"] for head in p.names)
    if "linear" in p.names:
        metrics["max_norm_relative_error"] = worst("norm_relative_error_linear_{}", max)
    metrics["max_prompt_pca_cos2"] = worst("cos2_prompt_pca_{}", max)
    table, remarks = _angles(p, metrics), _remarks(p, metrics, slopes)
    return Outcome({**metrics, **slopes}, [table], remarks)


def _slopes(p: Params, arrays: Arrays) -> dict[str, float]:
    """Predicted rates of 1 - cos2, and late slopes, where it is not yet rounded."""
    found = {}
    for name in p.course.closed:
        left = arrays[f"course_{name}"]
        found[f"rate_{name}"] = float(arrays[f"course_rate_{name}"])
        late = (left < 1e-3) & (left > 1e-7)
        if late.sum() > 2:
            line = np.polyfit(arrays["course_time"][late], np.log(left[late]), 1)
            found[f"slope_{name}"] = float(line[0])
    return found


def _angles(p: Params, metrics: dict[str, float]) -> ScoreTable:
    labels = {**{head: f"{head} head" for head in p.names}, **BASELINES}
    angle = lambda cos2: float(np.degrees(np.arccos(np.sqrt(min(cos2, 1.0)))))
    return ScoreTable(
        f"Angle to the spike in degrees, of the mean cos2 of {p.repeats} runs",
        tuple(p.settings),
        {
            label: [angle(metrics[f"cos2_{method}_{name}"]) for name in p.settings]
            for method, label in labels.items()
        },
        tuple(labels[head] for head in p.names),
    )


def _remarks(
    p: Params, metrics: dict[str, float], slopes: dict[str, float]
) -> list[str]:
    remarks = []
    for name in p.settings:
        norms = ", ".join(f"{h} {metrics[f'norm_{h}_{name}']:.4f}" for h in p.names)
        remarks.append(
            f"{name}: norm of mu {norms}; predicted of the linear one "
            f"{metrics[f'norm_predicted_{name}']:.4f}. PCA of one prompt has cos2 "
            f"{metrics[f'cos2_prompt_pca_{name}']:.3f}, in the limit "
            f"{metrics[f'bbp_{name}']:.3f} if all share one covariance."
        )
    for name in p.course.closed:
        if f"slope_{name}" in slopes:
            remarks.append(
                f"Slope of log(1 - cos2), {name}: {slopes[f'slope_{name}']:.3f}, "
                f"predicted {slopes[f'rate_{name}']:.3f}."
            )
    return remarks


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Alignment over time, over the spike, and risk over the prompt's length."""
    length, prompts = p.course.prompt_length, p.course.prompts
    infinite, closed = p.course.closed
    names = {
        infinite: "infinite prompt, closed form",
        closed: f"linear head, L = {length}, closed form",
        **{head: f"{head} head, {prompts} stored prompts" for head in p.names},
    }
    curves = {label: arrays[f"course_{name}"] for name, label in names.items()}
    rates = {names[n]: float(arrays[f"course_rate_{n}"]) for n in p.course.closed}
    measured, limit = arrays["recovery_prompt_pca"], arrays["recovery_bbp"]
    heads = {f"{head} head": arrays[f"recovery_{head}"] for head in p.names}
    gaps = {n.removeprefix("gap_"): v for n, v in arrays.items() if n[:4] == "gap_"}
    return {
        "alignment": plot_alignment(arrays["course_time"], curves, rates),
        "recovery": plot_recovery(p.recovery.thetas, heads, measured, limit),
        "gap": plot_gap(p.gap.lengths, gaps),
    }


STUDY = Study(Params, run, report, figures)
