"""Laws of the time between resets: filters, and risks against tuned ridge."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.plotting.excess import plot_excess, plot_ratios
from wflow.regression import optimal_mean, prediction_risk, wiener_filter
from wflow.regression.comparators import EarlyStopping
from wflow.studies import (
    Arrays,
    Log,
    Name,
    Outcome,
    Positive,
    ScoreTable,
    Study,
    standard_error,
)

from ._laws import (
    RIDGE,
    Case,
    LawsParams,
    compared,
    excess,
    filter_arrays,
    filters_figure,
)
from ._problems import Axes, RandomDesigns, problem_of


class Params(LawsParams):
    """Renewal laws against ridge, each at its best mean.

    Attributes:
        noise: variance of the noise in the problems.
        problems: spectra whose in-sample risk is known, each of one or more groups of
            axes.
        monte_carlo: the same on random designs, tuned by cross-validation; null skips
            it.
    """

    task: Literal["resetting_laws"]
    noise: Positive = 0.1
    problems: Annotated[
        dict[Name, Annotated[list[Axes], Field(min_length=1)]], Field(min_length=1)
    ]
    monte_carlo: RandomDesigns | None = None


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """Best means and risks by problem and filter, and errors on random designs."""
    laws = p.filters
    arrays = dict(filter_arrays(laws))
    for name, groups in p.problems.items():
        problem = problem_of(groups, p.noise)
        found = [optimal_mean(problem, law) for law in laws.values()]
        bests = [b.time if isinstance(b, EarlyStopping) else b.mean for b, _ in found]
        arrays[f"mean_{name}"] = jnp.stack(bests)
        least = prediction_risk(problem, wiener_filter(problem))
        arrays[f"risk_{name}"] = jnp.stack([*(risk for _, risk in found), least])
    if p.monte_carlo is not None:
        for signal in p.monte_carlo.signals:
            log(f"{p.monte_carlo.replicates} random designs, signal {signal}")
            found = p.monte_carlo.errors(signal, laws, key)
            arrays[f"error_{signal}"] = jnp.stack([found[name] for name in p.names])
    return arrays


def _ratios(p: Params, arrays: Arrays, problem: str) -> dict[str, float]:
    """Risks of all but ridge over ridge's; Wiener's is the least."""
    ridge, *risks = arrays[f"risk_{problem}"].tolist()
    names = (*p.filter_names[1:], "wiener")
    return {name: risk / ridge for name, risk in zip(names, risks, strict=True)}


def report(p: Params, arrays: Arrays) -> Outcome:
    """Risks over ridge's, best means, and test errors."""
    metrics: dict[str, float] = {}
    for problem in p.problems:
        metrics[f"ridge_risk_{problem}"] = float(arrays[f"risk_{problem}"][0])
        for name, ratio in _ratios(p, arrays, problem).items():
            metrics[f"risk_ratio_{problem}_{name}"] = ratio
        first, *others = arrays[f"mean_{problem}"].tolist()
        metrics[f"ridge_mean_{problem}"] = first
        for name, mean in zip(p.filter_names[1:], others, strict=True):
            metrics[f"mean_{problem}_{name}"] = mean
    ratios = {
        name: [metrics[f"risk_ratio_{problem}_{name}"] for problem in p.problems]
        for name in (*p.filter_names[1:], "wiener")
    }
    means = np.stack([arrays[f"mean_{problem}"] for problem in p.problems], 1).tolist()
    means = dict(zip(p.filter_names, means, strict=True))
    title = "In-sample risk at the best mean, over ridge's"
    # Early stopping is left out: it has no law.
    widths = np.ptp(np.log(arrays["penalty"][:-1]), axis=1).tolist()
    ranges = dict(zip(p.filter_names[:-1], widths, strict=True))
    metrics |= {f"penalty_log_range_{name}": width for name, width in ranges.items()}
    least = min(p.laws, key=ranges.__getitem__)
    remark = (
        "Over all curvatures the ridge penalty that shrinks alike varies by "
        f"{np.expm1(ranges[RIDGE]):.1g} of itself for exponential times, and by "
        f"{np.expm1(ranges[least]):.2g} or more for other laws (least: {least})."
    )
    tables = [
        ScoreTable(title, tuple(p.problems), ratios, ()),
        ScoreTable("Best mean time between resets", tuple(p.problems), means, ()),
    ]
    outcome = Outcome(metrics, tables, [remark])
    if p.monte_carlo is None:
        return outcome
    title = f"Test error on {p.monte_carlo.replicates} random designs, noise 1"
    spreads = {
        f"test_error_se_{signal}_{name}": standard_error(values)
        for signal, (names, errors) in _cases(p, arrays).items()
        for name, values in zip(names, errors, strict=True)
    }
    return outcome.joined(compared(title, _cases(p, arrays))).joined(Outcome(spreads))


def _cases(p: Params, arrays: Arrays) -> dict[str, Case]:
    signals = [] if p.monte_carlo is None else p.monte_carlo.signals
    return {signal: (p.names, arrays[f"error_{signal}"]) for signal in signals}


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Filters, ratios of risks, and test errors beside ridge's."""
    ratios = {problem: _ratios(p, arrays, problem) for problem in p.problems}
    bounds = {problem: found.pop("wiener") for problem, found in ratios.items()}
    drawn = {
        "filters": filters_figure(p, arrays),
        "risk_ratios": plot_ratios(ratios, bounds, reference=RIDGE),
    }
    if p.monte_carlo is not None:
        title = f"{p.monte_carlo.replicates} random designs, tuned by cross-validation"
        cases = {signal: excess(case) for signal, case in _cases(p, arrays).items()}
        drawn["monte_carlo"] = plot_excess(cases, reference=RIDGE, title=title)
    return drawn


STUDY = Study(Params, run, report, figures)
