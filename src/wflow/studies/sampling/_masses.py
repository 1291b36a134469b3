"""Masses of the modes of a mixture over time, of particles and on a grid."""

import warnings
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from wflow.measures import GaussianMixture, Grid
from wflow.sampling import sample
from wflow.sampling.methods.base import AbstractMethod
from wflow.sampling.privacy.mechanism import kl_flow
from wflow.solvers import solve
from wflow.studies import NonNegative, Positive

from ._boxes import Box


# Saved times of the curves.
_SAVES = 60


class Masses(NamedTuple):
    """Masses of the modes ``(runs, T, k)`` at times ``(T,)``."""

    masses: np.ndarray
    times: np.ndarray


class Domain(Box):
    """A box without flux, and the flow on it.

    Attributes:
        cells: on every axis.
        time: at which the flow ends.
        alpha: strength of the transport.
        beta: strength of the reaction.
    """

    cells: Annotated[int, Field(ge=8)] = 64
    time: Positive
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0


def mass_errors(masses: np.ndarray, law: GaussianMixture) -> np.ndarray:
    """Half the sum of |mass - weight| over the modes at the end, ``(runs,)``."""
    weights = np.asarray(law.weights)
    return np.abs(masses[:, -1] - weights / weights.sum()).sum(-1) / 2


def sampled_masses(
    law: GaussianMixture,
    method: AbstractMethod,
    shares: Sequence[float],
    n: int,
    keys: jax.Array,
) -> tuple[Masses, list[str]]:
    """Of a method's particles, which count for the nearest mean, and its warnings.

    Args:
        law: the target.
        method: that samples it.
        shares: of the particles that start in each component, ``(k,)``.
        n: number of particles.
        keys: one a run.
    """
    counts = np.round(np.cumsum([0.0, *shares]) * n).astype(int)
    labels = np.repeat(np.arange(len(shares)), np.diff(counts))
    roots = jnp.linalg.cholesky(law.covs)

    @jax.jit
    def masses(x: jax.Array, w: jax.Array) -> jax.Array:
        return _binned(law, x, w)

    found, times, said = [], np.zeros(0), {}
    for each in keys:
        start_key, key = jax.random.split(each)
        z = jax.random.normal(start_key, (n, law.means.shape[1]))
        start = law.means[labels] + jnp.einsum("nij,nj->ni", roots[labels], z)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            samples = sample(
                law.log_density, start, method=method, key=key, saves=_SAVES
            )
        said |= dict.fromkeys(str(w.message) for w in caught)
        w = jax.vmap(lambda mu: mu.normalized().w)(samples.history)
        first = masses(start, jnp.full(len(start), 1 / len(start)))
        late = jax.vmap(masses)(samples.history.x, w)
        found.append(np.concatenate([np.asarray(first)[None], np.asarray(late)]))
        times = np.concatenate([[0.0], np.asarray(samples.times)])
    return Masses(np.stack(found), times), list(said)


def grid_masses(
    law: GaussianMixture, shares: Sequence[float], domain: Domain
) -> Masses:
    """Of the flow of the density itself, from the mixture with weights ``shares``.

    Args:
        law: the target.
        shares: masses of the components at the start, ``(k,)``.
        domain: on which it is solved.
    """
    start = eqx.tree_at(lambda law: law.weights, law, jnp.asarray(shares))
    d = law.means.shape[1]
    low, high = jnp.full(d, domain.low), jnp.full(d, domain.high)
    shape = (domain.cells,) * d
    initial = Grid.from_log_density(start.log_density, low, high, shape, "no-flux")
    centers = initial.centers.reshape(-1, d)
    times = np.linspace(0, domain.time, _SAVES + 1)
    flow = kl_flow(law.log_density, domain.alpha, domain.beta)
    solution = solve(flow, initial, 0.0, domain.time, times=times, max_steps=100_000)

    def masses(mu: Any) -> jax.Array:
        return _binned(law, centers, mu.density.reshape(-1) * mu.cell_volume)

    return Masses(np.asarray(jax.vmap(masses)(solution.measures))[None], times)


def _binned(law: GaussianMixture, x: jax.Array, w: jax.Array) -> jax.Array:
    """Weight of the points ``(n, d)`` that are nearest to each mean."""
    near = jnp.argmin(jnp.sum((x[:, None] - law.means) ** 2, -1), 1)
    return jnp.zeros(len(law.means), w.dtype).at[near].add(w)
