"""The exponential mechanism by a flow: privacy and utility of a draw against time."""

import math
from typing import Annotated, Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.measures import Grid
from wflow.sampling.privacy.stability import stability
from wflow.sampling.privacy.torus import TorusLoss
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
from ._utility import utility


_BOUNDS = {"source": "b1", "warm start": "b2", "gradients": "b3"}
# What tables show.
_PRIVACY = {"sup_r": "sup |r|, the worst pair", "certificate": "certificate"}
_UTILITY = {
    "excess_loss": "excess loss",
    "excess_loss_bound": "bound",
    "intrinsic_loss": "a draw from the target",
}


class Params(StudyParams):
    """The exponential mechanism for a loss on the torus, run for a while only.

    Attributes:
        people: data in the set, each a point of the torus.
        spread: of the points about their center, in radians.
        epsilon: level of the exponential mechanism, to which a long run tends.
        alpha: strength of the transport.
        beta: strength of the reaction.
        pairs: neighboring data sets that are solved exactly, each with one other
            person moved to the opposite point.
        cells: of the grid, along each of the two axes.
        times: at which the guarantee is compared with the exact privacy loss.
    """

    task: Literal["sampling_privacy"]
    people: Count
    spread: NonNegative = 0.8
    epsilon: Positive
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0
    pairs: Count = 1
    cells: Annotated[int, Field(ge=8)] = 64
    times: Annotated[list[Positive], Field(min_length=1), Increasing]

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        if self.alpha == 0 and self.beta == 0:
            raise ValueError("alpha and beta: expected at least one above zero.")
        if self.pairs > self.people:
            raise ValueError(
                f"pairs: expected at most one for each of {self.people} people, found "
                f"{self.pairs}."
            )
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """The exact privacy loss and its bounds, the mean loss and its bound, at times."""
    del key, log
    rng = np.random.default_rng(p.seed)
    loss = TorusLoss(p.spread * rng.standard_normal((p.people, 2)))
    initial = Grid.from_log_density(
        lambda theta: 0.0 * theta[0],
        *(0.0, 2 * math.pi),
        (p.cells, p.cells),
        "periodic",
    )
    own = loss.mechanism(p.epsilon)
    sups = []
    for person in range(p.pairs):
        other = loss.without(person).mechanism(p.epsilon)
        pair = stability(own, other, initial, p.times, alpha=p.alpha, beta=p.beta)
        sups.append(pair.sup)
    account = loss.accountant(p.epsilon, p.alpha, p.beta)
    bounds = [account.bounds(t) for t in p.times]
    return {
        "sup_r": np.max(sups, axis=0),
        "certificate": np.array([account.pure(t) for t in p.times]),
        **{k: np.array([one[name] for one in bounds]) for name, k in _BOUNDS.items()},
        "private_until": account.time_for(p.epsilon),
        **utility(loss, p.epsilon, p.alpha, p.beta, initial, p.times),
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """Every curve at every time, and until when the guarantee is the mechanism's."""
    until = float(arrays["private_until"])
    slack = arrays["certificate"] - arrays["sup_r"]
    metrics = {
        "epsilon0": p.epsilon,
        "min_certificate_slack": float(np.min(slack)),
        "private_until": until,
    }
    for name, values in arrays.items():
        if name != "private_until":
            pairs = zip(p.times, values.tolist(), strict=True)
            metrics |= {f"{name}_t{t:g}": value for t, value in pairs}
    certified = (
        f"Every run is certified at {p.epsilon:g} or less."
        if math.isinf(until)
        else f"Certified at {p.epsilon:g} or less up to t = {until:.3g}."
    )
    worth = (
        f"At the last time one draw costs {arrays['sup_r'][-1]:.3f} exactly, "
        f"{arrays['certificate'][-1]:.3f} by the certificate, and its loss is "
        f"{arrays['excess_loss'][-1]:.4f} above the least."
    )
    times = tuple(f"{t:g}" for t in p.times)
    tables = [
        ScoreTable(title, times, {rows[k]: arrays[k].tolist() for k in rows}, ())
        for title, rows in (
            ("Epsilon of one draw at t", _PRIVACY),
            ("Mean loss above the least at t", _UTILITY),
        )
    ]
    return Outcome(metrics, tables, [certified, worth])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Privacy and utility over time, each with its bounds."""
    strengths = f"transport {p.alpha:g}, reaction {p.beta:g}"
    times = np.array(p.times)
    privacy = plot_bounds(
        times,
        {"sup |r|, the worst pair": arrays["sup_r"]},
        {name: arrays[key] for name, key in _BOUNDS.items()},
        limit=("the exponential mechanism", p.epsilon),
        label=r"$\epsilon$ of one draw",
        title=f"Privacy of a run, {strengths}",
    )
    utility = plot_bounds(
        times,
        {"excess loss": arrays["excess_loss"]},
        {"bound": arrays["excess_loss_bound"]},
        limit=("a draw from the target", float(arrays["intrinsic_loss"][0])),
        label=r"$\mathbb{E}\,\ell - \min\ell$",
        title=f"Utility of a run, {strengths}",
    )
    return {"privacy": privacy, "utility": utility}


STUDY = Study(Params, run, report, figures)
