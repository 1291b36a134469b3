"""One continuous solve by Diffrax, between jumps or as a whole."""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray, PyTree

from wflow.flows import AbstractContinuousFlow
from wflow.flows.damped_leapfrog import DampedLeapfrog, KineticTerm
from wflow.measures import AbstractMeasure, Phase
from wflow.measures.base import Moving

from .noise import StepNoise
from .results import RESULTS, SUCCESSFUL
from .steps import GivenSteps, is_finite


class Method(NamedTuple):
    """How to integrate: a solver, its steps (None is fixed) and an adjoint."""

    solver: diffrax.AbstractSolver
    controller: diffrax.AbstractStepSizeController | None
    adjoint: diffrax.AbstractAdjoint
    max_steps: int


class Integrated(NamedTuple):
    """States at the saved times, how the solve ended, when, and in how many steps.

    ``last`` is the state that it ended in, where that is known. ``stopped`` says
    whether a stopping condition ended it.
    """

    states: PyTree[Array]
    result: RESULTS
    time: Float[Array, ""]
    counts: dict[str, Array]
    stopped: Bool[Array, ""]
    last: PyTree[Array] = None


def since(term: diffrax.AbstractTerm, origin: Float[Array, ""]) -> diffrax.AbstractTerm:
    """A term whose time is counted from ``origin``."""
    if isinstance(term, diffrax.MultiTerm):
        return diffrax.MultiTerm(*(since(one, origin) for one in term.terms))
    if not isinstance(term, diffrax.ODETerm | diffrax.ControlTerm):
        return _Since(term, origin)
    field = term.vector_field
    # Solvers look at the type of a term.
    return eqx.tree_at(
        lambda one: one.vector_field,
        term,
        lambda t, y, args: field(origin + t, y, args),
    )


class _Since(diffrax.AbstractTerm):
    """Any term whose time is counted from ``origin``; of noise, the field alone."""

    term: diffrax.AbstractTerm
    origin: Float[Array, ""]

    def vf(self, t: Any, y: Any, args: Any) -> Any:
        return self.term.vf(self.origin + t, y, args)

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        return self.term.contr(t0, t1, **kwargs)

    def prod(self, vf: Any, control: Any) -> Any:
        return self.term.prod(vf, control)

    def vf_prod(self, t: Any, y: Any, args: Any, control: Any) -> Any:
        return self.term.vf_prod(self.origin + t, y, args, control)


# A stopping condition: (flow, measure, time) to a number that falls through zero.
Stop = Callable[[Any, Any, Array], ArrayLike]


def integrate(
    flow: AbstractContinuousFlow,
    mu: AbstractMeasure,
    origin: Float[Array, ""],
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

    All times are counted from ``origin``, which flow and ``stop`` see added to them:
    that of the whole solve keeps its digits wherever it lies. ``steps`` are the fixed
    steps' times, the end once or several times; None is the method's own controller.
    After ``stop`` the saved states are the one where it stopped.
    """
    direction = t1 - t0
    if flow.noise(mu, origin + t0) is None:
        key = None
    if isinstance(method.solver, DampedLeapfrog) and isinstance(mu, Phase):
        terms = KineticTerm(flow, mu, key=key, origin=origin)
    elif key is None:
        terms = since(flow.terms(mu), origin)
    elif steps is not None:
        noise = StepNoise(ts=steps, like=mu.state, key=key)
        terms = since(flow.terms(mu, noise), origin)
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
        terms = since(terms, origin)
    already, event, saved_at = jnp.asarray(False), None, save
    if stop is not None:
        already, condition = _stopping(stop, flow, mu, origin, t0)
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
    controller: Any = method.controller if steps is None else GivenSteps(steps)
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
                diffrax.SubSaveAt(t1=True, fn=lambda t, y, args: (t, y)),
            )
        ),
        stepsize_controller=controller,
        adjoint=method.adjoint,
        event=event,
        max_steps=method.max_steps if steps is None else len(steps) - 1,
        throw=False,
        progress_meter=progress or diffrax.NoProgressMeter(),
    )
    saved: Any = solution.ys
    states, last = saved
    time, end = jax.tree.map(lambda row: row[-1], last)
    result = RESULTS.promote(solution.result)
    if steps is None:
        none = (time == t0) & (result != RESULTS.successful)
        result = RESULTS.where(none, RESULTS.no_first_step, result)
    names = ("num_steps", "num_accepted_steps", "num_rejected_steps")
    counts = {name: solution.stats[name] for name in names}
    if stop is None:
        result = RESULTS.where(
            result == RESULTS.event_occurred, RESULTS.nonfinite_state, result
        )
        return Integrated(states, result, time, counts, already, end)
    fired: Any = solution.event_mask
    finite = is_finite(end)
    stopped = already | (fired & finite)
    result = RESULTS.where(fired & ~finite, RESULTS.nonfinite_state, result)
    result = RESULTS.where(stopped, SUCCESSFUL, result)
    end, time = select(already, (mu.state, t0), (end, time))
    after = stopped & ((save - time) * jnp.sign(direction) >= 0)
    states = jax.tree.map(
        lambda row, rows: jnp.where(after.reshape(-1, *(1,) * row.ndim), row, rows),
        end,
        states,
    )
    return Integrated(states, result, time, counts, stopped, end)


def _stopping(
    stop: Stop,
    flow: AbstractContinuousFlow,
    mu: AbstractMeasure,
    origin: Float[Array, ""],
    t0: Float[Array, ""],
) -> tuple[Bool[Array, ""], Callable[..., Array]]:
    """Whether a stopping condition holds at the start, and as one of Diffrax."""
    start = jnp.asarray(stop(flow, mu, origin + t0))
    if start.shape != () or not jnp.issubdtype(start.dtype, jnp.floating):
        raise ValueError(
            "solve: expected stop to give one floating-point number, found "
            f"{start.dtype} of shape {start.shape}."
        )
    already = start <= 0
    size = jnp.where(already | ~jnp.isfinite(start), 1, start)
    size = jax.lax.stop_gradient(size).astype(mu.dtype)

    def condition(t: Any, y: Any, args: Any, **kwargs: Any) -> Array:
        value = stop(flow, mu.with_state(y), origin + t) / size
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
    mu: Moving,
    origin: Float[Array, ""],
    t: Float[Array, ""],
    h: Float[Array, ""],
    method: Method,
    key: PRNGKeyArray,
) -> Moving:
    """``mu`` one fixed step of length ``h`` later."""
    # Kept from XLA, which may round the same sum differently in two places: Diffrax
    # wants the ends of the steps to be those of the solve.
    steps = jax.lax.optimization_barrier(jnp.stack([t, t + h]))
    t, end = steps
    states = integrate(
        flow, mu, origin, t, end, steps[1:], steps, None, method, key
    ).states
    return mu.with_state(jax.tree.map(lambda leaf: leaf[0], states))


def select(where: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
    """``new`` where true, else ``old``, array by array."""
    return jax.tree.map(
        lambda a, b: jnp.where(where, a, b) if eqx.is_array(a) else a, new, old
    )
