"""What a filter is: the law of a state, forecast and analysed in turn."""

import abc
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.measures import Particles, resampled
from wflow.parameters import Learnable

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
        return resampled(key, measure.normalised(), unequal)

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
        r"""$\log p(y_k | y_{1:k-1})$ under the forecast ``measure``.

        By default that of the Gaussian with the forecast's moments of the expected
        observation; nan for observations that have no Gaussian errors.
        """
        if not isinstance(observation, GaussianObservation):
            return jnp.full((), jnp.nan, measure.dtype)
        weights = measure.normalised().w
        seen = jax.vmap(observation.mean)(measure.x)
        mean = weights @ seen
        dy = seen - mean
        # Unbiased for equal weights.
        cov = (weights[:, None] * dy).T @ dy / (1 - weights @ weights)
        return gaussian_log_density(observed, mean, cov + observation.cov)

    @abc.abstractmethod
    def analyse(
        self,
        measure: Any,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Any:
        """The law given ``observed``, of which entries that are nan are missing."""


def ensemble(owner: object, initial: Any) -> Particles:
    """``initial`` as Particles, of equal weights if it is an array ``(n, d)``.

    Raises:
        ValueError: of another shape, of less than two members, or not finite.
    """
    if not isinstance(initial, Particles):
        if np.ndim(initial) != 2:
            raise ValueError(
                f"{type(owner).__name__}: expected initial of shape (n, d) or "
                f"Particles, found {_described(initial)}."
            )
        initial = Particles.from_samples(initial)
    if initial.n < 2:
        raise ValueError(
            f"{type(owner).__name__}: expected an initial ensemble of at least 2 "
            f"members, found {initial.n}."
        )
    if not isinstance(initial.x, Tracer):
        finite = np.isfinite(np.asarray(initial.x)).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{type(owner).__name__}: {int((~finite).sum())} of {initial.n} "
                "members of initial are not finite, the first is "
                f"{int(np.argmin(finite))}."
            )
    return initial


def inflated(
    x: Float[Array, "n d"], inflation: Float[ArrayLike, ""]
) -> Float[Array, "n d"]:
    r"""$x_i \leftarrow \bar x + \lambda (x_i - \bar x)$, the mean unchanged."""
    # In this form nothing moves, to the bit, where the inflation is one.
    return x + (jnp.asarray(inflation, x.dtype) - 1) * (x - jnp.mean(x, axis=0))


def check_inflation(owner: object, inflation: Array) -> None:
    """Refuse an inflation that is not a positive number.

    Raises:
        ValueError: it is not.
    """
    if isinstance(inflation, Tracer | jax.ShapeDtypeStruct | Learnable):
        return
    if np.shape(inflation) != () or not 0 < float(inflation) < np.inf:
        raise ValueError(
            f"{type(owner).__name__}: expected inflation > 0, found {inflation}."
        )


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {value.shape}"
    return type(value).__name__
