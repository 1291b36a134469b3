"""Posteriors on a grid of the line, and ensembles beside them."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.filtering import GaussianObservation
from wflow.filtering.distances import w1_of_line

from ._contenders import mean_of


# Of the posteriors' densities.
GRID = np.linspace(-6.0, 6.0, 2401)


def posterior_on_grid(law: GaussianObservation, observed: float) -> np.ndarray:
    """Density given one observation of a standard normal state, by quadrature."""
    y = jnp.array([observed])
    along = jax.vmap(lambda state: law.log_likelihood(y, state))
    logs = np.asarray(along(jnp.asarray(GRID)[:, None])) - GRID**2 / 2
    density = np.exp(logs - logs.max())
    return density / np.trapezoid(density, GRID)


def errors_on_grid(
    members: np.ndarray, weights: np.ndarray, density: np.ndarray
) -> list[float]:
    """W1, errors of mean and standard deviation in units of the latter: their means."""
    masses = density / density.sum()
    mean = float(masses @ GRID)
    std = float(np.sqrt(masses @ (GRID - mean) ** 2))
    found = []
    for x, w in zip(members, weights, strict=True):
        own = float(w @ x)
        spread = float(np.sqrt(w @ (x - own) ** 2))
        w1 = float(w1_of_line(x, GRID, w, masses))
        found.append([w1, abs(own - mean) / std, abs(spread / std - 1)])
    return [mean_of(error) for error in np.array(found).T]
