"""The filter on a grid."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.filtering.base import AbstractMethod
from wflow.filtering.models import StateSpace
from wflow.filtering.observations import (
    AbstractObservation,
    log_likelihoods,
    require_likelihood,
    unless_missing,
)
from wflow.filtering.transitions import AbstractMap
from wflow.measures import Grid, UnsupportedMeasureError


class GridFilter(AbstractMethod):
    r"""The exact filter of one number, on a grid: what others are compared with.

    $\rho^f(x) = \int N(x; f(x'), BB^\top)\,\rho(x')\,dx'$, then
    $\rho \propto p(y|x)\,\rho^f(x)$.

    By the midpoint rule on the cells of a Grid, of mass one after every step: mass that
    leaves the box is lost. The model noise must be wider than a cell, or the rule does
    not see it; where that is not known beforehand, the law is then nan.
    """

    def init(self, initial: Any, key: PRNGKeyArray) -> Grid:
        """The law at the start, a Grid in one dimension.

        Raises:
            UnsupportedMeasureError: ``initial`` is none.
            ValueError: its density is negative, not finite or zero everywhere.
        """
        del key
        if not isinstance(initial, Grid) or initial.dim != 1:
            raise UnsupportedMeasureError(self, initial, "Grid in one dimension")
        checks.weights(self, "initial.density", initial.density)
        return _normalized(initial, initial.density)

    def check_model(self, model: StateSpace, measure: Grid) -> None:
        """Refuse model noise that is narrower than a cell.

        Raises:
            ValueError: it is.
        """
        noise, cell = checks.known(model.noise_of(1)), checks.known(measure.spacing)
        if noise is None or cell is None:
            return
        std = float(np.sqrt(np.sum(noise**2)))
        if not std >= cell[0]:
            raise ValueError(
                "GridFilter: expected model noise at least as wide as a cell, of "
                f"{cell[0]:.3g}, found a standard deviation of {std:.3g}; take a finer "
                "Grid."
            )

    def forecast(
        self,
        model: StateSpace,
        measure: Grid,
        t: Float[ArrayLike, ""],
        key: PRNGKeyArray,
    ) -> Grid:
        del key
        noise = model.noise_of(1)
        if not isinstance(model.transition, AbstractMap) or noise is None:
            raise TypeError(
                "GridFilter needs a transition without noise of its own (AbstractMap) "
                "and additive model noise, StateSpace(noise=)."
            )
        x, transition = measure.centers, model.transition
        advance = lambda x: checks.returned(
            transition, "advance", transition.advance(x, t), (1,), x.dtype
        )
        ends = jax.vmap(advance)(x)[:, 0]
        std = jnp.sqrt(jnp.sum(noise**2)).astype(measure.dtype)
        std = jnp.where(std >= measure.spacing[0], std, jnp.nan)
        kernel = jnp.exp(-(((x - ends) / std) ** 2) / 2)
        return _normalized(measure, kernel @ measure.density)

    def log_evidence(
        self,
        measure: Grid,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
    ) -> Float[Array, ""]:
        r"""Exact up to the grid, $\log\int p(y|x)\,\rho(x)\,dx$."""
        logs = self._log_likelihood(measure, observed, observation)
        return jax.nn.logsumexp(logs, b=measure.density * measure.cell_volume)

    def analyze(
        self,
        measure: Grid,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Grid:
        del key
        logs = self._log_likelihood(measure, observed, observation)
        # The largest is one: products that underflow do not count beside it.
        top = jnp.max(jnp.where(measure.density > 0, logs, -jnp.inf))
        likelihood = jnp.exp(jnp.minimum(logs - top, 0))
        analyzed = _normalized(measure, likelihood * measure.density).density
        return measure.with_state(unless_missing(observed, analyzed, measure.density))

    def _log_likelihood(
        self,
        measure: Grid,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
    ) -> Float[Array, " cells"]:
        observation = require_likelihood(self, observation)
        return log_likelihoods(observation, observed, measure.centers)


def _normalized(measure: Grid, density: Float[Array, " cells"]) -> Grid:
    return measure.with_state(density / (jnp.sum(density) * measure.cell_volume))
