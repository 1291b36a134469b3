"""The numerical method that a flow on a measure is solved with."""

import functools
from typing import Any, get_args, get_origin

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import ArrayLike

from wflow.checks import known
from wflow.flows import ResettingFlow
from wflow.flows.base import AbstractFlow, noise_kind, solver_of
from wflow.flows.damped_leapfrog import DampedLeapfrog, KineticTerm
from wflow.measures import AbstractMeasure

from .integrate import Method
from .segments import split
from .steps import finite_steps, since
from .times import Times


# Relative and absolute tolerance of adaptive solves, by precision.
_TOLERANCES = {4: (1e-4, 1e-6), 8: (1e-7, 1e-9)}


def method_for(
    flow: AbstractFlow,
    mu: AbstractMeasure,
    solver: diffrax.AbstractSolver | None,
    dt0: ArrayLike | None,
    controller: diffrax.AbstractStepSizeController | None,
    adjoint: diffrax.AbstractAdjoint | None,
    max_steps: int,
    when: Times,
) -> tuple[Method, bool]:
    """The method, and whether its steps are fixed."""
    # Left to Diffrax, constant steps would end in nan and call it a success.
    constant = isinstance(controller, diffrax.ConstantStepSize)
    controller = None if constant else controller
    continuous, jumps = split(flow)
    kind = None if continuous is None else noise_kind(continuous, mu)
    noisy = kind is not None
    own = solver_of(None)
    if continuous is not None:
        # Bound, a method of a module is another module, which takes longer to make.
        own = type(continuous).default_solver(continuous, mu)
    kinetic = isinstance(own, DampedLeapfrog)
    if solver is None and kinetic and controller is not None:
        solver = solver_of(kind)
    solver = solver or own
    if kind == "ito" and isinstance(solver, diffrax.AbstractStratonovichSolver):
        raise ValueError(
            f"solve: the noise of {type(continuous).__name__} depends on the state and "
            f"is Ito's; {type(solver).__name__} solves Stratonovich equations. Take "
            "diffrax.Euler()."
        )
    if kind == "stratonovich" and isinstance(solver, diffrax.AbstractItoSolver):
        raise ValueError(
            f"solve: the noise of {type(continuous).__name__} depends on the state and "
            f"is Stratonovich's; {type(solver).__name__} solves Ito equations. Take "
            "diffrax.Heun()."
        )
    leapfrog = isinstance(solver, DampedLeapfrog)
    if leapfrog and not kinetic:
        raise TypeError(
            "solve: DampedLeapfrog is for second-order flows of particles (an "
            "AbstractKineticFlow such as LagrangianFlow or LangevinFlow on a Phase of "
            "Particles, with or without a GrowthFlow)."
        )
    if leapfrog and controller is not None:
        raise ValueError(
            "solve: DampedLeapfrog has no error estimate; give dt0 instead of a "
            "stepsize_controller."
        )
    _check_solver(solver, noisy)
    if noisy and controller is not None and isinstance(solver, diffrax.Euler):
        raise ValueError(
            "solve: Euler's steps for noise are not adaptive; give dt0 instead of a "
            "stepsize_controller."
        )
    exact = isinstance(flow, ResettingFlow) and flow.exact(mu)
    splits = bool(jumps) and not exact
    # The flow's own word is for fixed steps where it cannot estimate its error.
    own_fixed = solver is own and not isinstance(own, diffrax.AbstractAdaptiveSolver)
    needs_fixed = constant or noisy or splits or own_fixed or leapfrog
    fixed = controller is None and (needs_fixed or dt0 is not None)
    if splits and controller is not None:
        raise ValueError("solve: flows with jumps take fixed steps; give dt0 instead.")
    if controller is not None:
        controller = finite_steps(since(controller, when))
    elif not fixed:
        controller = _own_steps(mu.dtype.itemsize)
    if isinstance(solver, diffrax.AbstractImplicitSolver):
        solver = _reachable(solver, controller, mu.dtype)
    adjoint = adjoint or _own_adjoint()
    return Method(solver, None if fixed else controller, adjoint, max_steps), fixed


# Kept, since a module takes longer to make than a small step.
@functools.cache
def _own_steps(itemsize: int) -> diffrax.AbstractStepSizeController:
    """The steps of an adaptive solve that is given none, by precision."""
    return finite_steps(diffrax.PIDController(*_TOLERANCES[itemsize]))


@functools.cache
def _own_adjoint() -> diffrax.AbstractAdjoint:
    return diffrax.RecursiveCheckpointAdjoint()


def _check_solver(solver: diffrax.AbstractSolver, noisy: bool) -> None:
    """Refuse a solver for equations of another structure than flows have."""
    structure: Any = solver.term_structure
    if (get_origin(structure) or structure) is diffrax.MultiTerm:
        (inside,) = get_args(structure)
        wanted = [get_origin(part) or part for part in get_args(inside)]
        kinds = (diffrax.ODETerm, diffrax.ControlTerm)
        fits = len(wanted) == len(kinds) and all(map(issubclass, kinds, wanted))
        if fits and noisy:
            return
        what = "flows with noise" if fits else "equations of another structure"
    elif structure in (diffrax.AbstractTerm, KineticTerm):
        return
    else:
        what = "equations of another structure"
    raise ValueError(
        f"solve: expected a solver for this flow, found {type(solver).__name__}, which "
        f"is for {what}."
    )


def _reachable(
    solver: diffrax.AbstractImplicitSolver,
    controller: diffrax.AbstractStepSizeController | None,
    dtype: Any,
) -> diffrax.AbstractImplicitSolver:
    """An implicit solver whose roots can be found to its tolerance.

    Diffrax asks for a hundredth of the steps' tolerances, which in single precision is
    less than rounding: then no step is ever accepted.
    """
    finder: Any = solver.root_finder
    if known(finder.rtol) is not None and known(finder.atol) is not None:
        return solver
    if not isinstance(controller, diffrax.AbstractAdaptiveStepSizeController):
        raise ValueError(
            f"solve: {type(solver).__name__} is implicit, and its roots have the "
            "tolerances of the steps; give a stepsize_controller instead of dt0, or "
            "the solver a root_finder with rtol and atol."
        )
    rtol, atol = known(controller.rtol), known(controller.atol)
    kappa = known(getattr(finder, "kappa", None))
    if rtol is None or atol is None or kappa is None:
        return solver
    tolerance = max(float(min(rtol, atol)), 1e-300)
    least = 10 * float(jnp.finfo(dtype).eps) / tolerance
    if least <= kappa:
        return solver
    return eqx.tree_at(lambda s: s.root_finder.kappa, solver, min(least, 1.0))
