"""One cycle of a filter at a time, with a state that can be saved and resumed."""

import os
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real
from wflow.learning.checkpoint import read, write
from wflow.measures import AbstractMeasure, Gaussian, Grid, Particles
from wflow.parameters.learnable import unwrap

from .base import AbstractMethod
from .ensembles import no_spread
from .models import StateSpace, check_clock
from .observations import check_observed
from .transitions import AbstractMap


class FilterState(eqx.Module):
    """All that a filter needs to go on.

    Attributes:
        measure: the law of the state after the last analysis.
        cycle: how many observations it has seen.
        t0: the time before the first.
        key: random key, the same in every cycle (its number is folded in).
        ok: whether the law was finite in every cycle so far; if not, this is the state
            before the cycle that failed.

    Raises:
        ValueError: cycle or ok is no number, t0 not finite, or cycle negative.
        TypeError: measure is none.
    """

    measure: Any
    cycle: Int[Array, ""]
    t0: Float[Array, ""]
    key: PRNGKeyArray
    ok: Bool[Array, ""]

    def __check_init__(self) -> None:
        checks.instance(self, "measure", self.measure, AbstractMeasure, "a measure")
        for name in ("cycle", "t0", "ok"):
            checks.shape(self, name, getattr(self, name), ())
        checks.non_negative(self, "cycle", self.cycle)
        checks.within(self, "ok", self.ok, 0, 1)
        checks.finite(self, "t0", self.t0)

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


def init(
    method: AbstractMethod,
    initial: Any,
    key: PRNGKeyArray,
    *,
    t0: Float[ArrayLike, ""] = 0.0,
) -> FilterState:
    """The state of a filter before its first observation, to be carried on by hand.

    A law in half precision is carried on in single precision.

    Args:
        method: how the law is carried and corrected, such as ``EnKF()``.
        initial: the law at time t0, as for ``filter``: an ensemble, a Gaussian or a
            Grid.
        key: random key, of which the filter's draws are made.
        t0: the time of ``initial``.

    Raises:
        ValueError: an initial law that is not finite or of another shape, or t0 is no
            finite number.
        TypeError: method is none, or its law is of another kind than initial; key is no
            random key.
    """
    check_method("init", method)
    checks.shape("init", "t0", t0, ())
    checks.finite("init", "t0", t0)
    checks.random_key("init", "key", key)
    init_key, key = jax.random.split(key)
    measure = method.init(initial, init_key)
    if jnp.finfo(measure.dtype).bits < jnp.finfo(jnp.float32).bits:
        # Shorter floats have no linear algebra.
        measure = checks.cast(measure, jnp.float32)
    return FilterState(
        measure,
        jnp.zeros((), int),
        jnp.asarray(t0, measure.dtype),
        key,
        jnp.asarray(True),
    )


def assimilate(
    model: StateSpace,
    method: AbstractMethod,
    state: FilterState,
    observed: Float[ArrayLike, " p"],
) -> FilterState:
    """Take in one more observation: forecast up to it, then correct by it.

    ``filter`` over several observations does the same. A cycle that ends in nan or
    infinity leaves the state as it was, with ``ok`` False, and so do all after it;
    ``filter`` from that state tries again.

    What is known is looked at as in ``filter``; in a scan or under ``jit`` nothing is.

    Args:
        model: the system that is observed.
        method: how the law is carried and corrected; the one that ``init`` was given.
        state: the filter's state after the last observation.
        observed: the observation, ``(p,)``; nan where a component is missing.

    Raises:
        ValueError: observed of another shape, or infinite; a law of identical members
            that no observation can move; times that their precision cannot tell apart.
        TypeError: model, method or state is none.
    """
    check_ready("assimilate", model, method, state, 1)
    observed = to_real(observed, "observed").astype(state.measure.dtype)
    checks.shape("assimilate", "observed", observed, ("p",))
    check_observed("assimilate", "observed", observed[None])
    return _assimilate(model, method, state, observed)


@eqx.filter_jit
def _assimilate(
    model: StateSpace,
    method: AbstractMethod,
    state: FilterState,
    observed: Float[Array, " p"],
) -> FilterState:
    model, method = matched(model, method, state)
    return cycle(model, method, state, observed, "assimilate: expected observed")[0]


def matched(
    model: StateSpace, method: AbstractMethod, state: FilterState
) -> tuple[StateSpace, AbstractMethod]:
    """Model and method with all their real numbers in the dtype of the state."""
    return checks.cast(unwrap((model, method)), state.measure.dtype)


def check_method(owner: str, method: Any) -> None:
    """Refuse what is no filter.

    Raises:
        TypeError: it is none.
    """
    checks.instance(owner, "method", method, AbstractMethod, "a filter")


def check_ready(
    owner: str, model: Any, method: Any, state: FilterState, cycles: int
) -> None:
    """Refuse what can be known, before anything is compiled, to go wrong.

    Raises:
        ValueError: the law is one single state that nothing spreads, or the times of so
            many cycles cannot be told apart.
        TypeError: model, method or state is none.
    """
    checks.instance(owner, "model", model, StateSpace, "a StateSpace")
    check_method(owner, method)
    checks.instance(owner, "state", state, FilterState, "a FilterState")
    last = checks.known(state.cycle)
    last = None if last is None else last + cycles
    unwrapped = unwrap(model)
    check_clock(owner, unwrapped, state.t0, last, state.t0.dtype)
    method.check_model(unwrapped, state.measure)
    noise = None if model.noise is None else checks.known(model.noise)
    still = model.noise is None or (noise is not None and not noise.any())
    if not (still and isinstance(model.transition, AbstractMap)):
        return
    if what := no_spread(state.measure):
        raise ValueError(
            f"{owner}: {what}, and the model has no noise that would spread it: no "
            "observation can move it. Spread initial, or set StateSpace(noise=...)."
        )


def cycle(
    model: StateSpace,
    method: AbstractMethod,
    state: FilterState,
    observed: Float[Array, " p"],
    expected: str,
) -> tuple[FilterState, Record]:
    """One forecast and one analysis; ``expected`` begins the sentence on shapes.

    Raises:
        ValueError: a step changes the shape of the state, or ``observed`` has not that
            of an observation.
    """
    _check_shapes(model, state, observed, expected)
    key = jax.random.fold_in(state.key, state.cycle)
    forecast_key, analysis_key = jax.random.split(key)
    before = state.cycle.astype(state.t0.dtype) * model.interval
    forecast = method.forecast(model, state.measure, state.t0 + before, forecast_key)
    evidence = method.log_evidence(forecast, observed, model.observation)
    measure = method.analyze(forecast, observed, model.observation, analysis_key)
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
    model: StateSpace,
    state: FilterState,
    observed: Float[Array, " p"],
    expected: str,
) -> None:
    # Nothing is computed, and in compiled code it happens once.
    x = jax.ShapeDtypeStruct((state.measure.dim,), state.measure.dtype)
    eqx.filter_eval_shape(model.step, x, state.t0, state.key)
    observation = model.observation
    one = eqx.filter_eval_shape(observation.simulate, x, state.key)
    if len(one.shape) != 1 or jnp.issubdtype(one.dtype, jnp.complexfloating):
        raise ValueError(
            f"{type(observation).__name__}: expected simulate to return real numbers "
            f"of shape (p,), found {one.dtype} of shape {one.shape}."
        )
    if observed.shape != one.shape:
        raise ValueError(
            f"{expected} of {one.shape[0]} components, as the model gives, found "
            f"{observed.shape[0]}."
        )


def _finite(measure: Any) -> Bool[Array, ""]:
    leaves = jax.tree.leaves(measure.state)
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


def _moments(measure: Any) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
    """Mean and variances; of particles the unbiased ones for equal weights."""
    match measure:
        case Particles():
            weights = measure.normalized().w
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
