"""Renewal laws that a study compares with ridge, and how their regressions score."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from pydantic import AfterValidator, Field

from wflow import flows, regression
from wflow.flows import AbstractRenewalLaw, Exponential
from wflow.plotting.filters import plot_filters
from wflow.regression import SpectralData, gcv, tune
from wflow.regression.comparators import EarlyStopping, principal_components
from wflow.regression.search import SpectralFilter
from wflow.regression.spectral import equivalent_penalty
from wflow.studies import (
    HERE,
    Arrays,
    Name,
    Outcome,
    Part,
    ScoreTable,
    Spec,
    StudyParams,
    build,
    standard_error,
)


# Where renewal laws are looked up.
ROOMS = (flows, regression)

RIDGE, EARLY_STOP, MIN_NORM, COMPONENTS = "ridge", "early_stop", "min_norm", "pcr"
COMPARATORS = (RIDGE, EARLY_STOP, MIN_NORM, COMPONENTS)


def law_of(spec: Spec, place: str = HERE) -> AbstractRenewalLaw:
    """The law of a config, brought to mean 1: only its shape is told."""
    law = build(spec, ROOMS, AbstractRenewalLaw, place, mean=1.0, rate=1.0)
    return law.with_mean(1.0)


def _buildable(spec: Spec) -> Spec:
    law_of(spec)
    return spec


def _free(laws: dict[str, Spec]) -> dict[str, Spec]:
    taken = sorted(set(laws) & set(COMPARATORS))
    if taken:
        raise ValueError(
            f"{taken[0]} is the name of a comparator, which is always there."
        )
    return laws


Law = Annotated[
    Spec,
    Part(*ROOMS, of=AbstractRenewalLaw, needs=["mean", "rate"]),
    AfterValidator(_buildable),
]
# By the names that tables and metrics have.
Laws = Annotated[dict[Name, Law], Field(min_length=1)]


class LawsParams(StudyParams):
    """What every study of several laws has.

    Attributes:
        laws: renewal laws, each a shape: its mean is chosen.
    """

    laws: Annotated[Laws, AfterValidator(_free)]

    @property
    def filters(self) -> dict[str, SpectralFilter]:
        """Ridge, the laws and early stopping, with a mean that is still to be set."""
        laws = {name: law_of(spec) for name, spec in self.laws.items()}
        return {RIDGE: Exponential(1.0), **laws, EARLY_STOP: EarlyStopping(1.0)}

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Of ``filters``, in their order."""
        return (RIDGE, *self.laws, EARLY_STOP)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that ``cross_validated`` finds."""
        return (*self.filter_names, MIN_NORM, COMPONENTS)


def cross_validated(
    data: SpectralData, laws: Mapping[str, SpectralFilter]
) -> dict[str, jax.Array]:
    """Coefficients of each law at its best mean by GCV, and of the comparators."""
    mu = data.curvature
    found = {
        name: data.coefficients(tune(data, law).law.filter(mu))
        for name, law in laws.items()
    }
    found[MIN_NORM] = data.coefficients(jnp.where(mu > 0, 1.0, 0.0))
    kept = jax.vmap(lambda count: principal_components(mu, count))(
        jnp.arange(len(mu) + 1)
    )
    # As many components as samples leave nothing to validate on.
    free = data.samples - data.spent - jnp.sum(kept, axis=1) > 0.5
    scores = jnp.where(free, jax.vmap(lambda h: gcv(data, h))(kept), jnp.inf)
    found[COMPONENTS] = data.coefficients(kept[jnp.argmin(scores)])
    return found


def filter_arrays(laws: Mapping[str, SpectralFilter]) -> dict[str, jax.Array]:
    """Filters at equal means and at equal slopes, and the ridge that shrinks alike."""
    mu = jnp.logspace(-4, 4, 161)
    slopes = []
    for law in laws.values():
        slope = law.filter_ratio(0.0)
        # A law of infinite slope has no match.
        finite = jnp.isfinite(slope)
        matched = law.with_mean(1 / jnp.where(finite, slope, 1.0)).filter(mu)
        slopes.append(jnp.where(finite, matched, jnp.nan))
    return {
        "mu": mu,
        "filter": jnp.stack([law.filter(mu) for law in laws.values()]),
        "filter_at_slope": jnp.stack(slopes),
        "penalty": jnp.stack([equivalent_penalty(law, mu) for law in laws.values()]),
    }


def filters_figure(p: LawsParams, arrays: Arrays) -> Figure:
    """The curves of ``filter_arrays``."""
    named = {
        key: dict(zip(p.filter_names, arrays[key], strict=True))
        for key in ("filter", "filter_at_slope", "penalty")
    }
    return plot_filters(
        arrays["mu"],
        {
            "equal means": named["filter"],
            "equal slopes at zero": named["filter_at_slope"],
        },
        named["penalty"],
        reference=RIDGE,
        dashed=(EARLY_STOP,),
    )


# Names, and a row of errors for each of them, ridge first; all of the same trials.
Case = tuple[Sequence[str], Float[np.ndarray, "names trials"]]


def excess(case: Case) -> dict[str, tuple[float, float]]:
    """Errors minus ridge's in per cent of its mean, with their standard error.

    What trials have in common drops out.
    """
    names, errors = case
    gaps = 100 * (errors[1:] - errors[0]) / errors[0].mean()
    return {
        name: (float(gap.mean()), standard_error(gap))
        for name, gap in zip(names[1:], gaps, strict=True)
    }


def compared(title: str, cases: Mapping[str, Case]) -> Outcome:
    """Mean test errors of every case, ridge's first, and which filter is best."""
    metrics, remarks = {}, []
    names = dict.fromkeys(name for found, _ in cases.values() for name in found)
    rows: dict[str, list[float | None]] = {name: [] for name in names}
    for case, (found, errors) in cases.items():
        gains = excess((found, errors))
        means = dict(zip(found, errors.mean(1).tolist(), strict=True))
        metrics |= {f"test_error_{case}_{name}": mean for name, mean in means.items()}
        for name, row in rows.items():
            row.append(means.get(name))
        for name, (gap, spread) in gains.items():
            metrics[f"excess_over_{RIDGE}_{case}_{name}"] = gap
            metrics[f"excess_over_{RIDGE}_se_{case}_{name}"] = spread
        best = min(means, key=means.__getitem__)
        remark = f"{case}: {best} is best"
        if best != RIDGE:
            gap, spread = gains[best]
            remark += f", {-gap:.2g} % below ridge (standard error {spread:.2g})"
        remarks.append(f"{remark}.")
    return Outcome(metrics, [ScoreTable(title, tuple(cases), rows, ())], remarks)
