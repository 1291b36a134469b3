"""The one entry to the solvers."""

import dataclasses
from typing import Any, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from wflow.checks import (
    cast,
    one_of,
    plain_errors,
)
from wflow.flows import AbstractContinuousFlow
from wflow.flows.base import AbstractFlow
from wflow.measures import AbstractMeasure
from wflow.measures.base import Moving
from wflow.parameters.learnable import unwrap

from .integrate import Integrated, Method, Stop
from .padding import filled, first, traced
from .problem import Problem, check_parts, ended_early, problem_of, run, told_times
from .results import RESULTS, SolveError
from .solution import Solution
from .times import Times, read_times


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
    flow's arrays, in ``mu0`` and, where the law is smooth, in the times. Other numbers
    of steps and of saved times compile no other program, up to the next power of two
    and from 64 on; but saved times do where the saved states have 2^20 numbers or more.

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
    one_of("solve", "throw", throw, (True, False))
    options: dict[str, Any] = {
        "solver": solver,
        "dt0": dt0,
        "stepsize_controller": stepsize_controller,
        "adjoint": adjoint,
        "splitting": splitting,
        "stop": stop,
        "max_steps": max_steps,
        "progress": progress,
    }
    check_parts(flow, mu0, key, **options)
    dtype = mu0.dtype
    if jnp.finfo(dtype).bits < 32:
        # Times, tolerances and sums of small steps need more digits than half has.
        start = cast(mu0, jnp.float32)
        more = {"times": times, "key": key, "throw": throw}
        whole = solve(flow, start, t0, t1, **more, **options)
        return dataclasses.replace(whole, measures=cast(whole.measures, dtype))
    when = read_times(t0, t1, times, dtype)
    flow = cast(unwrap(flow), dtype)
    problem, key = problem_of(flow, mu0, when, key, **options)
    asked, rows = None if when.blurred else when.asked, None
    if isinstance(flow, AbstractContinuousFlow) and not traced(flow, mu0, key, problem):
        saves = times is not None
        problem, asked, rows = filled(problem, asked, mu0.state, saves)
    with plain_errors():
        measures, done, reached, asked, successful = _solve(
            flow, mu0, key, asked, problem
        )
    if rows is not None:
        measures, asked = first((measures, asked), rows)
    method = problem.method
    if throw:
        measures = _raise(measures, done, successful, method, when, flow, mu0)
    asked, reached = told_times(when, done, reached, asked, stop)
    counts = {**done.counts, "time_reached": reached}
    name = type(method.solver).__name__
    return Solution(asked, measures, done.result, flow, counts, name, done.stopped)


@eqx.filter_jit
def _solve(
    flow: AbstractFlow, mu: Moving, key: Any, asked: Any, problem: Problem
) -> tuple[Moving, Integrated, Float[Array, ""], Any, Bool[Array, ""]]:
    """The saved measures, how the solve ended and when, and whether it reached its end.

    The times that were ``asked`` for come back as arrays of JAX, sooner than by
    themselves.
    """
    done = run(flow, mu, key, problem)
    measures = eqx.filter_vmap(lambda state: mu.with_state(state))(done.states)
    done = done._replace(states=None)
    successful = done.result == RESULTS.successful
    return measures, done, problem.origin + done.time, asked, successful


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
    why = ended_early(flow, mu0, when, method, done)
    raise SolveError(f"{why} Pass throw=False to look at what was reached.")
