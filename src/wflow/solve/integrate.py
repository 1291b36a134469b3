"""One continuous solve by Diffrax, between jumps or as a whole."""

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
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
    """States at the saved times, how the solve ended, when, and in how many steps."""

    states: PyTree[Array]
    result: RESULTS
    time: Float[Array, ""]
    counts: dict[str, Array]


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
) -> Integrated:
    """Solve ``flow`` from ``mu`` on ``[t0, t1]``; nothing is raised.

    ``steps`` are the fixed steps' times; None is the method's own controller.
    """
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
    event = None
    if steps is not None:
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
                diffrax.SubSaveAt(ts=save),
                diffrax.SubSaveAt(t1=True, fn=lambda t, y, args: t),
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
    states, reached = saved
    result = RESULTS.promote(solution.result)
    result = RESULTS.where(
        result == RESULTS.event_occurred, RESULTS.nonfinite_state, result
    )
    names = ("num_steps", "num_accepted_steps", "num_rejected_steps")
    counts = {name: solution.stats[name] for name in names}
    return Integrated(states, result, reached[-1], counts)


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
    end = t + h
    steps = jnp.stack([t, end])
    states = integrate(flow, mu, t, end, end[None], steps, None, method, key).states
    return mu.with_state(jax.tree.map(lambda leaf: leaf[0], states))


def select(where: Bool[Array, ""], new: Any, old: Any) -> Any:
    """``new`` where true, else ``old``, array by array."""
    return jax.tree.map(
        lambda a, b: jnp.where(where, a, b) if eqx.is_array(a) else a, new, old
    )
