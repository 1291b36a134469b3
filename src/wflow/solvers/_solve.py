"""The one entry to the solvers."""

import dataclasses
from typing import Any, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from wflow.checks import (
    cast,
    count,
    function,
    instance,
    one_of,
    plain_errors,
    random_key,
)
from wflow.flows import AbstractContinuousFlow, ResettingFlow
from wflow.flows.base import AbstractFlow, noise_kind
from wflow.flows.independent import looks_at_time
from wflow.measures import AbstractMeasure
from wflow.measures.base import Moving
from wflow.parameters.learnable import unwrap

from .causes import cause
from .integrate import Integrated, Method, Stop, integrate, step_times
from .methods import method_for
from .results import RESULTS, SolveError
from .segments import (
    aged_step,
    lie_step,
    scan_segments,
    split,
    strang_step,
    with_clocks,
)
from .solution import Solution
from .times import Times, check_first_step, read_times, step_counts


def solve(
    flow: AbstractFlow[Moving],
    mu0: Moving,
    t0: ArrayLike,
    t1: ArrayLike,
    *,
    times: Float[ArrayLike, " T"] | None = None,
    solver: diffrax.AbstractSolver | None = None,
    dt0: ArrayLike | None = None,
    stepsize_controller: diffrax.AbstractStepSizeController | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    key: PRNGKeyArray | None = None,
    splitting: Literal["strang", "lie"] = "strang",
    stop: Stop | None = None,
    max_steps: int = 4096,
    throw: bool = True,
    progress: bool | diffrax.AbstractProgressMeter = False,
) -> Solution[Moving]:
    r"""Move ``mu0`` along ``flow`` from ``t0`` to ``t1``.

    The solver is the flow's own word, ``flow.default_solver(mu0)``, and
    ``Solution.stats`` says which:

    ================================================== =================================
    second-order flows of particles                    damped leapfrog, fixed steps
    flows with noise                                   Heun, fixed steps (weak order 2)
    flows with noise that depends on the state         Euler, fixed steps (Ito)
    the same, declared Stratonovich's by the flow      Heun, fixed steps
    flows with jumps                                   Strang splitting, fixed steps
    resetting of particles that move as if alone       exact ages, one solve an interval
    all others                                         Tsit5, adaptive
    ================================================== =================================

    Fixed steps have length at most ``dt0`` (default: a hundredth of the whole) and meet
    every saved time. Everything follows the dtype of ``mu0``. Differentiable in the
    flow's arrays, in ``mu0`` and, where the law is smooth, in the times.

    A solve with ``stop`` ends where that number first falls through zero, found as a
    root in time and differentiable through it; ``Solution.stopped`` says whether.

    Args:
        flow: the law of motion; ``Learnable`` parts are replaced by their values.
        mu0: the measure at ``t0``.
        t0: start; may be later than ``t1`` for a flow without noise or jumps.
        t1: end.
        times: saved times in order between ``t0`` and ``t1``; None saves ``t1`` only.
        solver: any Diffrax solver, or ``DampedLeapfrog``.
        dt0: largest fixed step; with a ``stepsize_controller`` the first step.
        stepsize_controller: any Diffrax controller: adaptive steps, but for
            ``ConstantStepSize``, which is fixed steps. By default
            ``PIDController(rtol=1e-7, atol=1e-9)`` (1e-4, 1e-6 in float32) where steps
            are adaptive and ``dt0`` is not given.
        adjoint: ``RecursiveCheckpointAdjoint()`` (default), ``DirectAdjoint()`` or
            ``ForwardMode()``.
        key: random key, needed by noise and jumps.
        splitting: of flows with jumps: "strang" has order 2, "lie" order 1 with half
            the substeps.
        stop: function of (flow, measure, time) to the number that falls through zero;
            for flows without jumps.
        max_steps: of an adaptive solve.
        throw: raise where the solve does not reach ``t1``; else read ``result``.
        progress: True for a bar, or any Diffrax meter.

    Raises:
        ValueError: times out of order or range, a missing key, an adjoint that is wrong
            on contracting flows (``BacksolveAdjoint``), a solver for Stratonovich
            noise where it depends on the state (or the other way round), an unknown
            splitting, ``stop`` with jumps, or fixed steps whose number is not known
            outside ``jit``.
        SolveError: the solve ended early; the sentence says when.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> cloud = wf.Particles.from_samples(jnp.ones((8, 1)))
        >>> def final_mean(stiffness):
        ...     bowl = stiffness * wf.Potential(lambda x: x @ x / 2)
        ...     flow = wf.GradientFlow(bowl, wf.Wasserstein())
        ...     return wf.solve(flow, cloud, 0.0, 1.0)[-1].mean[0]
        >>> value, slope = jax.value_and_grad(final_mean)(1.0)
        >>> print(round(float(value), 3), round(float(slope), 3))
        0.368 -0.368
    """
    _check_parts(flow, mu0, solver, stepsize_controller, adjoint, key, stop, progress)
    one_of("solve", "splitting", splitting, ("strang", "lie"))
    one_of("solve", "throw", throw, (True, False))
    count("solve", "max_steps", max_steps)
    check_first_step(dt0)
    if jnp.finfo(mu0.dtype).bits < 32:
        # Times, tolerances and sums of small steps need more digits than half has.
        options = {
            "times": times,
            "solver": solver,
            "dt0": dt0,
            "stepsize_controller": stepsize_controller,
            "adjoint": adjoint,
            "key": key,
            "splitting": splitting,
            "stop": stop,
            "max_steps": max_steps,
            "throw": throw,
            "progress": progress,
        }
        whole = solve(flow, cast(mu0, jnp.float32), t0, t1, **options)
        return dataclasses.replace(whole, measures=cast(whole.measures, mu0.dtype))
    dtype = mu0.dtype
    when = read_times(t0, t1, times, dtype)
    flow = cast(unwrap(flow), dtype)

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
    if progress is True:
        progress = diffrax.TqdmProgressMeter()
    with plain_errors():
        measures, done, reached, asked, successful = _solve(
            flow,
            mu0,
            None if when.blurred else when.asked,
            when.origin,
            when.span,
            when.save,
            first,
            counts,
            method,
            splitting,
            key,
            progress or None,
            stop,
        )
    if throw:
        measures = _raise(measures, done, successful, method, when, flow, mu0)
    blurred = when.blurred and not isinstance(reached, Tracer)
    if blurred and when.start is not None:
        reached = when.start + np.asarray(done.time, np.float64)
    if asked is None:
        asked = when.asked
    elif isinstance(asked, Tracer):
        asked = jnp.asarray(when.asked)  # still known while a program is traced
    if stop is not None:
        after = done.stopped & ((when.save - done.time) * jnp.sign(when.span) >= 0)
        asked = jnp.where(after, reached, asked)
    counts = {**done.counts, "time_reached": reached}
    name = type(method.solver).__name__
    return Solution(asked, measures, done.result, flow, counts, name, done.stopped)


def _check_parts(
    flow: object,
    mu0: object,
    solver: object,
    controller: object,
    adjoint: object,
    key: object,
    stop: object,
    progress: object,
) -> None:
    """Refuse what is not of the kind that the argument is for."""
    instance("solve", "flow", flow, AbstractFlow, "a flow")
    instance("solve", "mu0", mu0, AbstractMeasure, "a measure")
    if solver is not None:
        kind = diffrax.AbstractSolver
        instance("solve", "solver", solver, kind, "a solver of Diffrax, or None")
    if controller is not None:
        kind = diffrax.AbstractStepSizeController
        what = "a step size controller of Diffrax, or None"
        instance("solve", "stepsize_controller", controller, kind, what)
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


@eqx.filter_jit
def _solve(
    flow: AbstractFlow, mu: Moving, asked: Any, origin: Any, *problem: Any
) -> tuple[Moving, Integrated, Float[Array, ""], Any, Bool[Array, ""]]:
    """The saved measures, how the solve ended and when, and whether it reached its end.

    ``problem`` is what ``_integrate`` takes beside flow, measure and origin; the times
    that were ``asked`` for come back as arrays of JAX, sooner than by themselves.
    """
    done = _integrate(flow, mu, origin, *problem)
    measures = eqx.filter_vmap(lambda state: mu.with_state(state))(done.states)
    done = done._replace(states=None)
    successful = done.result == RESULTS.successful
    return measures, done, origin + done.time, asked, successful


def _integrate(
    flow: AbstractFlow,
    mu: AbstractMeasure,
    origin: Float[Array, ""],
    end: Float[Array, ""],
    save: Float[Array, " T"],
    dt0: Float[Array, ""] | None,
    counts: tuple[int, ...] | None,
    method: Method,
    splitting: str,
    key: PRNGKeyArray | None,
    progress: diffrax.AbstractProgressMeter | None,
    stop: Stop | None,
) -> Integrated:
    """The whole solve, in time since ``origin``."""
    start = jnp.zeros_like(end)
    knots = jnp.concatenate([start[None], save, end[None]])
    if isinstance(flow, AbstractContinuousFlow):
        steps = None
        if counts is not None:
            kept, ends = _intervals(knots, counts)
            steps = step_times(ends, tuple(counts[k] for k in kept))
        return integrate(
            flow, mu, origin, start, end, save, steps, dt0, method, key, progress, stop
        )
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


def _raise(
    measures: Moving,
    done: Integrated,
    successful: Bool[Array, ""],
    method: Method,
    when: Times,
    flow: AbstractFlow,
    mu0: AbstractMeasure,
) -> Moving:
    """Refuse a solve that ended early, in a sentence where its outcome is known."""
    try:
        reached = bool(successful)
    except jax.errors.ConcretizationTypeError:
        return done.result.error_if(measures, ~successful)
    if reached:
        return measures
    solver, controller = type(method.solver).__name__, method.controller
    time, steps = float(done.time), int(done.counts["num_steps"])
    reason = cause(flow, mu0, when.origin, done.last, controller)
    reason = reason or RESULTS[done.result]
    raise SolveError(
        f"{reason} {solver} stopped at t = {when.told(time)} after {steps} steps, on "
        f"the way from {when.told(0.0)} to {when.told(float(when.span))}. Pass "
        "throw=False to look at what was reached."
    )
