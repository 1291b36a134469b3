"""How far quadratic networks of finite width are from their limit."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.networks import chaos
from wflow.networks.chaos.conditions import gronwall_factor
from wflow.networks.chaos.linearized import sampling_variance
from wflow.networks.chaos.tangent import frozen_kernel_loss, lipschitz_rate
from wflow.networks.chaos.widths import follow
from wflow.plotting.chaos import plot_chaos
from wflow.studies import Arrays, Count, Log, Outcome, Positive, ScoreTable, Study

from ._widths import (
    WidthsParams,
    decay_metrics,
    report_arrays,
    report_of,
    root_integral,
    saddle_student,
    sentence,
    slope_metrics,
)


class Params(WidthsParams):
    """Quadratic neurons that start near a saddle, by their closed moment equation.

    Attributes:
        dim: d.
        scale: neurons start from N(0, scale I / d); the teacher is one direction.
        horizon: of time.
        step: between saved times.
        long_horizon: to which the decay of the limit's loss is fitted.
    """

    task: Literal["chaos_quadratic"]
    dim: Count = 8
    scale: Positive = 1e-3
    horizon: Positive = 1.2
    step: Positive = 0.01
    long_horizon: Annotated[float, Field(gt=60)] = 20000.0


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Gaps to the mean field over widths, and what bounds them along the limit."""
    del log
    student = saddle_student(p.dim, p.scale)
    risk, start = student.risk, student.start
    times = np.linspace(0, p.horizon, max(1, round(p.horizon / p.step)) + 1)
    report = p.study(student, start, times, key)
    near = follow(student, start, times).measures
    late = np.concatenate(
        [np.linspace(0, 6, 121), np.geomspace(6, p.long_horizon, 200)[1:]]
    )
    far = follow(student, start, late, max_steps=2**20).measures
    return {
        **report_arrays(report),
        "limit": chaos.clt_variance(student, times),
        "late": late,
        "late_loss": jax.vmap(risk.loss)(far),
        "near_loss": jax.vmap(risk.loss)(near),
        "rate": lipschitz_rate(risk, near.cov),
        "rate_60": lipschitz_rate(risk, far.cov[late <= 60]),
        "fresh": jnp.max(jax.vmap(sampling_variance)(near.cov)),
        "frozen": frozen_kernel_loss(risk, start.cov, jnp.asarray(times)),
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """The slope in m with every bound beside it."""
    found, widths = report_of(p.neurons, arrays), np.array(p.neurons)
    late, loss, limit = (arrays[k] for k in ("late", "late_loss", "limit"))
    decayed = decay_metrics(late, loss)
    decay = decayed["decay_exponent"]
    rate, rate_60 = float(arrays["rate"]), float(arrays["rate_60"])
    # Quoted at the width with the most seeds.
    k = int(np.argmax(p.networks))
    peak = int(np.argmax(found.mean[k]))
    metrics = {
        **slope_metrics(found),
        "peak_clt": float(limit.max()),
        **decayed,
        "integral_sqrt_loss_6": root_integral(late[late <= 6], loss[late <= 6]),
        "lipschitz_rate": rate,
        "log10_gronwall_60": 120 * rate_60 / np.log(10),
        "loss_end": float(arrays["near_loss"][-1]),
        "loss_end_frozen": float(arrays["frozen"][-1]),
        "peak_m_times_e": float(widths[k] * found.sup[k]),
        "peak_error": float(widths[k] * found.error[k, peak]),
        "peak_time": float(found.times[peak]),
    }
    columns = {
        "measured": widths * found.sup,
        "linearized": np.full(len(widths), limit.max()),
        "fresh draws": np.full(len(widths), float(arrays["fresh"])),
        "theorem": widths * found.bound(decay),
    }
    rows = zip(*columns.values(), strict=True)
    table = ScoreTable(
        "m times the supremum over time of the mean squared gap",
        tuple(columns),
        {f"m = {m}": [*map(float, row)] for m, row in zip(widths, rows, strict=True)},
        (),
        averaged=False,
    )
    growth = gronwall_factor(rate, p.horizon)
    remarks = [
        sentence(found, decay),
        f"Gronwall with the largest rate, {rate_60:.1f}: the start's gap grows by up "
        f"to {growth:.2g} at {p.horizon:g}, to "
        f"10^{metrics['log10_gronwall_60']:.0f} at 60.",
        f"Loss at {p.horizon:g}: {metrics['loss_end']:.3g}; with the kernel "
        f"frozen at the start {metrics['loss_end_frozen']:.3g}.",
    ]
    return Outcome(metrics, [table], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Gaps over time, and their suprema over the width."""
    found = report_of(p.neurons, arrays)
    widths = found.widths.astype(float)
    drawn = plot_chaos(
        found.times, widths, found.mean, slope=found.slope, limit=arrays["limit"]
    )
    return {"chaos": drawn}


STUDY = Study(Params, run, report, figures)
