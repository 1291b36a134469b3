"""The norm of the network that a small start leads to, against the sample size."""

from typing import Annotated, Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.plotting.panels import Curve, Level, Panel, plot_panels
from wflow.plotting.style import OBSERVED
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

from ._norms import flows_of, limits_of
from ._powers import fitted
from ._saddle import Sizes


class Case(Strict):
    """A number of samples and a width."""

    samples: Count
    width: Count


class Params(StudyParams):
    """The squared norm of the limit against n, beside the least possible.

    Attributes:
        cases: samples and widths; the slope is fitted through all.
        repeats: draws of labels, signs and units for each.
        labels: their sizes; signs are fair.
        flow: cases that the flow itself is run on.
        flow_repeats: draws of each of them.
        inverse_scale: log(1 / scale) of its initialization.
    """

    task: Literal["saddle_norm"]
    cases: Annotated[list[Case], Field(min_length=2)]
    repeats: Count = 40
    labels: Sizes = Sizes()
    flow: list[Case] = []
    flow_repeats: Count = 4
    inverse_scale: Positive = 200.0

    @model_validator(mode="after")
    def _distinct(self) -> "Params":
        if len({case.samples for case in self.cases}) < len(self.cases):
            raise ValueError("cases: expected distinct numbers of samples.")
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Norms and jumps by case and draw, of the limit and of the flow."""
    del log
    of_limit, of_flow = jax.random.split(key)
    limits, flows = [], []
    for k, case in enumerate(p.cases):
        keys = jax.random.split(jax.random.fold_in(of_limit, k), p.repeats)
        limits.append(limits_of(keys, p.labels, case.samples, case.width))
        if np.all(limits[-1]["unfitted"] > 0):
            raise ValueError(
                f"cases.{k}.width: none of {p.repeats} draws of {case.width} neurons "
                f"interpolates {case.samples} samples; give more neurons."
            )
    for k, case in enumerate(p.flow):
        keys = jax.random.split(jax.random.fold_in(of_flow, k), p.flow_repeats)
        found = flows_of(keys, p.labels, case.samples, case.width, p.inverse_scale)
        flows.append(found)
    return {
        name: np.array([case[name] for case in cases])
        for cases in (limits, flows)
        for name in (cases[0] if cases else ())
    }


def _over(reduce: Any, arrays: Arrays) -> dict[str, list[float]]:
    """By name, for each case, a number of the draws that interpolate."""
    names = ("norm_squared", "least", "active", "first_jump", "last_jump")
    values = {name: arrays[name] for name in names}
    values["ratio"] = arrays["norm_squared"] / arrays["least"]
    rows = {name: zip(v, arrays["unfitted"], strict=True) for name, v in values.items()}
    return {k: [reduce(v[u == 0]) for v, u in row] for k, row in rows.items()}


def _slope(p: Params, norms: list[float]) -> float:
    """The power of n in the mean squared norm."""
    return fitted([case.samples for case in p.cases], norms)


def report(p: Params, arrays: Arrays) -> Outcome:
    """The slope of the norm, and how far it is from the least."""
    means = _over(np.mean, arrays)
    slope = _slope(p, means["norm_squared"])
    low, high = min(_over(np.min, arrays)["ratio"]), max(_over(np.max, arrays)["ratio"])
    metrics = {"norm_slope": slope, "ratio_min": low, "ratio_max": high}
    metrics["interpolating"] = float(np.sum(arrays["unfitted"] == 0))
    for k, case in enumerate(p.cases):
        for name in ("norm_squared", "ratio", "active"):
            metrics[f"{name}_{case.samples}"] = means[name][k]
    titles = {
        "Squared norm, mean over draws that interpolate": {
            "learned": means["norm_squared"],
            "least possible": means["least"],
        },
        "Neurons that end with weights, first and last jump": {
            "neurons": means["active"],
            "first jump": means["first_jump"],
            "last jump": means["last_jump"],
        },
    }
    columns = tuple(f"n = {case.samples}, m = {case.width}" for case in p.cases)
    tables = [ScoreTable(title, columns, rows, ()) for title, rows in titles.items()]
    remarks = [
        f"log norm^2 grows as {slope:.3f} log n; learned over least {low:.3f} to "
        f"{high:.3f}."
    ]
    if p.flow:
        errors = np.abs(arrays["flow_norm"] / arrays["flow_foretold"] - 1)
        metrics["flow_norm_error"] = float(errors.max())
        remarks.append(
            f"The flow at log(1/scale) = {p.inverse_scale:g}: norms of {errors.size} "
            f"runs within {errors.max():.2g} of the limit's."
        )
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Squared norm against sqrt(n), and its ratio to the least possible."""
    means, spreads = _over(np.mean, arrays), _over(np.std, arrays)
    root, at = (np.sqrt([case.samples for case in c]) for c in (p.cases, p.flow))
    flows = {}
    if p.flow:
        norm = arrays["flow_norm"]
        flows = {"norm_squared": norm, "ratio": norm / arrays["flow_least"]}
    least = Curve(root, means["least"], "least possible", color=OBSERVED, style="v-")
    asymptote = r"$1/(\sqrt{2} - 1)$, $n\to\infty$ with m of order log n"
    levels = [
        Level(1, color=OBSERVED),
        Level(1 / (2**0.5 - 1), label=asymptote, style="--"),
    ]
    ticks, panels = (root.tolist(), [f"{x:.3g}" for x in root]), []
    for name, label, others, behind, scale in (
        ("norm_squared", r"$\sum_j a_j^2 + |w_j|^2$", [least], [], "log"),
        ("ratio", "squared norm over the least", [], levels, "linear"),
    ):
        y, half = np.array(means[name]), np.array(spreads[name])
        bars = Curve(root, y, "learned", style="o", low=y - half, high=y + half)
        curves = [Curve(root, y), bars, *others]
        if p.flow:
            curves.append(Curve(at, flows[name], "flow", style="s", color="0.2"))
        shown = {"levels": behind, "scales": ("log", scale), "xticks": ticks}
        panels.append(Panel(curves, r"$\sqrt{n}$", label, **shown))
    title = f"Squared norm, slope {_slope(p, means['norm_squared']):.3f} in log n"
    return {"norm": plot_panels(panels, width=4.8, height=4.2, title=title)}


STUDY = Study(Params, run, report, figures)
