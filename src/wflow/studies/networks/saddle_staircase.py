"""Jump times and plateaus of a ReLU network from a small start, beside their limit."""

from typing import Literal

import jax
import numpy as np
from matplotlib.figure import Figure

from wflow.networks.saddle import follow
from wflow.networks.saddle.staircases import staircase
from wflow.plotting.panels import Curve, plot_panels, shades
from wflow.studies import Arrays, Log, Outcome, Positive, ScoreTable, Study

from ._saddle import InstancesParams, slow_panel


class Params(InstancesParams):
    """The flow at several scales beside the limit of a vanishing one.

    Attributes:
        rtol: of the solver.
    """

    task: Literal["saddle_staircase"]
    rtol: Positive = 1e-7


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Courses and jumps by instance and scale, and what the limit foretells."""
    instances, drawn = p.drawn(key)
    runs = []
    for number, instance in enumerate(instances):
        courses = [
            follow(instance.data, instance.neurons(-scale), rtol=p.rtol)
            for scale in p.inverse_scales
        ]
        steps = [int(course.steps) for course in courses]
        found = [
            staircase(course, instance.limit, -scale)
            for course, scale in zip(courses, p.inverse_scales, strict=True)
        ]
        runs.append(
            {
                "steps": steps,
                "tau": [each.tau for each in found],
                "loss": [each.loss for each in found],
                "jumps": [each.jumps for each in found],
                "jump_errors": [each.jump_errors for each in found],
                "plateau_errors": [each.plateau_errors for each in found],
                "contamination": [
                    instance.limit.contamination(-scale) for scale in p.inverse_scales
                ],
                "limit_jumps": instance.limit.tau,
                "limit_losses": instance.limit.plateau_losses,
                "alone": instance.alone,
                "first_half": instance.first_half(-p.inverse_scales[-1]),
            }
        )
        log(
            f"draw {number + 1}: {int(instance.limit.count)} jumps, steps "
            f"{', '.join(map(str, steps))}"
        )
    arrays = {name: np.array([each[name] for each in runs]) for name in runs[0]}
    return {**arrays, "drawn": np.array(drawn)}


def report(p: Params, arrays: Arrays) -> Outcome:
    """The worst errors at each scale, and without what is of first order in it."""
    limit, jumps = arrays["limit_jumps"], arrays["jumps"]
    real = np.isfinite(limit)
    at_jumps = lambda values: np.where(real, np.abs(values), 0)
    errors, plateaus, share = (
        arrays[name].max(axis=(0, 2)).tolist()
        for name in ("jump_errors", "plateau_errors", "contamination")
    )
    alone = [
        float(at_jumps(jumps[:, k] - arrays["alone"]).max())
        for k in range(len(p.inverse_scales))
    ]
    # The error is of first order in 1 / log(1 / scale): it goes, without it.
    low, high = p.inverse_scales[-2:]
    extrapolated = (high * jumps[:, -1] - low * jumps[:, -2]) / (high - low)
    with np.errstate(invalid="ignore"):
        richardson = float(at_jumps(extrapolated - limit).max())
    first = float(np.abs(jumps[:, -1, 0] - arrays["first_half"]).max())
    drawn, steps = int(arrays["drawn"]), np.median(arrays["steps"], axis=0)
    metrics = {}
    for k, scale in enumerate(p.inverse_scales):
        metrics[f"max_jump_time_error_{scale:g}"] = errors[k]
        metrics[f"max_plateau_error_{scale:g}"] = plateaus[k]
        metrics[f"max_contamination_{scale:g}"] = share[k]
        metrics[f"steps_{scale:g}"] = float(steps[k])
    metrics |= {
        "richardson_error": richardson,
        "first_jump_error": first,
        "jumps": float(real.sum()),
        "drawn": float(drawn),
    }
    columns = tuple(f"log 1/scale {scale:g}" for scale in p.inverse_scales)
    tables = [
        ScoreTable(
            "Worst error of a jump's slow time",
            columns,
            {"limit process": errors, "each neuron as if alone": alone},
            ("limit process",),
        ),
        ScoreTable(
            "Worst relative error of a plateau's loss",
            columns,
            {"limit process": plateaus},
            (),
        ),
    ]
    remarks = [
        f"Extrapolated from {low:g} and {high:g} to a vanishing scale, the worst "
        f"jump is off by {richardson:.2g}.",
        f"First jump with its first-order correction at {high:g}: off by {first:.2g}.",
        f"{drawn} draws for {p.instances} instances whose jumps lead by "
        f"{p.least_gap:g}.",
    ]
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """The losses of runs and the predicted steps, a panel for each instance."""
    colors = shades(len(p.inverse_scales))[::-1]
    panels = []
    for number in range(p.instances):
        tau, loss = arrays["tau"][number], arrays["loss"][number]
        jumps = arrays["limit_jumps"][number]
        jumps = jumps[np.isfinite(jumps)]
        end = min(tau.max(), 1.2 * jumps[-1])
        edges = np.concatenate([[0.0], jumps, [end]])
        levels = arrays["limit_losses"][number][: len(jumps) + 1]
        curves = [
            Curve(
                np.repeat(edges, 2)[1:-1],
                np.repeat(levels, 2),
                "predicted",
                width=3.2,
                alpha=0.45,
            )
        ]
        for k, scale in enumerate(p.inverse_scales):
            name = rf"$\log(1/\lambda) = {scale:g}$"
            curves.append(Curve(tau[k], loss[k], name, color=colors[k], width=1.3))
        panels.append(slow_panel(curves, number, end))
    drawn = plot_panels(
        panels,
        width=3.5,
        height=2.8,
        title=f"{p.width} ReLU neurons learn {p.samples} orthogonal samples in steps",
        legend_below=len(p.inverse_scales) + 1,
    )
    return {"staircase": drawn}


STUDY = Study(Params, run, report, figures)
