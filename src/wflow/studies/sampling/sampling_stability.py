"""Two flows of KL from one start: their log-ratio and the bounds on it."""

import math
from typing import Annotated, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.measures import Grid
from wflow.sampling.privacy.stability import stability
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
    StudyParams,
)

from ._bounds import plot_bounds
from ._waves import Series, total


# Names of the bounds on the log-ratio and on KL, and of their arrays.
_BOUNDS = {
    "source": "b1",
    "explicit source": "b1_explicit",
    "warm start": "b2",
    "gradients": "b3",
}
_KL_BOUNDS = {"relative entropy": "b4", "pure": "kl_pure"}


class Params(StudyParams):
    """Two flows on the circle [0, 2 pi) from one start.

    Attributes:
        alpha: strength of the transport.
        beta: strength of the reaction.
        potential: V of the one target.
        discrepancy: delta = V - V', V' of the other target.
        initial: logarithm of the common start, up to a constant.
        cells: of the grid, centered at 2 pi j / cells.
        refine: points for each cell over which suprema are taken; 1 is their centers.
        rtol: of the solver.
        times: at which the flows are compared.
    """

    task: Literal["sampling_stability"]
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0
    potential: Series
    discrepancy: Series
    initial: Series
    cells: Annotated[int, Field(ge=8)] = 128
    refine: Count = 1
    rtol: Positive = 1e-9
    times: Annotated[list[Positive], Field(min_length=1), Increasing]

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        if self.alpha == 0 and self.beta == 0:
            raise ValueError("alpha and beta: expected at least one above zero.")
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray | float]:
    """Distances of the flows and the bounds on them, ``(T,)``."""
    del key, log
    potential, discrepancy = total(p.potential), total(p.discrepancy)
    # Centers of the cells at 2 pi j / n.
    half, around = math.pi / p.cells, 2 * math.pi
    initial = Grid.from_log_density(
        total(p.initial), -half, around - half, (p.cells,), "periodic"
    )
    found = stability(
        lambda x: -potential(x),
        lambda x: discrepancy(x) - potential(x),
        initial,
        p.times,
        alpha=p.alpha,
        beta=p.beta,
        refine=p.refine,
        rtol=p.rtol,
    )
    return {
        "osc_r": found.osc,
        "sup_r": found.sup,
        "kl": found.kl,
        **{key: found.bounds[name] for name, key in _BOUNDS.items()},
        **{key: found.kl_bounds[name] for name, key in _KL_BOUNDS.items()},
        "osc_delta": found.accountant.osc_delta,
        "min_bound_slack": found.slack,
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """Every distance and bound at every time, and the least slack."""
    metrics = {
        f"{name}_t{t:g}": float(value)
        for name in ("osc_r", "sup_r", "kl", *_BOUNDS.values(), *_KL_BOUNDS.values())
        for t, value in zip(p.times, arrays[name], strict=True)
    }
    for name in ("osc_delta", "min_bound_slack"):
        metrics[name] = float(arrays[name])
    ratios, kls = (
        {name: arrays[key].tolist() for name, key in rows.items()}
        for rows in (
            {"sup |r|": "sup_r", "osc(r)": "osc_r", **_BOUNDS},
            {"KL": "kl", **_KL_BOUNDS},
        )
    )
    ratios["osc(delta), the targets"] = [metrics["osc_delta"]] * len(p.times)
    times = tuple(f"{t:g}" for t in p.times)
    tables = [
        ScoreTable(
            "Log-ratio of the two flows at t, and its bounds", times, ratios, ()
        ),
        ScoreTable("KL of the two flows at t, and its bounds", times, kls, ()),
    ]
    gap = "bounds minus what they bound"
    if p.alpha == 0:
        gap = "without transport that of the source is an equality"
    slack = metrics["min_bound_slack"]
    remark = f"Least slack of all bounds and times: {slack:.3g} ({gap})."
    return Outcome(metrics, tables, [remark])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """The log-ratio and the relative entropy over time, below their bounds."""
    times = np.asarray(p.times)
    strengths = f"transport {p.alpha:g}, reaction {p.beta:g}"
    ratio = plot_bounds(
        times,
        {"osc(r)": arrays["osc_r"], "sup |r|": arrays["sup_r"]},
        {name: arrays[key] for name, key in _BOUNDS.items()},
        label=r"log-ratio $r = \log(\rho_t/\rho'_t)$",
        title=f"Two flows from one start, {strengths}",
    )
    kl = plot_bounds(
        times,
        {"KL": arrays["kl"]},
        {"relative entropy": arrays["b4"], "from the pure level": arrays["kl_pure"]},
        label=r"$\mathrm{KL}(\rho_t\,\Vert\,\rho'_t)$",
        title=f"Their relative entropy, {strengths}",
    )
    return {"log_ratio": ratio, "kl": kl}


STUDY = Study(Params, run, report, figures)
