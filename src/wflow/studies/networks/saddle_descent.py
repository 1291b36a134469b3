"""Gradient descent from small starts, beside the flow in logarithms."""

import math
from typing import Annotated, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.networks.saddle.descent import stable_step
from wflow.plotting.panels import Curve, Panel, plot_panels, shades
from wflow.plotting.style import MODEL, OBSERVED
from wflow.studies import Arrays, Count, Log, Outcome, Positive, ScoreTable, Study

from ._descents import by_descent, by_flow, by_weights
from ._saddle import HELD, InstancesParams, StepShares, lateness, slow_panel


# Losses of so many draws are kept for the figure, at every fourth time.
_DRAWN, _KEPT = 3, 4
# Methods by number: the flow, the solve in the weights, then descents.
_FLOW, _WEIGHTS, _FIRST = 0, 1, 2
# The first one of which steps are shown, and lateness.
_SHOWN = (_FLOW, _WEIGHTS)


class Params(InstancesParams):
    """Descent with several steps and an adaptive solve in (a, w), beside ``follow``.

    Attributes:
        step_shares: steps of descent, over the largest at which it can rest.
        rtol: of the adaptive solve in the weights; its atol is rtol times the scale.
        max_steps: of that solve; a run that needs more is left out.
        points: saved states of each run.
    """

    task: Literal["saddle_descent"]
    step_shares: StepShares
    rtol: Positive = 1e-7
    max_steps: Count = 50_000
    points: Annotated[int, Field(ge=10)] = 4000

    @model_validator(mode="after")
    def _held(self) -> "Params":
        if self.inverse_scales[0] > HELD:
            raise ValueError(
                "inverse_scales: gradient descent has weights of exp(-scale); expected "
                f"the first to be at most {HELD:g}."
            )
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Steps and lateness of jumps by method, scale and draw; nan where none ran."""
    instances, _ = p.drawn(key)
    largest = min(float(stable_step(each.data)) for each in instances)
    cells = (_FIRST + len(p.step_shares), len(p.inverse_scales), p.instances)
    steps = np.full(cells, np.nan)
    late = np.full((*cells, instances[0].limit.tau.size), np.nan)
    arrays = {"steps": steps, "late": late, "largest_step": np.array(largest)}
    arrays["rate"] = np.array([1 / float(each.limit.tau[0]) for each in instances])
    solver = {"points": p.points, "rtol": p.rtol, "max_steps": p.max_steps}
    for k, scale in enumerate(p.inverse_scales):
        runs = [by_flow(instances, scale)]
        if scale <= HELD:
            runs.append(by_weights(instances, scale, **solver))
            for share in p.step_shares:
                runs.append(by_descent(instances, scale, share, largest, p.points))
        for method, found in enumerate(runs):
            steps[method, k] = found.steps
            late[method, k] = lateness(found.halves, runs[_FLOW].halves)
        late[_WEIGHTS, k][np.isnan(steps[_WEIGHTS, k])] = np.nan
        arrays[f"tau_{k}"] = runs[-1].times[:_DRAWN, ::_KEPT] / scale
        arrays[f"loss_{k}"] = runs[-1].loss[:_DRAWN, ::_KEPT]
        log(f"log(1/scale) = {scale:g}: done")
    return arrays


def _names(p: Params) -> list[str]:
    descents = [f"descent, step {share:g}" for share in p.step_shares]
    return ["flow in logarithms", "adaptive solve in (a, w)", *descents]


def _costs(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Median steps and worst lateness by method and scale; nan where none ran."""
    ran = ~np.isnan(arrays["late"][..., 0])
    steps, worst = np.full(ran.shape[:2], np.nan), np.full(ran.shape[:2], np.nan)
    for cell in zip(*np.nonzero(ran.any(axis=-1)), strict=True):
        steps[cell] = np.median(arrays["steps"][cell][ran[cell]])
        worst[cell] = np.abs(arrays["late"][cell][ran[cell]]).max()
    return steps, worst


def report(p: Params, arrays: Arrays) -> Outcome:
    """What each method costs, and how late its jumps are."""
    steps, worst = _costs(arrays)
    late, scales = arrays["late"], p.inverse_scales
    metrics: dict[str, float] = {}
    names = ["flow", "weights", *(f"descent_{share:g}" for share in p.step_shares)]
    for method, name in enumerate(names):
        for scale, cost, most in zip(scales, steps[method], worst[method], strict=True):
            if not math.isnan(cost):
                metrics[f"steps_{name}_{scale:g}"] = float(cost)
            if method != _FLOW and math.isfinite(most):
                metrics[f"late_{name}_{scale:g}"] = float(most)
    held = [scale for scale in scales if scale <= HELD]
    for k, scale in enumerate(held):
        ended = ~np.isnan(arrays["steps"][_WEIGHTS, k])
        metrics[f"ended_weights_{scale:g}"] = float(ended.sum())
    remarks = []
    for number, share in enumerate(p.step_shares):
        # On a plateau a step multiplies by 1 + eta g: eta g / log(1 + eta g) as long.
        grown = share * float(arrays["largest_step"]) * arrays["rate"]
        first = late[_FIRST + number, len(held) - 1, :, 0]
        most = metrics[f"first_late_{share:g}"] = float(first.max())
        error = float(np.abs(first - (grown / np.log1p(grown) - 1)).max())
        metrics[f"first_late_error_{share:g}"] = error
        remarks.append(
            f"From exp(-{held[-1]:g}) descent with a step of {share:g} comes to its "
            f"first jump late by {most:.2%} at most; the rate log(1 + eta g) / eta "
            f"foretells it to {error:.1g}."
        )
    columns = tuple(f"log 1/scale {scale:.4g}" for scale in scales)
    titles = (
        "Steps, median over draws",
        "Worst relative difference of a jump's time to that of the flow",
    )
    tables = []
    for title, values, first in zip(titles, (steps, worst), _SHOWN, strict=True):
        shown = [[v if math.isfinite(v) else None for v in row] for row in values]
        rows = dict(list(zip(_names(p), shown, strict=True))[first:])
        tables.append(ScoreTable(title, columns, rows, ()))
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Losses of the last descent in slow time, and what each method costs."""
    colors, panels = shades(len(p.inverse_scales))[::-1], []
    for draw in range(len(arrays["tau_0"])):
        curves, ends = [], []
        for k, scale in enumerate(p.inverse_scales):
            tau, loss = arrays[f"tau_{k}"][draw], arrays[f"loss_{k}"][draw]
            name = rf"$\log(1/\lambda) = {scale:.4g}$" + ", flow" * (scale > HELD)
            curves.append(Curve(tau, loss, name, color=colors[k]))
            # When it has come to a hundredth of its fall above its end.
            there = loss <= loss[-1] + 0.01 * (loss[0] - loss[-1])
            ends.append(tau[there.argmax()])
        panels.append(slow_panel(curves, draw, 1.05 * max(ends)))
    share, below = p.step_shares[-1], min(4, len(p.inverse_scales))
    title = f"Gradient descent, {share:g} of the largest step, blurs the steps"
    descent = plot_panels(panels, height=3.6, title=title, legend_below=below)
    styles = ["o-", "s-", *["^-"] * len(p.step_shares)]
    colors = [MODEL, OBSERVED, *shades(len(p.step_shares))[::-1]]
    labels, panels = ("steps", "worst relative difference to the flow"), []
    for values, label, first in zip(_costs(arrays), labels, _SHOWN, strict=True):
        rows = list(zip(values, _names(p), colors, styles, strict=True))[first:]
        curves = [
            Curve(p.inverse_scales, row, name, color=color, style=style)
            for row, name, color, style in rows
        ]
        axis = r"$\log(1/\lambda)$"
        panels.append(Panel(curves, axis, label, scales=("log", "log")))
    cost = plot_panels(panels, width=4.8, height=4, legend_below=min(3, len(styles)))
    return {"descent": descent, "cost": cost}


STUDY = Study(Params, run, report, figures)
