"""One cycle of a filter at a time, with a state that can be saved and resumed."""

import os
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from wflow.learning.checkpoint import read, write
from wflow.measures import Gaussian, Grid, Particles
from wflow.parameters import unwrap

from .base import AbstractMethod
from .models import StateSpace


class FilterState(eqx.Module):
    """All that a filter needs to go on.

    Attributes:
        measure: the law of the state after the last analysis.
        cycle: how many observations it has seen.
        t0: the time before the first.
        key: random key, the same in every cycle (its number is folded in).
        ok: whether the law was finite in every cycle so far; if not, this is the state
            before the cycle that failed.
    """

    measure: Any
    cycle: Int[Array, ""]
    t0: Float[Array, ""]
    key: PRNGKeyArray
    ok: Bool[Array, ""]

    def save(self, path: str | os.PathLike) -> None:
        """Write to ``path``, by a temporary file that is renamed."""
        write(path, {"kind": "filter", "cycle": int(self.cycle)}, self)

    def load(self, path: str | os.PathLike) -> "FilterState":
        """The state in ``path``, of the same shapes as this one.

        Raises:
            ValueError: not a file of ``save``, or of another shape.
        """
        return read(path, self)


class Record(NamedTuple):
    """What is kept of a cycle."""

    mean: Float[Array, " d"]
    variance: Float[Array, " d"]
    log_evidence: Float[Array, ""]
    ess: Float[Array, ""]
    measure: Any
    forecast_finite: Bool[Array, ""]
    finite: Bool[Array, ""]


def start(
    method: AbstractMethod,
    initial: Any,
    key: PRNGKeyArray,
    *,
    t0: Float[ArrayLike, ""] = 0.0,
) -> FilterState:
    """The state before the first observation; see ``filter`` for the arguments."""
    init_key, key = jax.random.split(key)
    measure = method.init(initial, init_key)
    return FilterState(
        measure,
        jnp.zeros((), int),
        jnp.asarray(t0, measure.dtype),
        key,
        jnp.asarray(True),
    )


@eqx.filter_jit
def assimilate(
    model: StateSpace,
    method: AbstractMethod,
    state: FilterState,
    observed: Float[Array, " p"],
) -> FilterState:
    """The state after one more observation: forecast, then analysis.

    ``filter`` over several observations does the same. A cycle that ends in nan or
    infinity leaves the state as it was, with ``ok`` False, and so do all after it;
    ``filter`` from that state tries again.
    """
    model, method = matched(model, method, state)
    observed = jnp.asarray(observed, state.measure.dtype)
    return cycle(model, method, state, observed)[0]


def matched(
    model: StateSpace, method: AbstractMethod, state: FilterState
) -> tuple[StateSpace, AbstractMethod]:
    """Model and method with all their numbers in the dtype of the state."""
    dtype = state.measure.dtype
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf,
        unwrap((model, method)),
    )


def cycle(
    model: StateSpace,
    method: AbstractMethod,
    state: FilterState,
    observed: Float[Array, " p"],
) -> tuple[FilterState, Record]:
    """One forecast and one analysis.

    Raises:
        ValueError: a step changes the shape of the state, or ``observed`` has not that
            of an observation.
    """
    _check_shapes(model, state, observed)
    key = jax.random.fold_in(state.key, state.cycle)
    forecast_key, analysis_key = jax.random.split(key)
    before = state.cycle.astype(state.t0.dtype) * model.interval
    forecast = method.forecast(model, state.measure, state.t0 + before, forecast_key)
    evidence = method.log_evidence(forecast, observed, model.observation)
    measure = method.analyse(forecast, observed, model.observation, analysis_key)
    forecast_finite = state.ok & _finite(forecast)
    finite = forecast_finite & _finite(measure)
    mean, variance = _moments(measure)
    ess = measure.ess if isinstance(measure, Particles) else jnp.nan
    kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), measure, state.measure)
    after = FilterState(kept, state.cycle + finite, state.t0, state.key, finite)
    record = Record(
        mean,
        variance,
        evidence,
        jnp.asarray(ess, mean.dtype),
        measure,
        forecast_finite,
        finite,
    )
    return after, record


def _check_shapes(
    model: StateSpace, state: FilterState, observed: Float[Array, " p"]
) -> None:
    # Nothing is computed, and in compiled code it happens once.
    mu = state.measure
    shape = mu.mean.shape if isinstance(mu, Gaussian) else (mu.dim,)
    x = jax.ShapeDtypeStruct(shape, mu.dtype)
    end = eqx.filter_eval_shape(model.step, x, state.t0, state.key)
    if end.shape != shape:
        raise ValueError(
            f"filter: the model takes a state of shape {shape} to {end.shape}."
        )
    one = eqx.filter_eval_shape(model.observation.simulate, x, state.key)
    if observed.shape != one.shape:
        raise ValueError(
            f"filter: expected an observation of shape {one.shape}, found "
            f"{observed.shape}."
        )


def _finite(measure: Any) -> Bool[Array, ""]:
    leaves = jax.tree.leaves(measure.state)
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


def _moments(measure: Any) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
    """Mean and variances; of particles the unbiased ones for equal weights."""
    match measure:
        case Particles():
            weights = measure.normalised().w
            mean = weights @ measure.x
            variance = weights @ (measure.x - mean) ** 2
            # A single particle that holds all the weight has no spread.
            rest = 1 - weights @ weights
            alone = rest < jnp.finfo(rest.dtype).eps
            return mean, jnp.where(alone, 0, variance / jnp.where(alone, 1, rest))
        case Gaussian():
            return measure.mean, jnp.diagonal(measure.cov)
        case Grid():
            return measure.mean, jnp.diagonal(measure.cov)
    raise TypeError(
        f"filter: no moments of {type(measure).__name__}; expected Particles, Gaussian "
        "or Grid."
    )
