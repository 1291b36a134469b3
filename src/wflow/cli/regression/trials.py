"""Regressions that are scored against the truth, for every law and comparator."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .laws import COMPONENTS, EARLY_STOP, MIN_NORM, RIDGE, LawConfig


if TYPE_CHECKING:
    from jax import Array

    from wflow.regression.search import SpectralFilter
    from wflow.regression.spectral import SpectralData


def filters(laws: Mapping[str, LawConfig]) -> "dict[str, SpectralFilter]":
    """Ridge, the laws and early stopping, all with a mean that is still to be set."""
    from wflow.flows import Exponential
    from wflow.regression.comparators import EarlyStopping

    return {
        RIDGE: Exponential(1.0),
        **{name: law.build() for name, law in laws.items()},
        EARLY_STOP: EarlyStopping(1.0),
    }


def cross_validated(
    data: "SpectralData", laws: "Mapping[str, SpectralFilter]"
) -> "dict[str, Array]":
    """Coefficients of each law at its best mean by GCV, and of the comparators."""
    import jax
    import jax.numpy as jnp

    from wflow.regression.comparators import principal_components
    from wflow.regression.spectral import gcv, tune

    mu = data.curvature
    found: dict[str, Any] = {
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


def standard_error(values: np.ndarray) -> float:
    """Of the mean of independent values."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def paired(
    found: Mapping[str, np.ndarray], reference: str, label: str
) -> dict[str, float]:
    """Errors minus those of ``reference`` in per cent of its mean, for metrics.json.

    Both are of the same trials, so what trials have in common drops out.
    """
    metrics = {}
    for name, values in found.items():
        if name != reference:
            gap = 100 * (values - found[reference]) / found[reference].mean()
            metrics[f"excess_over_{reference}_{label}_{name}"] = float(gap.mean())
            spread = standard_error(gap)
            metrics[f"excess_over_{reference}_se_{label}_{name}"] = spread
    return metrics
