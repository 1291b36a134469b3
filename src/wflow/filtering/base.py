"""What a filter is: the law of a state, forecast and analyzed in turn."""

import abc
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.measures import Particles
from wflow.measures.resampling import resampled

from .ensembles import ensemble
from .observations import (
    AbstractObservation,
    GaussianObservation,
    gaussian_log_density,
)


class Model(Protocol):
    """What methods use of a model; ``StateSpace`` is one."""

    @property
    def observation(self) -> AbstractObservation:
        """The law of an observation given the state."""
        ...

    def step(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        """The state one observation interval after time ``t``."""
        ...


class AbstractMethod(eqx.Module):
    r"""A way to carry the law of the state from one observation to the next.

    The forecast turns $p(x_{k-1}|y_{1:k-1})$ into $p(x_k|y_{1:k-1})$, the analysis this
    into $p(x_k|y_{1:k})$. By default the law is an ensemble, whose members the model
    moves one by one.
    """

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return type(self).__name__

    def init(self, initial: Any, key: PRNGKeyArray) -> Any:
        """The law at the start.

        Args:
            initial: an ensemble ``(n, d)``, or Particles (unequal weights are made
                equal by systematic resampling).
            key: random key.

        Raises:
            ValueError: not such an ensemble, or one that is not finite.
        """
        measure = ensemble(self, initial)
        if not isinstance(initial, Particles):
            return measure
        unequal = jnp.any(measure.logw != measure.logw[0])
        return resampled(key, measure.normalized(), unequal)

    def check_model(self, model: Model, measure: Any) -> None:
        """Refuse a model that the method cannot use from this law, where that is known.

        ``filter`` and ``assimilate`` ask before anything is compiled. By default every
        model will do.
        """

    def forecast(
        self,
        model: Model,
        measure: Any,
        t: Float[ArrayLike, ""],
        key: PRNGKeyArray,
    ) -> Any:
        """The law one observation interval after time ``t``."""
        keys = jax.random.split(key, measure.n)
        x = jax.vmap(model.step, (0, None, 0))(measure.x, t, keys)
        return measure.with_state((x, measure.logw))

    def log_evidence(
        self,
        measure: Any,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
    ) -> Float[Array, ""]:
        r"""How likely an observation was before it came, $\log p(y_k | y_{1:k-1})$.

        Under the forecast ``measure``. By default that of the Gaussian with the
        forecast's moments of the expected observation; nan for observations that have
        no Gaussian errors.
        """
        if not isinstance(observation, GaussianObservation):
            return jnp.full((), jnp.nan, measure.dtype)
        weights = measure.normalized().w
        seen = jax.vmap(observation.mean)(measure.x)
        mean = weights @ seen
        dy = seen - mean
        # Unbiased for equal weights.
        cov = (weights[:, None] * dy).T @ dy / (1 - weights @ weights)
        return gaussian_log_density(observed, mean, cov + observation.cov)

    @abc.abstractmethod
    def analyze(
        self,
        measure: Any,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Any:
        """The law given ``observed``, of which entries that are nan are missing."""


def check_number(owner: object, name: str, value: ArrayLike) -> None:
    """Refuse what is not one number above zero.

    Raises:
        ValueError: it is not.
    """
    checks.positive(owner, name, value)
    checks.shape(owner, name, value, ())
