"""Samples as a table of text."""

import importlib.util
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Float

from .extras import bayes


if TYPE_CHECKING:
    from .samples import Samples


# Lines of a table, the rest is counted.
_LINES = 40
_LEVELS = (0.05, 0.5, 0.95)


def table(samples: "Samples") -> str:
    """Moments and quantiles of every number, with the course of the run above them."""
    values = np.asarray(jax.vmap(samples.target.scalars)(samples.particles), float)
    labels = samples.target.labels(samples.particles[0])
    columns = {
        "mean": [mean for mean, _ in samples.summary().values()],
        "sd": [std for _, std in samples.summary().values()],
    }
    if not samples.signed:
        found = quantiles(values, np.asarray(samples.weights, float))
        columns |= {
            f"{100 * level:g}%": list(row)
            for level, row in zip(_LEVELS, found, strict=True)
        }
    columns |= _mixing(samples)
    shown = labels[:_LINES]
    cells = {
        name: [_number(value) for value in column[:_LINES]]
        for name, column in columns.items()
    }
    wide = max(map(len, shown))
    widths = {name: max(len(name), *map(len, column)) for name, column in cells.items()}
    lines = [
        _course(samples),
        " " * wide + "".join(f"  {name:>{width}}" for name, width in widths.items()),
    ]
    for i, label in enumerate(shown):
        row = "".join(f"  {cells[name][i]:>{width}}" for name, width in widths.items())
        lines.append(f"{label:<{wide}}{row}")
    if len(labels) > _LINES:
        lines.append(f"... and {len(labels) - _LINES} more; see summary().")
    return "\n".join(lines)


def quantiles(
    values: Float[np.ndarray, "n p"], weights: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "3 p"]:
    """The smallest values that hold each share of the weight."""
    order = np.argsort(values, axis=0)
    summed = np.cumsum(weights[order], axis=0)
    ranked = np.take_along_axis(values, order, axis=0)
    # A share that is met up to rounding is met.
    at = [np.argmax(summed >= level * summed[-1] - 1e-9, axis=0) for level in _LEVELS]
    return np.stack([ranked[i, np.arange(values.shape[1])] for i in at])


def _course(samples: "Samples") -> str:
    """The first line: who sampled what."""
    n, calls = len(samples.particles), f"{samples.evaluations:,} evaluations"
    if samples.signed:
        return f"{samples.method}: {n} nodes of a quadrature, {calls}"
    chains = samples.chain_states()
    if chains is not None:
        said = f"{chains.shape[0]} chains of {chains.shape[1]} draws"
        if samples.acceptance is not None:
            said += f", acceptance {float(samples.acceptance):.2f}"
    else:
        said = f"{n} particles"
        if not samples.equal:
            said += f", effective {float(samples.ess):.1f}"
            if _has_stats() and np.isfinite(k := samples.pareto_k):
                said += f", Pareto k {k:.2f}"
    return f"{samples.method}: {said}, {calls}"


def _has_stats() -> bool:
    return importlib.util.find_spec("arviz_stats") is not None


def _mixing(samples: "Samples") -> dict[str, list[float]]:
    """Effective sizes and r_hat of chains, where ArviZ is there to find them."""
    states = samples.chain_states()
    if states is None or states.shape[1] < 4 or not _has_stats():
        return {}
    stats = bayes("arviz_stats.base", "Samples").array_stats
    draws = np.asarray(jax.vmap(jax.vmap(samples.target.scalars))(states), float)
    each = np.moveaxis(draws, -1, 0)
    return {
        "ess": [float(stats.ess(one, method="bulk")) for one in each],
        "r_hat": [float(stats.rhat(one)) for one in each],
    }


def _number(value: float) -> str:
    return f"{value:.4g}"
