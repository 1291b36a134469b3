"""The one entry to the solvers."""

import math
from typing import Any, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow.flows import (
    AbstractContinuousFlow,
    AbstractFlow,
    LagrangianFlow,
    LangevinFlow,
    ResettingFlow,
    split_growth,
)
from wflow.measures import AbstractMeasure, Particles, Phase
from wflow.parameters import unwrap

from .integrate import Integrated, Method, Stop, integrate, step_times
from .leapfrog import DampedLeapfrog
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


# Fixed steps of a solve whose dt0 is not given.
_DEFAULT_STEPS = 100
# Relative and absolute tolerance of adaptive solves, by precision.
_TOLERANCES = {4: (1e-4, 1e-6), 8: (1e-7, 1e-9)}


def solve(
    flow: AbstractFlow,
    mu0: AbstractMeasure,
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
) -> Solution:
    r"""Move ``mu0`` along ``flow`` from ``t0`` to ``t1``.

    The solver is chosen by flow and measure, and ``Solution.stats`` says which:

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
    """
    if not isinstance(mu0, AbstractMeasure):
        raise TypeError(
            f"solve: expected mu0 to be a measure, found {type(mu0).__name__}."
        )
    if isinstance(adjoint, diffrax.BacksolveAdjoint):
        raise ValueError(
            "solve: BacksolveAdjoint is refused: on contracting flows its backward "
            "solve loses the early trajectory and the gradient is silently wrong. Use "
            "RecursiveCheckpointAdjoint, DirectAdjoint or ForwardMode."
        )
    if splitting not in ("strang", "lie"):
        raise ValueError(
            f"solve: expected splitting 'strang' or 'lie', found {splitting!r}."
        )
    dtype = mu0.dtype
    flow = _cast(unwrap(flow), dtype)
    if isinstance(times, list | tuple):
        traced = any(isinstance(time, jax.core.Tracer) for time in times)
        times = jnp.stack(list(times)) if traced else np.asarray(times)
    knots = _knots(t0, t1, times)
    start, end = jnp.asarray(t0, dtype), jnp.asarray(t1, dtype)
    save = end[None] if times is None else jnp.asarray(times, dtype)

    method, fixed = _method(
        flow, mu0, solver, dt0, stepsize_controller, adjoint, max_steps
    )
    continuous, jumps = split(flow)
    if jumps and stop is not None:
        raise ValueError(
            f"solve: stop= is for flows without jumps, found {type(flow).__name__}."
        )
    stop = _cast(unwrap(stop), dtype)
    random = any(jump.random for jump in jumps) or (
        continuous is not None and continuous.noise(mu0, start) is not None
    )
    if random and key is None:
        raise ValueError(f"solve: {type(flow).__name__} is random; it needs a key.")
    if jumps and key is None:
        # Folded and split along the way, and used by no one.
        key = jax.random.key(0)
    if jumps and (knots is None or knots[0] > knots[-1]):
        raise ValueError("solve: flows with jumps need t0 < t1, known outside jit.")
    counts = _step_counts(knots, dt0) if fixed else None
    first = None if dt0 is None else jnp.asarray(dt0, dtype)
    if progress is True:
        progress = diffrax.TqdmProgressMeter()
    done = _solve(
        flow,
        mu0,
        start,
        end,
        save,
        first,
        counts,
        method,
        splitting,
        key,
        progress or None,
        stop,
    )
    measures = _stack(mu0, done.states)
    result = done.result
    name = type(method.solver).__name__
    if throw:
        measures = _raise(measures, done, name, start, end)
    counts_and_time = {**done.counts, "time_reached": done.time}
    stopped = jnp.asarray(False) if done.stopped is None else done.stopped
    after = stopped & ((save - done.time) * jnp.sign(end - start) >= 0)
    save = jnp.where(after, done.time, save)
    return Solution(save, measures, result, flow, counts_and_time, name, stopped)


@eqx.filter_jit
def _solve(
    flow: Any,
    mu: Any,
    start: Any,
    end: Any,
    save: Any,
    dt0: Any,
    counts: tuple[int, ...] | None,
    method: Method,
    splitting: str,
    key: Any,
    progress: Any,
    stop: Any,
) -> Integrated:
    knots = jnp.concatenate([start[None], save, end[None]])
    if isinstance(flow, AbstractContinuousFlow):
        steps = None
        if counts is not None:
            kept, ends = _intervals(knots, counts)
            steps = step_times(ends, tuple(counts[k] for k in kept))
        return integrate(
            flow, mu, start, end, save, steps, dt0, method, key, progress, stop
        )
    substeps = 1 if counts is None else max(counts)
    kept, ends = _intervals(knots, counts or (1,) * (len(knots) - 1))
    if isinstance(flow, ResettingFlow) and flow.separable(mu):
        key, clocks = jax.random.split(key)
        resets = flow.schedule(mu, ends, clocks)
        step = aged_step(resets, method, None if counts is None else substeps)
        substeps = 1
    else:
        continuous, jumps = split(flow)
        jumps, key = with_clocks(jumps, mu, ends, substeps, key)
        one_step = strang_step if splitting == "strang" else lie_step
        step = one_step(continuous, jumps, method)
    done = scan_segments(step, mu, ends, substeps, key, progress)
    # Saved at t0: the start; and the last knot is t1, saved or not.
    last = np.searchsorted(kept, np.arange(len(save)), side="right")
    states = jax.tree.map(
        lambda first, rest: jnp.concatenate([first[None], rest])[last],
        mu.state,
        done.states,
    )
    return done._replace(states=states)


def _intervals(knots: Any, counts: tuple[int, ...]) -> tuple[list[int], Any]:
    """The intervals that are not empty (a saved end), and their ends."""
    kept = [k for k, n in enumerate(counts) if n > 0]
    return kept, jnp.stack([knots[k] for k in kept] + [knots[-1]])


def _method(
    flow: AbstractFlow,
    mu: AbstractMeasure,
    solver: diffrax.AbstractSolver | None,
    dt0: ArrayLike | None,
    controller: diffrax.AbstractStepSizeController | None,
    adjoint: diffrax.AbstractAdjoint | None,
    max_steps: int,
) -> tuple[Method, bool]:
    """The method, and whether its steps are fixed."""
    # Left to Diffrax, constant steps would end in nan and call it a success.
    constant = isinstance(controller, diffrax.ConstantStepSize)
    controller = None if constant else controller
    continuous, jumps = split(flow)
    noisy = continuous is not None and continuous.noise(mu) is not None
    kinetic = (
        isinstance(mu, Phase)
        and isinstance(mu.measure, Particles)
        and continuous is not None
        and isinstance(split_growth(continuous)[0], LagrangianFlow | LangevinFlow)
    )
    multiplicative = continuous is not None and noisy and not continuous.additive
    stratonovich = continuous is not None and multiplicative and continuous.stratonovich
    ito = multiplicative and not stratonovich
    if solver is None:
        if kinetic and controller is None:
            solver = DampedLeapfrog()
        else:
            noise_solver = diffrax.Euler() if ito else diffrax.Heun()
            solver = noise_solver if noisy else diffrax.Tsit5()
    if ito and isinstance(solver, diffrax.AbstractStratonovichSolver):
        raise ValueError(
            f"solve: the noise of {type(continuous).__name__} depends on the state and "
            f"is Ito's; {type(solver).__name__} solves Stratonovich equations. Take "
            "diffrax.Euler()."
        )
    if stratonovich and isinstance(solver, diffrax.AbstractItoSolver):
        raise ValueError(
            f"solve: the noise of {type(continuous).__name__} depends on the state and "
            f"is Stratonovich's; {type(solver).__name__} solves Ito equations. Take "
            "diffrax.Heun()."
        )
    if isinstance(solver, DampedLeapfrog) and not kinetic:
        raise TypeError(
            "solve: DampedLeapfrog is for second-order flows of particles "
            "(LagrangianFlow or LangevinFlow on a Phase of Particles, with or without "
            "a GrowthFlow)."
        )
    if isinstance(solver, DampedLeapfrog) and controller is not None:
        raise ValueError(
            "solve: DampedLeapfrog has no error estimate; give dt0 instead of a "
            "stepsize_controller."
        )
    exact = isinstance(flow, ResettingFlow) and flow.separable(mu)
    splits = bool(jumps) and not exact
    needs_fixed = constant or noisy or splits or isinstance(solver, DampedLeapfrog)
    fixed = controller is None and (needs_fixed or dt0 is not None)
    if splits and controller is not None:
        raise ValueError("solve: flows with jumps take fixed steps; give dt0 instead.")
    if controller is None and not fixed:
        rtol, atol = _TOLERANCES[mu.dtype.itemsize]
        controller = diffrax.PIDController(rtol, atol)
    adjoint = adjoint or diffrax.RecursiveCheckpointAdjoint()
    return Method(solver, None if fixed else controller, adjoint, max_steps), fixed


def _known(value: Any) -> np.ndarray | None:
    """A value that is known outside ``jit``, under differentiation too; else None."""
    if isinstance(value, jax.core.Tracer):
        value = jax.lax.stop_gradient(value)
    return None if isinstance(value, jax.core.Tracer) else np.asarray(value, float)


def _knots(t0: ArrayLike, t1: ArrayLike, times: ArrayLike | None) -> np.ndarray | None:
    """Start, saved times and end, checked where they are known; else None."""
    start, end = _known(t0), _known(t1)
    save = end if times is None else _known(times)
    if start is None or save is None or end is None:
        return None
    if save.ndim > 1 or save.size == 0:
        raise ValueError(f"solve: expected times of shape (T,), found {save.shape}.")
    if start == end:
        raise ValueError(f"solve: t0 and t1 are both {start}.")
    knots = np.concatenate([np.ravel(part) for part in (start, save, end)])
    gaps = np.diff(knots) * np.sign(end - start)
    if not (np.isfinite(knots).all() and (gaps >= 0).all() and (gaps[1:-1] > 0).all()):
        raise ValueError(
            f"solve: expected times in strict order between t0 = {start} and "
            f"t1 = {end}, found {save.tolist()}."
        )
    return knots


def _step_counts(knots: np.ndarray | None, dt0: ArrayLike | None) -> tuple[int, ...]:
    largest = None if dt0 is None else _known(dt0)
    if knots is None or (dt0 is not None and largest is None):
        raise ValueError(
            "solve: the number of fixed steps depends on t0, t1, times and dt0, which "
            "must be known outside jit; or pass a stepsize_controller."
        )
    if largest is None:
        largest = abs(knots[-1] - knots[0]) / _DEFAULT_STEPS
    if not largest > 0:
        raise ValueError(f"solve: expected dt0 > 0, found {largest}.")
    gaps = np.abs(np.diff(knots))
    # A gap of whole steps is not lengthened by rounding.
    return tuple(math.ceil(gap / largest * (1 - 1e-6)) for gap in gaps)


def _cast(flow: Any, dtype: Any) -> Any:
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, flow
    )


@eqx.filter_jit
def _stack(mu: Any, states: Any) -> Any:
    """The measure with a leading axis of times on every array."""
    return eqx.filter_vmap(lambda state: mu.with_state(state))(states)


def _raise(measures: Any, done: Integrated, solver: str, start: Any, end: Any) -> Any:
    """Refuse a solve that ended early, in a sentence where its outcome is known."""
    try:
        successful = bool(done.result == RESULTS.successful)
    except jax.errors.ConcretizationTypeError:
        return done.result.error_if(measures, done.result != RESULTS.successful)
    if successful:
        return measures
    reason = RESULTS[done.result]
    raise SolveError(
        f"{reason} {solver} stopped at t = {float(done.time):.6g} after "
        f"{int(done.counts['num_steps'])} steps, on the way from {float(start):.6g} to "
        f"{float(end):.6g}. Pass throw=False to look at what was reached."
    )
