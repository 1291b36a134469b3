"""How far spherical neurons that learn one direction are from their limit."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.networks import chaos
from wflow.networks.chaos.conditions import bound_exponent, decay_exponent
from wflow.networks.chaos.student import UniformSphere
from wflow.plotting.panels import Curve, Panel, plot_panels, shades
from wflow.studies import Arrays, Log, NonNegative, Outcome, Positive, ScoreTable, Study

from ._widths import (
    ReferenceParams,
    report_arrays,
    report_of,
    root_integral,
    slope_metrics,
    tag,
)


class Params(ReferenceParams):
    """Spherical neurons that learn one direction, in the population.

    Attributes:
        targets: for a name the squares of the Hermite coefficients, from degree 0.
        dims: d.
        horizon: of time.
    """

    task: Literal["chaos_single_index"]
    targets: Annotated[
        dict[str, Annotated[list[NonNegative], Field(min_length=1)]],
        Field(min_length=1),
    ]
    dims: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    horizon: Positive = 30.0

    @property
    def cases(self) -> list[tuple[str, int]]:
        """Targets and dimensions, those of one dimension together."""
        return [(name, d) for d in self.dims for name in self.targets]

    @model_validator(mode="after")
    def _distinct(self) -> "Params":
        for name, given in (("targets", map(tag, self.targets)), ("dims", self.dims)):
            if len(set(given)) < len(getattr(self, name)):
                raise ValueError(f"{name}: expected distinct ones.")
        return self


def _tag(name: str, d: int) -> str:
    return f"{tag(name)}_d{d}"


def _risk(p: Params, name: str, d: int) -> chaos.SingleIndexRisk:
    # Of one length, so that targets share the compiled study.
    degrees = max(map(len, p.targets.values()))
    powers = np.pad(p.targets[name], (0, degrees - len(p.targets[name])))
    return chaos.SingleIndexRisk(powers, jnp.eye(d)[0])


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Gaps to a wide reference, for every target and dimension."""
    times = np.linspace(0, p.horizon, 121)
    arrays = {}
    for number, (name, d) in enumerate(p.cases):
        of_limit, of_study = jax.random.split(jax.random.fold_in(key, number))
        student = chaos.Student(_risk(p, name, d), UniformSphere(d))
        limit = student.network(of_limit, p.reference)
        report = p.study(student, limit, times, of_study)
        arrays |= report_arrays(report, f"{_tag(name, d)}_")
        log(f"{name}, d = {d}: slope {report.slope:.3f}")
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """The slope in m of every case, with the verdict of the theorem."""
    metrics: dict[str, float] = {}
    rows, remarks, slopes = {}, [], []
    for name, d in p.cases:
        found = report_of(p.neurons, arrays, f"{_tag(name, d)}_")
        loss = arrays[f"{_tag(name, d)}_loss"]
        decay = decay_exponent(found.times, loss, decades=0.5)
        start = np.mean(found.widths * found.mean[:, 0])
        exact = float(_risk(p, name, d).sampling_variance)
        numbers = {
            "decay": decay,
            "integral_sqrt_loss": root_integral(found.times, loss),
            "loss_end": float(loss[-1]),
            "m_times_e_end": float(found.widths[-1] * found.mean[-1, -1]),
            # Of the known value, which no training is in: an error of draws.
            "start_error": float(start / exact - 1),
        }
        suffix = f"_{_tag(name, d)}"
        metrics |= slope_metrics(found, suffix)
        metrics |= {f"{key}{suffix}": value for key, value in numbers.items()}
        slopes.append(found.slope)
        rows[f"{name}, d = {d}"] = [
            found.slope,
            -bound_exponent(decay) if decay > 2 else None,
            decay,
            float(found.amplification[-1]),
            numbers["m_times_e_end"],
            numbers["loss_end"],
        ]
        remarks.append(f"{name}, d = {d}: {found.verdict(decay)}.")
    metrics |= {"slope_min": min(slopes), "slope_max": max(slopes)}
    table = ScoreTable(
        f"Against a reference of {p.reference} neurons",
        ("slope", "at most", "c", "sup / start", "m e(T)", "loss(T)"),
        rows,
        (),
        averaged=False,
    )
    return Outcome(metrics, [table], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Loss of the limit over time, and suprema over the width, for every case."""
    losses, sups = [], []
    for (name, d), color in zip(p.cases, shades(len(p.cases)), strict=True):
        found = report_of(p.neurons, arrays, f"{_tag(name, d)}_")
        label = f"{name}, d = {d}"
        losses.append(Curve(found.times, found.loss, color=color))
        sups.append(Curve(p.neurons, found.sup, label, color=color, style="o-"))
    panels = [
        Panel(losses, "time", "loss of the limit", scales=("linear", "log")),
        Panel(sups, "width m", r"$\sup_t E\|\Delta_t\|^2$", scales=("log", "log")),
    ]
    return {"single_index": plot_panels(panels, width=4.75, height=3.8)}


STUDY = Study(Params, run, report, figures)
