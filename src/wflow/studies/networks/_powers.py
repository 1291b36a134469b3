"""Powers, by least squares of logarithms."""

from collections.abc import Sequence

import jax
import numpy as np


def fitted(x: Sequence[float], y: Sequence[float]) -> float:
    """Least squares of log y on log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def resampled_powers(
    x: Sequence[float], values: np.ndarray, key: jax.Array, resamples: int
) -> np.ndarray:
    """Powers of x in the means over seeds of ``values``, (x, seeds), drawn again."""
    n = values.shape[1]
    means = []
    for k, row in enumerate(values):
        at = jax.random.randint(jax.random.fold_in(key, k), (resamples, n), 0, n)
        means.append(row[np.asarray(at)].mean(axis=1))
    return np.polyfit(np.log(x), np.log(np.stack(means)), 1)[0]
