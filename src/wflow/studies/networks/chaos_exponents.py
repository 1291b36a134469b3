"""The rate in the width of diagonal networks, against the decay of their loss."""

import math
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.networks.chaos.conditions import bound_exponent, decay_exponent
from wflow.networks.chaos.diagonal import diagonal_gaps, power_law, residual_at
from wflow.networks.chaos.widths import summarize
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.plotting.style import OBSERVED
from wflow.studies import Arrays, Count, Log, Outcome, Positive, ScoreTable, Study

from ._widths import (
    WidthsParams,
    loss_curve,
    report_arrays,
    report_of,
    root_integral,
    slope_metrics,
    tag,
)


class Params(WidthsParams):
    """Diagonal networks whose loss falls like t^-c, for several c.

    Attributes:
        exponents: c.
        dim: number of coordinates.
        spectrum: p of the inputs' probabilities k^-p.
        window: first and last time of the fit of c.
    """

    task: Literal["chaos_exponents"]
    exponents: Annotated[list[Positive], Field(min_length=1)]
    dim: Count = 400
    spectrum: Annotated[float, Field(gt=1)] = 2.0
    window: Annotated[list[Positive], Field(min_length=2, max_length=2)] = [30.0, 300.0]

    @model_validator(mode="after")
    def _reachable(self) -> "Params":
        least = (self.spectrum - 1) / self.spectrum
        if min(self.exponents) <= least:
            raise ValueError(
                f"exponents: expected more than (p - 1) / p = {least:g}, found "
                f"{min(self.exponents):g}."
            )
        if len(set(map(tag, self.exponents))) < len(self.exponents):
            raise ValueError("exponents: expected distinct numbers.")
        if self.window[0] >= self.window[1]:
            raise ValueError("window: expected the first time before the last.")
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Gaps to the limit and its loss, for every decay exponent."""
    del log
    times = np.concatenate([[0], np.geomspace(1e-2, p.window[1], 160)])
    arrays = {}
    for number, c in enumerate(p.exponents):
        source = (c * p.spectrum - p.spectrum + 1) / 2
        risk, start = power_law(p.dim, p.spectrum, source)
        keys = jax.random.split(jax.random.fold_in(key, number), 1 + len(times))
        gaps = [
            diagonal_gaps(risk, start, width.neurons, times, key, width.seeds)
            for width, key in zip(p.widths, keys[1:], strict=False)
        ]
        report = summarize(p.neurons, times, gaps, key=keys[0], resamples=p.resamples)
        g = jax.vmap(residual_at, (None, None, 0))(risk, start, jnp.asarray(times))
        loss = np.asarray(g**2 @ risk.probabilities)
        arrays |= report_arrays(report._replace(loss=loss), f"{tag(c)}_")
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Slopes in m beside what the theorem asks for, min(1, c/6)."""
    first, last = p.window
    metrics: dict[str, float] = {}
    tags = [tag(c) for c in p.exponents]
    reports = [report_of(p.neurons, arrays, f"{name}_") for name in tags]
    for name, found in zip(tags, reports, strict=True):
        late = found.widths * found.mean[:, -1]
        metrics |= slope_metrics(found, f"_{name}")
        metrics |= {
            f"decay_{name}": decay_exponent(
                found.times, found.loss, decades=math.log10(last / first), floor=0
            ),
            f"integral_sqrt_loss_{name}": root_integral(found.times, found.loss),
            # Spread of m e(t) over the widths, at the last time.
            f"collapse_{name}": float(np.ptp(late) / np.mean(late)),
        }
    decays = [metrics[f"decay_{name}"] for name in tags]
    errors = [abs(found - c) for found, c in zip(decays, p.exponents, strict=True)]
    verdicts = [found.verdict(c) for found, c in zip(reports, decays, strict=True)]
    metrics["worst_decay_error"] = max(errors)
    metrics["inconsistent"] = float(verdicts.count("inconsistent"))
    rows = {
        "c, fitted": decays,
        "- slope in m": [-found.slope for found in reports],
        "theorem: at least": [bound_exponent(c) if c > 2 else None for c in decays],
        "sup / start": [metrics[f"amplification_{name}"] for name in tags],
        "integral of sqrt(L)": [metrics[f"integral_sqrt_loss_{name}"] for name in tags],
    }
    names = tuple(f"c = {c:g}" for c in p.exponents)
    table = ScoreTable("Rates in the width", names, rows, (), averaged=False)
    remarks = [f"{name}: {text}." for name, text in zip(names, verdicts, strict=True)]
    remarks.append(
        "The theorem is an upper bound: no network here comes near m^(-c/6)."
    )
    return Outcome(metrics, [table], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Losses of the limit, and slopes in m against the decay exponent."""
    reports = [report_of(p.neurons, arrays, f"{tag(c)}_") for c in p.exponents]
    losses = [
        loss_curve(found.times, found.loss, f"c = {c:.2f}", color)
        for c, found, color in zip(
            p.exponents, reports, shades(len(reports)), strict=True
        )
    ]
    grid = np.linspace(0, max(p.exponents) + 0.5, 200)
    low, high = zip(*(found.interval for found in reports), strict=True)
    rates = [
        Curve(grid, np.minimum(1, grid / 6), "min(1, c/6)", color=OBSERVED),
        Curve(
            p.exponents,
            [-found.slope for found in reports],
            "measured",
            style="o",
            low=-np.array(high),
            high=-np.array(low),
        ),
    ]
    panels = [
        Panel(losses, "time", "loss of the limit", scales=("log", "log")),
        Panel(
            rates,
            "decay exponent c of the loss",
            "-slope of the supremum in m",
            levels=[Level(x=2, label="the hypothesis holds beyond", style=":")],
            xlim=(0, grid[-1]),
            ylim=(0, 1.2),
        ),
    ]
    return {"exponents": plot_panels(panels, width=4.5, height=3.6)}


STUDY = Study(Params, run, report, figures)
