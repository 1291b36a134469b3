"""One continuous solve by Diffrax, between jumps or as a whole."""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from wflow.flows import AbstractContinuousFlow, KineticTerm

from .leapfrog import DampedLeapfrog
from .noise import StepNoise
from .results import RESULTS


class Method(NamedTuple):
    """How to integrate: a solver, its steps (None is fixed) and an adjoint."""

    solver: diffrax.AbstractSolver
    controller: diffrax.AbstractStepSizeController | None
    adjoint: diffrax.AbstractAdjoint
    max_steps: int


def is_finite(state: PyTree[Array]) -> Bool[Array, ""]:
    """Whether every entry of a state is finite."""
    leaves = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state)]
    return jnp.all(jnp.stack(leaves))


def step_times(
    knots: Float[Array, " K"], counts: tuple[int, ...]
) -> Float[Array, " steps"]:
    """A grid that meets every knot, with ``counts[k]`` equal steps between them."""
    pieces = [
        knots[k] + (knots[k + 1] - knots[k]) * jnp.arange(n, dtype=knots.dtype) / n
        for k, n in enumerate(counts)
    ]
    return jnp.concatenate([*pieces, knots[-1:]])


class Integrated(NamedTuple):
    """States at the saved times, how the solve ended, when, and in how many steps.

    ``stopped`` says whether a stopping condition ended it; None where there was none.
    """

    states: PyTree[Array]
    result: RESULTS
    time: Float[Array, ""]
    counts: dict[str, Array]
    stopped: Bool[Array, ""] | None = None


# A stopping condition: (flow, measure, time) to a number that falls through zero.
Stop = Callable[[Any, Any, Any], Any]


def integrate(
    flow: AbstractContinuousFlow,
    mu: Any,
    t0: Float[Array, ""],
    t1: Float[Array, ""],
    save: Float[Array, " T"],
    steps: Float[Array, " steps"] | None,
    dt0: Float[Array, ""] | None,
    method: Method,
    key: PRNGKeyArray | None,
    progress: diffrax.AbstractProgressMeter | None = None,
    stop: Stop | None = None,
) -> Integrated:
    """Solve ``flow`` from ``mu`` on ``[t0, t1]``; nothing is raised.

    ``steps`` are the fixed steps' times; None is the method's own controller. After
    ``stop`` the saved states are the one where it stopped.
    """
    direction = t1 - t0
    noisy = flow.noise(mu, t0) is not None
    if isinstance(method.solver, DampedLeapfrog):
        terms = KineticTerm(flow, mu, key=key if noisy else None)
    elif not noisy:
        terms = flow.terms(mu)
    elif steps is not None:
        terms = flow.terms(mu, StepNoise(ts=steps, like=mu.state, key=key))
    else:
        terms = flow.terms(
            mu,
            diffrax.VirtualBrownianTree(
                jnp.minimum(t0, t1),
                jnp.maximum(t0, t1),
                tol=jnp.abs(t1 - t0) / 2**14,
                shape=jax.eval_shape(lambda: mu.state),
                key=key,
                levy_area=_levy_area(method.solver),
            ),
        )
    already, event, saved_at = None, None, save
    if stop is not None:
        already, condition = _stopping(stop, flow, mu, t0)
        # Bracketed by the step on which it fell through zero; scaled to start at one.
        tol = float(jnp.finfo(mu.dtype).eps) ** 0.75
        event = diffrax.Event(
            condition, _Bisection(rtol=tol, atol=tol), direction=False
        )
        if steps is None:
            t1 = jnp.where(already, t0, t1)
            saved_at = jnp.where(already, t0, save)
    elif steps is not None:
        # Diffrax itself calls a fixed-step solve successful whatever its state.
        event = diffrax.Event(lambda t, y, args, **kwargs: ~is_finite(y))
    solution = diffrax.diffeqsolve(
        terms,
        method.solver,
        t0,
        t1,
        None if steps is not None else dt0,
        mu.state,
        saveat=diffrax.SaveAt(
            subs=(
                diffrax.SubSaveAt(ts=saved_at),
                diffrax.SubSaveAt(t1=True, fn=lambda t, y, args: t),
                *([] if stop is None else [diffrax.SubSaveAt(t1=True)]),
            )
        ),
        stepsize_controller=(
            method.controller if steps is None else diffrax.StepTo(steps)
        ),
        adjoint=method.adjoint,
        event=event,
        max_steps=method.max_steps if steps is None else len(steps) - 1,
        throw=False,
        progress_meter=progress or diffrax.NoProgressMeter(),
    )
    saved: Any = solution.ys
    states, reached, *last = saved
    time = reached[-1]
    result = RESULTS.promote(solution.result)
    names = ("num_steps", "num_accepted_steps", "num_rejected_steps")
    counts = {name: solution.stats[name] for name in names}
    if stop is None:
        result = RESULTS.where(
            result == RESULTS.event_occurred, RESULTS.nonfinite_state, result
        )
        return Integrated(states, result, time, counts)
    fired: Any = solution.event_mask
    end = jax.tree.map(lambda row: row[-1], last[0])
    finite = is_finite(end)
    stopped = already | (fired & finite)
    result = RESULTS.where(fired & ~finite, RESULTS.nonfinite_state, result)
    result = RESULTS.where(stopped, RESULTS.successful, result)
    end, time = select(already, (mu.state, t0), (end, time))
    after = stopped & ((save - time) * jnp.sign(direction) >= 0)
    states = jax.tree.map(
        lambda row, rows: jnp.where(after.reshape(-1, *(1,) * row.ndim), row, rows),
        end,
        states,
    )
    return Integrated(states, result, time, counts, stopped)


def _stopping(
    stop: Stop, flow: Any, mu: Any, t0: Float[Array, ""]
) -> tuple[Bool[Array, ""], Callable[..., Array]]:
    """Whether a stopping condition holds at the start, and as one of Diffrax."""
    start = jnp.asarray(stop(flow, mu, t0))
    if start.shape != () or not jnp.issubdtype(start.dtype, jnp.floating):
        raise ValueError(
            "solve: expected stop to give one floating-point number, found "
            f"{start.dtype} of shape {start.shape}."
        )
    already = start <= 0
    size = jnp.where(already | ~jnp.isfinite(start), 1, start)
    size = jax.lax.stop_gradient(size).astype(mu.dtype)

    def condition(t: Any, y: Any, args: Any, **kwargs: Any) -> Array:
        value = stop(flow, mu.with_state(y), t) / size
        # Diffrax wants the default precision here, whatever that of the state is.
        return jnp.where(is_finite(y), value, -1).astype(jnp.result_type(float))

    return already, condition


class _Bisection(optx.Bisection):
    """Bisection of a falling function, whose argument keeps its own precision."""

    flip: bool = True

    def step(self, fn: Any, y: Array, *args: Any, **kwargs: Any) -> Any:
        new, state, aux = super().step(fn, y, *args, **kwargs)
        return new.astype(y.dtype), state, aux


def _levy_area(solver: diffrax.AbstractSolver) -> Any:
    """The least of Diffrax's Brownian increments that a solver can work with."""
    needed = getattr(solver, "minimal_levy_area", diffrax.AbstractBrownianIncrement)
    offered = (
        diffrax.BrownianIncrement,
        diffrax.SpaceTimeLevyArea,
        diffrax.SpaceTimeTimeLevyArea,
    )
    return next(increment for increment in offered if issubclass(increment, needed))


def advance(
    flow: AbstractContinuousFlow,
    mu: Any,
    t: Float[Array, ""],
    h: Float[Array, ""],
    method: Method,
    key: PRNGKeyArray,
) -> Any:
    """``mu`` one fixed step of length ``h`` later."""
    # Kept from XLA, which may round the same sum differently in two places: Diffrax
    # wants the ends of the steps to be those of the solve.
    steps = jax.lax.optimization_barrier(jnp.stack([t, t + h]))
    t, end = steps
    states = integrate(flow, mu, t, end, steps[1:], steps, None, method, key).states
    return mu.with_state(jax.tree.map(lambda leaf: leaf[0], states))


def select(where: Bool[Array, ""], new: Any, old: Any) -> Any:
    """``new`` where true, else ``old``, array by array."""
    return jax.tree.map(
        lambda a, b: jnp.where(where, a, b) if eqx.is_array(a) else a, new, old
    )
