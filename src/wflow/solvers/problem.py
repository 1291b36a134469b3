"""A solve as one compiled program takes it: checked, and with its method."""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import cast, count, function, instance, one_of, random_key
from wflow.flows import AbstractContinuousFlow, ResettingFlow
from wflow.flows.base import AbstractFlow, noise_kind
from wflow.flows.independent import looks_at_time
from wflow.measures import AbstractMeasure
from wflow.parameters.learnable import unwrap

from .causes import cause
from .integrate import Integrated, Method, Stop, integrate
from .methods import method_for
from .results import RESULTS
from .segments import (
    aged_step,
    lie_step,
    scan_segments,
    split,
    strang_step,
    with_clocks,
)
from .times import Times, check_first_step, given_steps, step_counts


class Problem(NamedTuple):
    """What a solve is besides flow, measure and key; times count from ``origin``.

    Attributes:
        origin: the start.
        end: the whole time.
        save: the saved times.
        dt0: the first step, with its sign.
        steps: times of fixed steps of a flow without jumps; None is adaptive.
        counts: of one with jumps the fixed steps between start, saved times and end;
            None is adaptive.
        method: solver, steps and adjoint.
        splitting: of flows with jumps.
        progress: a meter of Diffrax.
        stop: a condition that ends the solve.
    """

    origin: Float[Array, ""]
    end: Float[Array, ""]
    save: Float[Array, " T"]
    dt0: Float[Array, ""] | None
    steps: Float[Array, " steps"] | None
    counts: tuple[int, ...] | None
    method: Method
    splitting: str
    progress: diffrax.AbstractProgressMeter | None
    stop: Stop | None


def check_parts(
    flow: object,
    mu0: object,
    key: object,
    *,
    solver: object,
    dt0: Any,
    stepsize_controller: object,
    adjoint: object,
    splitting: object,
    stop: object,
    max_steps: object,
    progress: object,
) -> None:
    """Refuse what is not of the kind that the argument is for."""
    instance("solve", "flow", flow, AbstractFlow, "a flow")
    instance("solve", "mu0", mu0, AbstractMeasure, "a measure")
    if solver is not None:
        kind = diffrax.AbstractSolver
        instance("solve", "solver", solver, kind, "a solver of Diffrax, or None")
    if stepsize_controller is not None:
        kind = diffrax.AbstractStepSizeController
        what = "a step size controller of Diffrax, or None"
        instance("solve", "stepsize_controller", stepsize_controller, kind, what)
    if adjoint is not None:
        kind = diffrax.AbstractAdjoint
        instance("solve", "adjoint", adjoint, kind, "an adjoint of Diffrax, or None")
    if isinstance(adjoint, diffrax.BacksolveAdjoint):
        raise ValueError(
            "solve: BacksolveAdjoint is refused: on contracting flows its backward "
            "solve loses the early trajectory and the gradient is silently wrong. Use "
            "RecursiveCheckpointAdjoint, DirectAdjoint or ForwardMode."
        )
    if key is not None:
        random_key("solve", "key", key)
    if stop is not None:
        function("solve", "stop", stop, "a flow, a measure and a time")
    if not isinstance(progress, bool):
        kind = diffrax.AbstractProgressMeter
        instance("solve", "progress", progress, kind, "True, False or a Diffrax meter")
    one_of("solve", "splitting", splitting, ("strang", "lie"))
    count("solve", "max_steps", max_steps)
    check_first_step(dt0)


def problem_of(
    flow: AbstractFlow,
    mu0: AbstractMeasure,
    when: Times,
    key: PRNGKeyArray | None,
    *,
    solver: diffrax.AbstractSolver | None,
    dt0: ArrayLike | None,
    stepsize_controller: diffrax.AbstractStepSizeController | None,
    adjoint: diffrax.AbstractAdjoint | None,
    splitting: str,
    stop: Stop | None,
    max_steps: int,
    progress: bool | diffrax.AbstractProgressMeter,
) -> tuple[Problem, PRNGKeyArray | None]:
    """The problem of a flow in the precision of its measure, and the key that it needs.

    Options are those of ``solve``, checked one by one.

    Raises:
        ValueError: they do not go together, or with the flow.
    """
    dtype = mu0.dtype
    method, fixed = method_for(
        flow, mu0, solver, dt0, stepsize_controller, adjoint, max_steps, when
    )
    continuous, jumps = split(flow)
    # Bound, a method of a module is another module, which takes longer to make.
    type(flow).check(flow, mu0)
    if jumps and stop is not None:
        raise ValueError(
            f"solve: stop= is for flows without jumps, found {type(flow).__name__}."
        )
    stop = cast(unwrap(stop), dtype)
    random = any(jump.random for jump in jumps) or (
        continuous is not None and noise_kind(continuous, mu0) is not None
    )
    if random and key is None:
        raise ValueError(f"solve: {type(flow).__name__} is random; it needs a key.")
    if jumps and key is None:
        # Folded and split along the way, and used by no one.
        key = jax.random.key(0)
    if jumps and (when.known is None or when.known[-1] < 0):
        raise ValueError("solve: flows with jumps need t0 < t1, known outside jit.")
    counts = step_counts(when, dt0, dtype) if fixed else None
    _check_resolved(flow, mu0, when, counts)
    first = None if dt0 is None else jnp.asarray(dt0, dtype) * jnp.sign(when.span)
    steps = None
    if counts is not None and not jumps:
        steps, counts = given_steps(when, counts, dtype), None
    if progress is True:
        progress = diffrax.TqdmProgressMeter()
    problem = Problem(
        when.origin,
        when.span,
        when.save,
        first,
        steps,
        counts,
        method,
        splitting,
        progress or None,
        stop,
    )
    return problem, key


def run(
    flow: AbstractFlow,
    mu: AbstractMeasure,
    key: PRNGKeyArray | None,
    problem: Problem,
) -> Integrated:
    """The whole solve, in time since the problem's ``origin``."""
    origin, end, save, dt0, steps, counts, method, splitting, progress, stop = problem
    start = jnp.zeros_like(end)
    if isinstance(flow, AbstractContinuousFlow):
        return integrate(
            flow, mu, origin, start, end, save, steps, dt0, method, key, progress, stop
        )
    knots = jnp.concatenate([start[None], save, end[None]])
    assert key is not None  # jumps have one
    substeps = 1 if counts is None else max(counts)
    kept, ends = _intervals(knots, counts or (1,) * (len(knots) - 1))
    if isinstance(flow, ResettingFlow) and flow.exact(mu):
        rest, clocks = jax.random.split(key)
        resets = flow.since(origin).schedule(mu, ends, clocks)
        step = aged_step(resets, method, None if counts is None else substeps)
        substeps = 1
    else:
        continuous, jumps = split(flow)
        jumps, rest = with_clocks(jumps, mu, origin, ends, substeps, key)
        one_step = strang_step if splitting == "strang" else lie_step
        step = one_step(continuous, jumps, method, origin)
    done = scan_segments(step, mu, ends, substeps, rest, progress)
    # Saved at t0: the start; and the last knot is t1, saved or not.
    last = np.searchsorted(kept, np.arange(len(save)), side="right")
    states = jax.tree.map(
        lambda first, rest: jnp.concatenate([first[None], rest])[last],
        mu.state,
        done.states,
    )
    return done._replace(states=states)


def _intervals(
    knots: Float[Array, " K"], counts: tuple[int, ...]
) -> tuple[list[int], Float[Array, " k"]]:
    """The intervals that are not empty (a saved end), and their ends."""
    kept = [k for k, n in enumerate(counts) if n > 0]
    return kept, jnp.stack([knots[k] for k in kept] + [knots[-1]])


def _check_resolved(
    flow: AbstractFlow, mu: AbstractMeasure, when: Times, counts: tuple[int, ...] | None
) -> None:
    """Refuse a law that depends on time where its precision merges the steps' times."""
    if when.known is None or when.start is None:
        return
    gaps = np.abs(when.known[1:] - when.known[:-1])
    steps = np.asarray(1.0 if counts is None else counts)
    some = gaps * steps > 0
    shortest = (gaps / np.where(some, steps, 1))[some].min()
    if counts is None:
        shortest = min(shortest, abs(when.known[-1]) / 100)
    latest = max(abs(when.start), abs(when.start + when.known[-1]))
    place = float(jnp.finfo(mu.dtype).eps) * latest
    continuous, jumps = split(flow)
    laws = [] if continuous is None else [continuous]
    # The clocks of resets count from wherever a solve begins.
    laws += [jump for jump in jumps if not isinstance(jump, ResettingFlow)]
    if place > shortest and any(looks_at_time(law, mu) for law in laws):
        raise ValueError(
            f"solve: {type(flow).__name__} depends on time, and {mu.dtype.name} tells "
            f"times around {latest:.12g} apart by {place:.3g} only; count times from a "
            "later origin, or take float64."
        )


def told_times(
    when: Times, done: Integrated, reached: Any, asked: Any, stop: Stop | None
) -> tuple[Any, Any]:
    """The saved times and the one reached as a solution tells them.

    ``done`` and ``reached`` may have a leading axis of solves; then what comes back has
    it. ``asked`` are the saved times as the program gives them back, if it does.
    """
    if when.blurred and when.start is not None and not isinstance(reached, Tracer):
        reached = when.start + np.asarray(done.time, np.float64)
    if asked is None:
        asked = when.asked
    elif isinstance(asked, Tracer):
        asked = jnp.asarray(when.asked)  # still known while a program is traced
    if stop is not None:
        time, stopped = done.time[..., None], done.stopped[..., None]
        after = stopped & ((when.save - time) * jnp.sign(when.span) >= 0)
        asked = jnp.where(after, reached[..., None], asked)
    return asked, reached


def ended_early(
    flow: AbstractFlow,
    mu0: AbstractMeasure,
    when: Times,
    method: Method,
    done: Integrated,
) -> str:
    """A sentence on why one solve ended early, when, and after how many steps."""
    solver, controller = type(method.solver).__name__, method.controller
    time, steps = float(done.time), int(done.counts["num_steps"])
    reason = cause(flow, mu0, when.origin, done.last, controller)
    reason = reason or RESULTS[done.result]
    return (
        f"{reason} {solver} stopped at t = {when.told(time)} after {steps} steps, on "
        f"the way from {when.told(0.0)} to {when.told(float(when.span))}."
    )
