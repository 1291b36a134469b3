"""What a filter is: the law of a state, forecast and analysed in turn."""

import abc
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real
from wflow.measures import Gaussian, Particles, resampled
from wflow.measures.particles import LOG_ZERO

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
        TypeError: it is no array of numbers.
    """
    name = type(owner).__name__
    if isinstance(initial, Particles):
        members = initial.n
    else:
        if np.ndim(initial) != 2:
            raise ValueError(
                f"{name}: expected initial of shape (n, d) or Particles, found "
                f"{_described(initial)}."
            )
        initial = checks.at_least_single(to_real(initial, "initial"))
        members = len(initial)
    if members < 2:
        raise ValueError(
            f"{name}: expected an initial ensemble of at least 2 members, found "
            f"{members}."
        )
    if not isinstance(initial, Particles):
        initial = Particles.from_samples(initial)
    x, logw = checks.known(initial.x), checks.known(initial.logw)
    if x is not None:
        finite = np.isfinite(x).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{name}: {int((~finite).sum())} of {initial.n} members of initial are "
                f"not finite, the first is {int(np.argmin(finite))}."
            )
    top = None if logw is None else np.max(logw)
    if top is not None and not LOG_ZERO < top < np.inf:
        raise ValueError(
            f"{name}: expected weights of initial that are finite and not all 0, found "
            f"the largest logarithm {top:g}."
        )
    return initial


def no_spread(measure: Any) -> str | None:
    """In what way a law that is known is one single state; None if it is none.

    Members differ if they do so by more than rounding.
    """
    if isinstance(measure, Gaussian):
        cov = checks.known(measure.cov)
        one = cov is not None and not np.diagonal(cov).any()
        return "the covariance of initial is zero" if one else None
    if not isinstance(measure, Particles):
        return None
    x, logw = checks.known(measure.x), checks.known(measure.logw)
    if x is None or logw is None:
        return None
    if identical(x[np.exp(logw - np.max(logw)) > 0]):
        return f"all {len(x)} members of initial are identical"
    return None


def identical(rows: np.ndarray) -> bool:
    """Whether all rows are the same but for rounding."""
    rounding = 8 * np.finfo(rows.dtype).eps * np.abs(rows).max(axis=0, initial=0)
    return bool((np.ptp(rows, axis=0) <= rounding).all())


def inflated(
    x: Float[Array, "n d"], inflation: Float[ArrayLike, ""]
) -> Float[Array, "n d"]:
    r"""$x_i \leftarrow \bar x + \lambda (x_i - \bar x)$, the mean unchanged."""
    # In this form nothing moves, to the bit, where the inflation is one.
    return x + (jnp.asarray(inflation, x.dtype) - 1) * (x - jnp.mean(x, axis=0))


def check_inflation(owner: object, inflation: Array) -> None:
    """Refuse an inflation that is not one positive number.

    Raises:
        ValueError: it is not.
    """
    checks.positive(owner, "inflation", inflation)
    checks.shape(owner, "inflation", inflation, ())


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {value.shape}"
    return type(value).__name__
