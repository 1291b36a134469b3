"""What finite samples and finite steps add to quadratic networks."""

from collections.abc import Sequence
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.measures import Gaussian
from wflow.networks import chaos
from wflow.networks.chaos.finite import sample_gaps, step_gaps
from wflow.plotting.panels import Curve, Panel, plot_panels
from wflow.plotting.style import QUIET
from wflow.studies import (
    Arrays,
    Count,
    Decreasing,
    Increasing,
    Log,
    NonNegative,
    Outcome,
    Positive,
    ScoreTable,
    Study,
    StudyParams,
)

from ._powers import fitted, resampled_powers
from ._stable_steps import STABILITY, stability, told
from ._widths import Seeds


class Params(StudyParams):
    """Finite samples and finite steps in quadratic networks.

    Attributes:
        teacher: eigenvalues of the teacher.
        samples: numbers of inputs, increasing.
        sample_seeds: draws of inputs for each.
        sample_horizon: of time.
        steps: of gradient descent, decreasing.
        width: neurons that descend.
        step_seeds: networks.
        step_horizon: of time.
        resamples: of seeds, for intervals.
    """

    task: Literal["chaos_samples_steps"]
    teacher: Annotated[list[NonNegative], Field(min_length=1)]
    samples: Annotated[list[Count], Field(min_length=2), Increasing]
    sample_seeds: Seeds = 100
    sample_horizon: Positive = 3.0
    steps: Annotated[list[Positive], Field(min_length=2), Decreasing]
    width: Count = 32
    step_seeds: Seeds = 32
    step_horizon: Positive = 6.0
    resamples: Count = 1000


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Gaps of every number of inputs and step, and losses of unstable descent."""
    del log
    d = len(p.teacher)
    start = Gaussian(jnp.zeros(d), jnp.eye(d) / d)
    risk = chaos.QuadraticRisk(jnp.diag(jnp.asarray(p.teacher)))
    student = chaos.Student(risk, start)
    of_samples, of_steps, of_resamples = jax.random.split(key, 3)
    times = np.linspace(0, p.sample_horizon, 61)
    gaps = []
    for n in p.samples:
        of_inputs = jax.random.fold_in(of_samples, n)
        gaps.append(sample_gaps(student, n, times, of_inputs, p.sample_seeds))
    by_samples = np.stack(gaps)
    # Saved at multiples of every step, so that no step is cut.
    coarse = max(p.steps)
    grid = 10 * coarse * np.arange(max(1, round(p.step_horizon / coarse / 10)) + 1)
    by_steps = [
        step_gaps(student, p.width, step, grid, of_steps, p.step_seeds)
        for step in p.steps
    ]
    arrays = {
        # Squared gaps, and distances.
        "samples_sup": by_samples.max(axis=2),
        "samples_end": by_samples[..., -1],
        "steps_sup": np.sqrt(np.stack(by_steps).max(axis=2)),
        **stability(student),
    }
    keys = jax.random.split(of_resamples)
    for (name, x), each in zip(_axes(p).items(), keys, strict=True):
        values = arrays[f"{name}_sup"]
        arrays[f"{name}_slopes"] = resampled_powers(x, values, each, p.resamples)
    return arrays


def _axes(p: Params) -> dict[str, Sequence[float]]:
    return {"samples": p.samples, "steps": p.steps}


def report(p: Params, arrays: Arrays) -> Outcome:
    """Powers of N and of the step, with intervals, and which steps are stable."""
    sups = {name: arrays[f"{name}_sup"].mean(axis=1) for name in _axes(p)}
    ends = arrays["samples_end"].mean(axis=1)
    scaled = np.array(p.samples) * sups["samples"]
    ratios = sups["steps"][:-1] / sups["steps"][1:]
    metrics: dict[str, float] = {}
    for name, x in _axes(p).items():
        low, high = np.quantile(arrays[f"{name}_slopes"], [0.025, 0.975])
        metrics[f"slope_{name}"] = fitted(x, sups[name])
        metrics[f"slope_{name}_low"] = float(low)
        metrics[f"slope_{name}_high"] = float(high)
    metrics |= {
        "n_times_sup_min": float(min(scaled)),
        "n_times_sup_max": float(max(scaled)),
        "step_ratio_min": float(min(ratios)),
        "step_ratio_max": float(max(ratios)),
        "end_factor_min": float(min(sups["samples"] / ends)),
        **{name: float(arrays[name]) for name in STABILITY},
    }
    samples = ScoreTable(
        "Squared gap to the loss over all inputs",
        tuple(f"N = {n}" for n in p.samples),
        {
            "supremum": sups["samples"].tolist(),
            "N times supremum": scaled.tolist(),
            "at the end": ends.tolist(),
        },
        (),
    )
    steps = ScoreTable(
        "Distance of gradient descent to the flow",
        tuple(f"step {step:g}" for step in p.steps),
        {"supremum": sups["steps"].tolist()},
        (),
    )
    remarks = [
        f"Powers: {metrics['slope_samples']:.3f} in N, {metrics['slope_steps']:.3f} in "
        "the step (of the distance, not its square).",
        told(metrics),
    ]
    return Outcome(metrics, [samples, steps], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Suprema against the number of inputs, and against the step."""
    panels = []
    for name, power, x_label, y_label in (
        ("samples", -1.0, "inputs N", r"$E\sup_t\|f^N_t - f_t\|^2$"),
        ("steps", 1.0, r"step $\eta$", r"$E\sup_t\|f^\eta_t - f_t\|$"),
    ):
        x, y = np.array(_axes(p)[name], float), arrays[f"{name}_sup"].mean(axis=1)
        line = np.exp(np.mean(np.log(y) - power * np.log(x))) * x**power
        curves = [
            Curve(x, line, f"slope {power:g}", color=QUIET),
            Curve(x, y, style="o"),
        ]
        shown = {"scales": ("log", "log"), "xticks": (x, [f"{v:g}" for v in x])}
        panels.append(Panel(curves, x_label, y_label, **shown))
    return {"samples_steps": plot_panels(panels, width=4.0, height=3.4)}


STUDY = Study(Params, run, report, figures)
