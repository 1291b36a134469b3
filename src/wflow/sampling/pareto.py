"""How heavy the tail of weights is."""

import numpy as np
from jaxtyping import Array, Float

from .extras import bayes


# Weights that differ by less than this, relatively, are the same.
_SAME = 1e-5
# A fit to fewer than this in the tail says nothing.
_FEWEST = 5


def pareto_k(log_weights: Float[Array, " n"]) -> float:
    """Shape of the Pareto law of the largest weights; see ``Samples.pareto_k``.

    Raises:
        ModuleNotFoundError: ArviZ is not installed.
    """
    array_stats = bayes("arviz_stats.base", "pareto_k").array_stats
    # A weight of zero is in no tail.
    logs = np.asarray(log_weights, np.float64)
    logs = logs[np.isfinite(logs)]
    if np.ptp(logs) < _SAME:
        return -np.inf
    if min(0.2 * len(logs), 3 * len(logs) ** 0.5) < _FEWEST:
        return np.nan
    weights = np.exp(logs - logs.max())
    shape = array_stats.pareto_khat(weights, chain_axis=None, r_eff=1.0, tail="right")
    return float(shape)
