"""The one entry to filtering."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real

from .base import AbstractMethod
from .models import StateSpace
from .observations import check_observed
from .online import (
    FilterState,
    Record,
    check_method,
    check_ready,
    cycle,
    init,
    matched,
)
from .result import FilterResult, check_ended


def filter(
    model: StateSpace,
    method: AbstractMethod,
    observations: Float[ArrayLike, "T p"],
    initial: Any,
    key: PRNGKeyArray | None = None,
    *,
    t0: Float[ArrayLike, ""] = 0.0,
    save: bool = True,
    throw: bool = True,
) -> FilterResult:
    r"""Follow a state that is observed again and again, by any method.

    The laws $p(x_k | y_1, \dots, y_k)$, $k = 1, \dots, T$, in one compiled scan over
    the cycles. Everything is differentiable that the method is; under ``jit``, ``vmap``
    and ``grad`` nothing is checked.

    Args:
        model: the state-space model; ``Learnable`` numbers in it are used as they are.
        method: ``EnKF``, ``ETKF``, ``LETKF``, ``ParticleFilter``, ``KalmanFilter``, ...
        observations: $y_k$ at times $t_0 + k\,\Delta t$, ``(T, p)``; entries that are
            nan are missing.
        initial: the law at $t_0$: an ensemble ``(n, d)`` or Particles, for some methods
            a Gaussian or a Grid; or the ``state`` of an earlier result, to go on.
        key: random key; not with a state, which has its own.
        t0: time before the first interval; not with a state.
        save: keep the laws of all cycles, not only their moments.
        throw: raise an error if a cycle ends in nan or infinity; if False, the result
            says so.

    Raises:
        ValueError: observations of another shape, or infinite; an initial law that is
            not finite or of another shape, or whose members are all the same, where the
            model has no noise; t0 not finite, or so late that the times cannot be told
            apart; a key too few or too many.
        TypeError: model or method is none, or key no random key; an initial law of
            another kind than the method's.
        FilterError: a cycle ended in nan or infinity. The result up to there is in its
            ``result``.
    """
    checks.instance("filter", "model", model, StateSpace, "a StateSpace")
    check_method("filter", method)
    checks.one_of("filter", "save", save, (True, False))
    checks.one_of("filter", "throw", throw, (True, False))
    if isinstance(initial, FilterState):
        if key is not None:
            raise ValueError("filter: a state has its key; leave key out.")
        state = eqx.tree_at(lambda s: s.ok, initial, jnp.asarray(True))
    elif key is None:
        raise ValueError("filter: expected a key.")
    else:
        checks.random_key("filter", "key", key)
        state = init(method, initial, key, t0=t0)
    observations = to_real(observations, "observations").astype(state.measure.dtype)
    if observations.ndim != 2 or len(observations) == 0:
        raise ValueError(
            "filter: expected observations of shape (T, p), T >= 1, found "
            f"{observations.shape}."
        )
    check_observed("filter", "observations", observations)
    check_ready("filter", model, method, state, len(observations))
    times, state, record = _scan(model, method, observations, state, save)
    result = FilterResult(
        times=times,
        mean=record.mean,
        variance=record.variance,
        log_evidence=record.log_evidence,
        ess=record.ess,
        measures=record.measure,
        forecast_finite=record.forecast_finite,
        finite=record.finite,
        state=state,
        name=method.name,
    )
    return check_ended(result, throw)


@eqx.filter_jit
def _scan(
    model: StateSpace,
    method: AbstractMethod,
    observations: Float[Array, "T p"],
    state: FilterState,
    save: bool,
) -> tuple[Float[Array, " T"], FilterState, Record]:
    model, method = matched(model, method, state)
    expected = "filter: expected observations"

    def body(state: FilterState, observed: Array) -> tuple[FilterState, Record]:
        after, record = cycle(model, method, state, observed, expected)
        if not save:
            record = record._replace(measure=None)
        # After a failure nothing counts, also where a cycle tried again would pass.
        masked = jax.tree.map(
            lambda leaf: (
                jnp.where(record.finite, leaf, jnp.nan)
                if jnp.issubdtype(leaf.dtype, jnp.inexact)
                else leaf
            ),
            record,
        )
        return after, masked

    # Cycles are recomputed in reverse mode: memory for the laws between them alone.
    body = jax.checkpoint(body, prevent_cse=False)
    numbers = state.cycle + jnp.arange(1, len(observations) + 1)
    times = state.t0 + numbers.astype(state.t0.dtype) * model.interval
    state, record = jax.lax.scan(body, state, observations)
    return times, state, record
