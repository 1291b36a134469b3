"""The Kalman filter."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.filtering.base import AbstractMethod
from wflow.filtering.models import StateSpace
from wflow.filtering.observations import (
    AbstractObservation,
    gaussian_log_density,
    require_gaussian,
    unless_missing,
    without_missing,
)
from wflow.filtering.transitions import AbstractMap
from wflow.measures import Gaussian, UnsupportedMeasureError


class KalmanFilter(AbstractMethod):
    r"""Kalman filter: the exact law of a linear Gaussian model, else a linearization.

    $m^f = f(m)$, $S^f = F S F^\top + BB^\top$; $m = m^f + K(y - h(m^f))$,
    $S = (I - KH) S^f (I - KH)^\top + K R K^\top$.

    F and H are the derivatives of transition and observation: for nonlinear ones this
    is the extended Kalman filter. The law is a Gaussian.

    Reference: Kalman, J. Basic Eng. 82 (1960); Jazwinski, Stochastic Processes and
    Filtering Theory (1970), theorem 8.1.
    """

    def init(self, initial: Any, key: PRNGKeyArray) -> Gaussian:
        """The law at the start, a Gaussian.

        Raises:
            UnsupportedMeasureError: ``initial`` is none.
            ValueError: its mean or covariance is not finite.
        """
        del key
        if not isinstance(initial, Gaussian):
            raise UnsupportedMeasureError(self, initial, "Gaussian")
        checks.finite(self, "initial.mean", initial.mean)
        checks.finite(self, "initial.cov", initial.cov)
        return initial

    def forecast(
        self,
        model: StateSpace,
        measure: Gaussian,
        t: Float[ArrayLike, ""],
        key: PRNGKeyArray,
    ) -> Gaussian:
        del key
        if not isinstance(model.transition, AbstractMap):
            raise TypeError(
                "KalmanFilter needs a transition without noise of its own (AbstractMap)"
                f", found {type(model.transition).__name__}; model noise goes into "
                "StateSpace(noise=)."
            )
        transition, dim = model.transition, measure.dim
        advance = lambda x: checks.returned(
            transition, "advance", transition.advance(x, t), (dim,), x.dtype
        )
        noise = model.noise_of(dim)
        slope = jax.jacfwd(advance)(measure.mean)
        cov = slope @ measure.cov @ slope.T
        if noise is not None:
            cov = cov + noise @ noise.T
        return measure.with_state((advance(measure.mean), cov))

    def log_evidence(
        self,
        measure: Gaussian,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
    ) -> Float[Array, ""]:
        r"""That of the Gaussian forecast, $\log N(y;\ h(m),\ H S H^\top + R)$."""
        observation = require_gaussian(self, observation)
        slope = jax.jacfwd(observation.mean)(measure.mean)
        cov = slope @ measure.cov @ slope.T + observation.cov
        return gaussian_log_density(observed, observation.mean(measure.mean), cov)

    def analyze(
        self,
        measure: Gaussian,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Gaussian:
        del key
        observation = require_gaussian(self, observation)
        mean, cov = measure.mean, measure.cov
        present = ~jnp.isnan(observed)
        slope = jax.jacfwd(observation.mean)(mean)
        slope = jnp.where(present[:, None], slope, 0)
        expected = observation.mean(mean)
        innovation = jnp.where(present, observed, 0) - jnp.where(present, expected, 0)
        error = without_missing(observation.cov.astype(cov.dtype), present)
        factor = jax.scipy.linalg.cho_factor(slope @ cov @ slope.T + error)
        gain = jax.scipy.linalg.cho_solve(factor, slope @ cov).T
        rest = jnp.eye(mean.shape[0], dtype=cov.dtype) - gain @ slope
        new = rest @ cov @ rest.T + gain @ error @ gain.T
        state = mean + gain @ innovation, (new + new.T) / 2
        return measure.with_state(unless_missing(observed, state, measure.state))
