"""The stochastic ensemble Kalman filter."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import real_field
from wflow.filtering.base import AbstractMethod, check_number
from wflow.filtering.ensembles import inflated
from wflow.filtering.observations import (
    AbstractObservation,
    GaussianObservation,
    require_gaussian,
    unless_missing,
    without_missing,
)
from wflow.measures import Particles


class EnKF(AbstractMethod):
    r"""Ensemble Kalman filter: members are corrected towards perturbed observations.

    $x_i \leftarrow x_i + K (y - d_i - h(x_i))$,
    $K = X^\top Y (Y^\top Y + (n - 1) R)^{-1}$.

    X and Y are the anomalies of states and of their expected observations; the
    perturbations $d_i \sim N(0, R)$ are centered. ``inflation`` multiplies the
    anomalies afterwards.

    Raises:
        ValueError: inflation is no number > 0.

    Reference: Burgers, van Leeuwen, Evensen, Mon. Weather Rev. 126 (1998), section 3.
    """

    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        check_number(self, "inflation", self.inflation)

    def analyze(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        observation = require_gaussian(self, observation)
        x, n = measure.x, measure.n
        present = ~jnp.isnan(observed)
        seen = jnp.where(present, jax.vmap(observation.mean)(x), 0)
        perturbed = jnp.where(present, perturbations(observation, key, n), 0)
        innovations = jnp.where(present, observed, 0) - perturbed - seen
        dx, dy = x - jnp.mean(x, axis=0), seen - jnp.mean(seen, axis=0)
        cov = without_missing(observation.cov.astype(x.dtype), present)
        factor = jax.scipy.linalg.cho_factor(dy.T @ dy + (n - 1) * cov)
        moves = jax.scipy.linalg.cho_solve(factor, innovations.T).T @ (dy.T @ dx)
        analyzed = inflated(x + moves, self.inflation)
        return measure.with_state((unless_missing(observed, analyzed, x), measure.logw))


def perturbations(
    observation: GaussianObservation, key: PRNGKeyArray, n: int
) -> Float[Array, "n p"]:
    """``n`` draws of the observation error, centered, their covariance unbiased."""
    root = jnp.linalg.cholesky(observation.cov)
    draws = jax.random.normal(key, (n, observation.dim), root.dtype) @ root.T
    return (draws - jnp.mean(draws, axis=0)) * (n / (n - 1)) ** 0.5
