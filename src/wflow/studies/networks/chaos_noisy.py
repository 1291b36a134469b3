"""Fluctuations and losses of quadratic networks with and without noise."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.energies import Entropy, Potential
from wflow.networks import chaos
from wflow.networks.chaos.widths import follow
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.plotting.style import MODEL, OBSERVED
from wflow.studies import (
    Arrays,
    Count,
    Increasing,
    Log,
    NonNegative,
    Outcome,
    Positive,
    ScoreTable,
    Study,
)

from ._powers import fitted
from ._widths import (
    WidthsParams,
    loss_curve,
    report_arrays,
    report_of,
    saddle_student,
    slope_metrics,
)


class Params(WidthsParams):
    """Quadratic neurons with noise and weight decay, beside those without.

    Attributes:
        dim: d.
        scale: neurons start from N(0, scale I / d); the teacher is one direction.
        temperatures: of the noise, increasing; the largest is studied over widths.
        decay: of weights, in units of the temperature.
        horizon: of time.
        step: of the solver, with noise.
    """

    task: Literal["chaos_noisy"]
    dim: Count = 4
    scale: Positive = 0.1
    temperatures: Annotated[list[Positive], Field(min_length=2), Increasing]
    decay: NonNegative = 1.0
    horizon: Positive = 10.0
    step: Positive = 0.005


def _student(p: Params, temperature: float) -> chaos.Student:
    """Quadratic neurons; weights decay at ``decay`` times the temperature."""
    quiet = saddle_student(p.dim, p.scale)
    if temperature == 0:
        return quiet
    rate = p.decay * temperature
    shrink = Potential(lambda w: rate / 2 * jnp.sum(w**2))
    energy = quiet.risk + shrink + Entropy(temperature)
    return chaos.Student(quiet.risk, quiet.start, energy)


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Losses of every temperature; gaps over widths without noise and with most."""
    del log
    # Dense where the loss escapes the saddle, and fluctuations peak.
    middle = p.horizon / 10
    times = np.concatenate(
        [np.linspace(0, middle, 51), np.linspace(middle, p.horizon, 46)[1:]]
    )
    students = [_student(p, tau) for tau in (0.0, *p.temperatures)]
    losses = []
    for student in students:
        limit = follow(student, student.start, times, max_steps=2**16)
        losses.append(jax.vmap(student.risk.loss)(limit.measures))
    of_quiet, of_noisy = jax.random.split(key)
    quiet, noisy = students[0], students[-1]
    noiseless = p.study(quiet, quiet.start, times, of_quiet)
    options = {"dt0": p.step, "max_steps": 2**16}
    with_noise = p.study(noisy, noisy.start, times, of_noisy, **options)
    return {
        "losses": np.stack(losses),
        **report_arrays(noiseless, "noiseless_"),
        **report_arrays(with_noise, "noisy_"),
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """Slopes in m with and without noise, and where the loss stops."""
    quiet = report_of(p.neurons, arrays, "noiseless_")
    noisy = report_of(p.neurons, arrays, "noisy_")
    start, *noisy_ends = arrays["losses"][:, -1].tolist()
    ends = dict(zip(p.temperatures, noisy_ends, strict=True))
    power = fitted(p.temperatures, noisy_ends)
    metrics = {
        **slope_metrics(quiet, "_noiseless"),
        **slope_metrics(noisy, "_noisy"),
        "loss_end_noiseless": start,
        **{f"loss_end_{tau:g}": end for tau, end in ends.items()},
        "loss_power_of_temperature": power,
        "m_times_e_end_noiseless": float(quiet.widths[-1] * quiet.mean[-1, -1]),
        "m_times_e_end_noisy": float(noisy.widths[-1] * noisy.mean[-1, -1]),
    }
    largest = p.temperatures[-1]
    sups = {
        "without noise": quiet.sup.tolist(),
        f"temperature {largest:g}": noisy.sup.tolist(),
    }
    widths = tuple(f"m = {m}" for m in p.neurons)
    names = ("no noise", *(f"{tau:g}" for tau in ends))
    title, losses = f"Loss of the limit at time {p.horizon:g}", [start, *noisy_ends]
    tables = [
        ScoreTable("Supremum over time of the mean squared gap", widths, sups, ()),
        ScoreTable(title, names, {"loss": losses}, ()),
    ]
    remarks = [
        f"Slopes in m: {quiet.slope:.3f} without noise, {noisy.slope:.3f} at "
        f"temperature {largest:g}.",
        f"With noise the loss stops near temperature^{power:.2f}; without it still "
        f"falls ({start:.2g} at the end).",
    ]
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Losses over time, losses at the end, and gaps times m with and without noise."""
    times, losses, number = arrays["noisy_times"], arrays["losses"], len(p.neurons)
    cases = zip((0.0, *p.temperatures), losses, shades(len(losses)), strict=True)
    over_time = [loss_curve(times, loss, f"{tau:g}", c) for tau, loss, c in cases]
    ends = Curve(p.temperatures, losses[1:, -1], "with noise", style="o-")
    gaps = []
    for name, color, said in (
        ("noiseless", OBSERVED, "without noise"),
        ("noisy", MODEL, "with noise"),
    ):
        scaled = np.array(p.neurons)[:, None] * arrays[f"{name}_mean"]
        for k, row in enumerate(scaled, 1):
            label, alpha = said if k == number else None, 0.35 + 0.65 * k / number
            gaps.append(Curve(times, row, label, color=color, alpha=alpha))
    panels = [
        Panel(over_time, "time", "loss of the limit", scales=("log", "log")),
        Panel(
            [ends],
            "temperature",
            "loss at the end",
            levels=[Level(y=losses[0, -1], label="without")],
            scales=("log", "log"),
        ),
        Panel(gaps, "time", r"$m\,E\|\Delta_t\|^2$"),
    ]
    return {"noisy": plot_panels(panels, width=3.7, height=3.4)}


STUDY = Study(Params, run, report, figures)
