"""Reset times, drawn before the motion or found along it."""

import math
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray, PyTree

from wflow import checks
from wflow.checks import known
from wflow.flows import (
    AbstractContinuousFlow,
    AbstractRenewalLaw,
    ResettingFlow,
)
from wflow.measures import Point, UnsupportedMeasureError
from wflow.solvers import solve

from .known_resets import KnownResets


# A hazard: the value of a Point and the age to resets per time.
Hazard = Callable[[Any, Array], ArrayLike]


class Resets(eqx.Module):
    """The resets of a path.

    ``flow_with(flow)`` follows the path through them at any saved times.

    Attributes:
        epochs: when, in order, padded by infinity.
        before: states just before each; nothing of meaning where padded.
        complete: whether there was room for all of them.
    """

    epochs: Float[Array, "*shape m"]
    before: PyTree[Array] | None
    complete: Bool[Array, ""]

    def flow_with(self, flow: ResettingFlow) -> ResettingFlow:
        """``flow``, reset at these times.

        Raises:
            TypeError: ``flow`` is no ResettingFlow.
        """
        checks.instance(self, "flow", flow, ResettingFlow, "a ResettingFlow")
        return ResettingFlow(flow.flow, KnownResets(self.epochs), flow.origin)


def drawn_resets(
    law: AbstractRenewalLaw,
    t0: ArrayLike,
    t1: ArrayLike,
    *,
    key: PRNGKeyArray,
    shape: tuple[int, ...] = (),
    max_resets: int | None = None,
) -> Resets:
    """Resets of independent clocks of age zero at ``t0``, drawn before any motion.

    There is room for ``max_resets`` of each; None takes eight standard deviations more
    than the mean, and needs a law that is known, of finite variance.

    Raises:
        TypeError: a law that is none, a shape or ``max_resets`` that are not whole.
        ValueError: times that are not finite or not in order, room that cannot be
            chosen, or was too little (where that is known; else read ``complete``).
    """
    owner = "drawn_resets"
    checks.instance(owner, "law", law, AbstractRenewalLaw, "a renewal law")
    t0, t1 = _times(owner, t0, t1)
    if not isinstance(shape, tuple | list):
        raise TypeError(
            f"{owner}: expected shape to be a tuple of whole numbers, found "
            f"{type(shape).__name__}."
        )
    for size in shape:
        checks.count(owner, "shape", size, 0)
    if max_resets is not None:
        checks.count(owner, "max_resets", max_resets)
    span = jnp.asarray(t1, jnp.result_type(float)) - t0
    if max_resets is None:
        mean, cv2, total = known(law.mean), known(law.cv2), known(span)
        if mean is None or cv2 is None or total is None or not math.isfinite(cv2):
            raise ValueError(
                "drawn_resets: the number of resets is bounded only for a law of "
                "finite variance and times that are known outside jit; give max_resets."
            )
        count = float(total / mean)
        spread = math.sqrt((count + 1) * max(float(cv2), 0.1))
        max_resets = math.ceil(count + 8 * spread + 8 * max(float(cv2), 1))
    times = jnp.cumsum(law.sample(key, (*shape, max_resets)), axis=-1)
    complete = jnp.all(times[..., -1] > span)
    if known(complete) is not None and not complete:
        raise ValueError(
            f"drawn_resets: max_resets = {max_resets} resets do not reach from {t0} "
            f"to {t1}; give more."
        )
    return Resets(t0 + jnp.where(times <= span, times, jnp.inf), None, complete)


def _times(owner: str, t0: ArrayLike, t1: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """Both, refused unless they are numbers in order."""
    for name, time in (("t0", t0), ("t1", t1)):
        checks.shape(owner, name, checks.to_real(time, name), ())
        checks.finite(owner, name, time)
    first, last = known(t0), known(t1)
    if first is not None and last is not None and first > last:
        raise ValueError(f"{owner}: expected t0 <= t1, found t0 = {t0}, t1 = {t1}.")
    return t0, t1


class _HazardFlow(AbstractContinuousFlow):
    """A flow of a Point beside the integral of a hazard since the last reset."""

    flow: AbstractContinuousFlow
    hazard: Hazard
    start: Array

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        value, total = mu.value
        rate = jnp.asarray(self.hazard(value, t - self.start), total.dtype)
        return self.flow.velocity(Point(value), t), rate


def found_resets(
    flow: ResettingFlow,
    start: Point,
    t0: ArrayLike,
    t1: ArrayLike,
    *,
    key: PRNGKeyArray,
    max_resets: int,
    hazard: Hazard | None = None,
    stepsize_controller: diffrax.AbstractStepSizeController | None = None,
) -> Resets:
    r"""Resets found as events along the motion of a Point, and the states before them.

    With ``hazard`` $\lambda(\theta, a)$, a function of the value and the age, the next
    reset comes when $\int\lambda\,ds$ reaches an exponential draw of mean one: resets
    may depend on the state. Without, when the age reaches a draw of the flow's law.

    Raises:
        TypeError: a flow that is no ResettingFlow, a hazard that is no function, or
            ``max_resets`` that is not whole.
        UnsupportedMeasureError: not a Point.
        ValueError: times that are not finite or not in order, a flow with noise,
            neither a hazard nor a renewal law, or a hazard that is not one number >= 0
            at the start; later on, it is not looked at.
    """
    owner = "found_resets"
    checks.instance(owner, "flow", flow, ResettingFlow, "a ResettingFlow")
    t0, t1 = _times(owner, t0, t1)
    checks.count(owner, "max_resets", max_resets)
    if not isinstance(start, Point):
        raise UnsupportedMeasureError(flow, start, "Point, where events are found")
    if flow.flow.noise(start) is not None:
        raise ValueError(
            f"found_resets: expected a flow without noise, found "
            f"{type(flow.flow).__name__}; drawn_resets needs none."
        )
    law = flow.law
    if hazard is None and not isinstance(law, AbstractRenewalLaw):
        raise ValueError(
            f"found_resets: expected a hazard or a renewal law, found neither in "
            f"{type(law).__name__}."
        )
    dtype = start.dtype
    if hazard is not None:
        checks.function(owner, "hazard", hazard, "the value and the age")
        first = checks.one_number(
            owner, "hazard", hazard(start.value, jnp.zeros((), dtype))
        )
        checks.non_negative(owner, "hazard", first)
    begin, end = jnp.asarray(t0, dtype), jnp.asarray(t1, dtype)
    zero = jnp.zeros((), dtype)

    def one(carry: tuple[Any, Array], key: PRNGKeyArray) -> tuple[Any, Any]:
        state, now = carry
        if hazard is None:
            assert isinstance(law, AbstractRenewalLaw)
            rate, needed = lambda value, age: jnp.ones_like(age), law.sample(key)
        else:
            rate, needed = hazard, jax.random.exponential(key, (), dtype)
        needed = needed.astype(dtype)
        moving = _HazardFlow(flow.flow, rate, now)
        solution = solve(
            moving,
            Point((start.with_state(state).value, zero)),
            now,
            end,
            stop=lambda flow, mu, t: needed - mu.value[1],
            stepsize_controller=stepsize_controller,
            throw=False,
        )
        last = solution[-1].state[0]
        rang = solution.stopped
        time = jnp.where(rang, solution.stats["time_reached"], end)
        back = flow.reset(start.with_state(last), rang).state
        return (back, time), (jnp.where(rang, time, jnp.inf), last)

    carry, (epochs, before) = jax.lax.scan(
        one, (start.state, begin), jax.random.split(key, max_resets)
    )
    return Resets(epochs, before, carry[1] >= end)
