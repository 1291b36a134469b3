"""The flow beside its limit: when it jumps, and how flat its plateaus are."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance

from .course import Course
from .jumps import JumpProcess
from .neurons import require_small


class Staircase(eqx.Module):
    r"""A course of the flow in slow time, beside the staircase of the limit.

    Attributes:
        tau: slow times $t / \log(1/\lambda)$ in order.
        loss: there.
        jumps: slow time at which each jump of the limit is halfway, $a_j^2 = R_j / 2$
            for the first time; nan where it never is, as beyond the last jump.
        limit: the jump process.
    """

    tau: Float[Array, " T"]
    loss: Float[Array, " T"]
    jumps: Float[Array, " J"]
    limit: JumpProcess

    @property
    def jump_errors(self) -> Float[Array, " J"]:
        """How far each jump is from that of the limit, in slow time; 0 beyond."""
        real = self.limit.neuron >= 0
        expected = jnp.where(real, self.limit.tau, 0)
        return jnp.where(real, jnp.abs(self.jumps - expected), 0)

    @property
    def plateau_errors(self) -> Float[Array, " J+1"]:
        """Relative error of the loss in the middle of each plateau and at the end.

        Where the limit's loss is 0 it is relative to that of no network; 0 beyond the
        last plateau.
        """
        count, levels = self.limit.count, self.limit.plateau_losses
        zero, never = jnp.zeros(1, levels.dtype), jnp.full(1, jnp.inf, levels.dtype)
        starts = jnp.concatenate([zero, self.limit.tau])
        ends = jnp.concatenate([self.limit.tau, never])
        middles = jnp.where(jnp.isfinite(ends), (starts + ends) / 2, self.tau[-1])
        loss = jnp.interp(middles, self.tau, self.loss)
        scale = jnp.where(levels > 0, levels, levels[0])
        real = jnp.arange(len(levels)) <= count
        return jnp.where(real, jnp.abs(loss - levels) / scale, 0)


def staircase(course: Course, limit: JumpProcess, log_scale: ArrayLike) -> Staircase:
    """A course from the initial scale ``exp(log_scale)`` beside its limit.

    Raises:
        ValueError: ``log_scale >= 0``.
    """
    require_small("staircase", log_scale)
    instance("staircase", "course", course, Course, "a Course")
    instance("staircase", "limit", limit, JumpProcess, "a JumpProcess")
    slow = -1 / jnp.asarray(log_scale, course.times.dtype)
    halves = half_times(course, limit)
    return Staircase(course.times * slow, course.loss, halves * slow, limit)


def half_times(course: Course, limit: JumpProcess) -> Float[Array, " J"]:
    """First time at which each jump of the limit is halfway, $a_j^2 = R_j/2$.

    Levels are cubic between the times, with the growth for slopes; nan where it never
    is.

    Raises:
        TypeError: a course or a limit that is none.
    """
    instance("half_times", "course", course, Course, "a Course")
    instance("half_times", "limit", limit, JumpProcess, "a JumpProcess")
    return _half_times(course, limit)


@eqx.filter_jit
def _half_times(course: Course, limit: JumpProcess) -> Float[Array, " J"]:
    at = jnp.maximum(limit.neuron, 0)
    real = limit.neuron >= 0
    goals = jnp.log(jnp.where(real, limit.value, 1) / 2) / 2
    levels, growth = course.neurons.level[:, at].T, course.growth[:, at].T
    found = jax.vmap(_first_crossing, (None, 0, 0, 0))(
        course.times, levels, growth, goals
    )
    return jnp.where(real, found, jnp.nan)


def _first_crossing(
    times: Float[Array, " T"],
    levels: Float[Array, " T"],
    growth: Float[Array, " T"],
    goal: Float[Array, ""],
) -> Float[Array, ""]:
    above = levels >= goal
    after = jnp.argmax(above)
    before = jnp.maximum(after - 1, 0)
    low, high = levels[before], levels[after]
    span = times[after] - times[before]
    rise = high - low

    def excess(s: Array) -> Array:
        """The cubic over the bracket at the share s, minus the goal."""
        blend = s * s * (3 - 2 * s)
        slopes = growth[before] * s * (1 - s) ** 2 - growth[after] * s * s * (1 - s)
        return low + rise * blend + span * slopes - goal

    def newton(s: Array, _: None) -> tuple[Array, None]:
        value, slope = jax.jvp(excess, (s,), (jnp.ones_like(s),))
        slope = jnp.maximum(slope, 0.1 * jnp.where(rise > 0, rise, 1))
        return jnp.clip(s - value / slope, 0, 1), None

    chord = (goal - low) / jnp.where(rise > 0, rise, 1)
    share, _ = jax.lax.scan(newton, chord, length=8)
    found = times[before] + share * span
    return jnp.where(jnp.any(above) & (rise > 0), found, jnp.nan)
