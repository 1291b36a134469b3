"""Flows with jumps: a scan over segments."""

from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.flows import AbstractContinuousFlow, AbstractJumpFlow, ResettingFlow
from wflow.flows.aged import AgedFlow
from wflow.flows.base import AbstractFlow
from wflow.flows.resetting import ScheduledResets
from wflow.flows.sums import SplitFlow, SumFlow
from wflow.measures.base import AbstractMeasure, Moving

from .integrate import Integrated, Method, advance, integrate
from .results import RESULTS, SUCCESSFUL
from .steps import is_finite
from .times import step_times


# A step of a whole flow: (measure, time, length, key) to the measure after it.
_Step = Callable[[Any, Array, Array, PRNGKeyArray], Any]


def split(
    flow: AbstractFlow,
) -> tuple[AbstractContinuousFlow | None, tuple[AbstractJumpFlow, ...]]:
    """The continuous part of a flow, if any, and its jumps."""
    continuous: list[AbstractContinuousFlow] = []
    jumps: list[AbstractJumpFlow] = []
    for part in flow.parts if isinstance(flow, SplitFlow) else (flow,):
        match part:
            case ResettingFlow():
                continuous.append(part.flow)
                jumps.append(part)
            case AbstractJumpFlow():
                jumps.append(part)
            case AbstractContinuousFlow():
                continuous.append(part)
            case _:
                raise TypeError(
                    f"{type(part).__name__}: expected a flow with a velocity or jumps."
                )
    if len(continuous) > 1:
        continuous = [SumFlow(tuple(continuous))]
    return (continuous[0] if continuous else None), tuple(jumps)


def scan_segments(
    step: _Step,
    mu: AbstractMeasure,
    knots: Float[Array, " K"],
    substeps: int,
    key: PRNGKeyArray,
    progress: diffrax.AbstractProgressMeter | None,
) -> Integrated:
    """``step(mu, t, h, key)`` over equal substeps between knots; saves at the knots."""
    meter = progress or diffrax.NoProgressMeter()
    total = (knots.shape[0] - 1) * substeps
    step = jax.checkpoint(step)

    def substep(carry: tuple, k: Array) -> tuple[tuple, None]:
        state, bad_time, meter_state, interval = carry
        start, end = knots[interval], knots[interval + 1]
        h = (end - start) / substeps
        number = interval * substeps + k
        t = start + k * h
        state = step(mu.with_state(state), t, h, jax.random.fold_in(key, number)).state
        failed = ~is_finite(state) & ~jnp.isfinite(bad_time)
        bad_time = jnp.where(failed, t + h, bad_time)
        done = (number + 1).astype(knots.dtype) / total
        meter_state = meter.step(meter_state, done)
        return (state, bad_time, meter_state, interval), None

    def segment(carry: tuple, interval: Array) -> tuple[tuple, Any]:
        carry, _ = jax.lax.scan(substep, (*carry, interval), jnp.arange(substeps))
        return carry[:3], carry[0]

    never = jnp.asarray(jnp.inf, knots.dtype)
    (_, bad_time, meter_state), states = jax.lax.scan(
        segment, (mu.state, never, meter.init()), jnp.arange(knots.shape[0] - 1)
    )
    meter.close(meter_state)
    failed = jnp.isfinite(bad_time)
    result = RESULTS.where(failed, RESULTS.nonfinite_state, SUCCESSFUL)
    count = jnp.asarray(total)
    time = jnp.where(failed, bad_time, knots[-1])
    stopped = jnp.asarray(False)
    return Integrated(states, result, time, {"num_steps": count}, stopped)


def _jump(
    jump: AbstractJumpFlow,
    mu: Any,
    origin: Array,
    t: Array,
    h: Array,
    key: PRNGKeyArray,
) -> Any:
    """The jumps of ``[t, t + h]``; drawn clocks count from ``origin`` as t does."""
    at = t if isinstance(jump, ScheduledResets) else origin + t
    return jump.jump(mu, at, h, key)


def strang_step(
    continuous: AbstractContinuousFlow | None,
    jumps: tuple[AbstractJumpFlow, ...],
    method: Method,
    origin: Float[Array, ""],
) -> _Step:
    """One step of the splitting: continuous, jumps, the same backwards."""

    def step(mu: Moving, t: Array, h: Array, key: PRNGKeyArray) -> Moving:
        keys = iter(jax.random.split(key, 2 * len(jumps) + 1))
        if continuous is not None:
            mu = advance(continuous, mu, origin, t, h / 2, method, next(keys))
        for jump in jumps[:-1]:
            mu = _jump(jump, mu, origin, t, h / 2, next(keys))
        mu = _jump(jumps[-1], mu, origin, t, h, next(keys))
        for jump in reversed(jumps[:-1]):
            mu = _jump(jump, mu, origin, t + h / 2, h / 2, next(keys))
        if continuous is not None:
            mu = advance(continuous, mu, origin, t + h / 2, h / 2, method, next(keys))
        return mu

    return step


def lie_step(
    continuous: AbstractContinuousFlow | None,
    jumps: tuple[AbstractJumpFlow, ...],
    method: Method,
    origin: Float[Array, ""],
) -> _Step:
    """One step of the splitting: continuous, then each jump, whole."""

    def step(mu: Moving, t: Array, h: Array, key: PRNGKeyArray) -> Moving:
        keys = iter(jax.random.split(key, len(jumps) + 1))
        if continuous is not None:
            mu = advance(continuous, mu, origin, t, h, method, next(keys))
        for jump in jumps:
            mu = _jump(jump, mu, origin, t, h, next(keys))
        return mu

    return step


def with_clocks(
    jumps: tuple[AbstractJumpFlow, ...],
    mu: AbstractMeasure,
    origin: Float[Array, ""],
    ends: Float[Array, " K+1"],
    substeps: int,
    key: PRNGKeyArray,
) -> tuple[tuple[AbstractJumpFlow, ...], PRNGKeyArray]:
    """The jumps with the clocks of all resets drawn, and the key of all the rest.

    Clocks have a memory, so they are drawn at once; the jumps of a splitting come by
    halves of substeps.
    """
    if not any(isinstance(jump, ResettingFlow) for jump in jumps):
        return jumps, key
    key, clocks = jax.random.split(key)
    halves = step_times(ends, (2 * substeps,) * (ends.shape[0] - 1))
    drawn = tuple(
        jump.since(origin).schedule(mu, halves, jax.random.fold_in(clocks, number))
        if isinstance(jump, ResettingFlow)
        else jump
        for number, jump in enumerate(jumps)
    )
    return drawn, key


def aged_step(resets: ScheduledResets, method: Method, num_steps: int | None) -> _Step:
    """Exact resetting of particles that move as if alone, over a scheduled interval."""

    def step(mu: Any, t: Array, h: Array, key: PRNGKeyArray) -> Any:
        moved, was_reset = resets.moved(t + h / 2)
        start = resets.resetting.reset(mu, was_reset)
        aged = AgedFlow(resets.resetting.flow, moved)
        zero, one = jnp.zeros_like(h), jnp.ones_like(h)
        steps = None
        if num_steps is not None:
            steps = jnp.linspace(zero, one, num_steps + 1, dtype=h.dtype)
        states = integrate(
            aged, start, zero, zero, one, one[None], steps, None, method, key
        ).states
        return start.with_state(jax.tree.map(lambda leaf: leaf[0], states))

    return step
