"""What a law looks at: other particles, the time."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal
from jaxtyping import Array, PyTree

from wflow.energies import AbstractEnergy, Entropy, KLDivergence
from wflow.energies.base import AbstractLinearEnergy, Scaled, Sum
from wflow.geometries import Euclidean, Riemannian, Wasserstein
from wflow.measures import AbstractMeasure

from .base import (
    AbstractContinuousFlow,
    AbstractFlow,
    AbstractIndependentFlow,
    AbstractJumpFlow,
)
from .gradient import GradientFlow
from .langevin import LangevinFlow
from .sums import SumFlow
from .velocity import VelocityFlow


def moves_alone(flow: AbstractContinuousFlow) -> bool:
    """Whether every particle is known to move as if it were the only one."""
    match flow:
        case AbstractIndependentFlow():
            return True
        case VelocityFlow():
            return not flow.of_whole
        case SumFlow():
            return all(map(moves_alone, flow.parts))
        case GradientFlow(geometry=Wasserstein() | Riemannian() | Euclidean()):
            return is_linear(flow.energy)
        case LangevinFlow():
            return is_linear(flow.energy)
    return False


def is_linear(energy: AbstractEnergy) -> bool:
    """Whether the force on a particle is known to look at that particle alone.

    An entropy of particles without a density is noise, not force.
    """
    match energy:
        case AbstractLinearEnergy():
            return True
        case Sum():
            return all(map(is_linear, energy.parts))
        case Scaled():
            return is_linear(energy.energy)
        case Entropy() | KLDivergence():
            return energy.density is None
    return False


def looks_at_time(flow: AbstractFlow, mu: AbstractMeasure) -> bool:
    """Whether velocity, noise or jumps depend on the time, read off their programs."""

    def rates(t: Array) -> PyTree:
        if isinstance(flow, AbstractJumpFlow):
            after = flow.jump(mu, t, jnp.ones_like(t), jax.random.key(0))
            return eqx.filter(after, eqx.is_array)
        assert isinstance(flow, AbstractContinuousFlow)
        return eqx.filter((flow.velocity(mu, t), flow.noise(mu, t)), eqx.is_array)

    program = jax.make_jaxpr(rates)(jnp.zeros((), mu.dtype)).jaxpr
    return any(_dependent(program, [True]))


def _dependent(program: Jaxpr, inputs: list[bool]) -> list[bool]:
    """Which outputs of a program depend on the inputs that are marked."""
    marked = {var for var, mark in zip(program.invars, inputs, strict=True) if mark}

    def marks(variables: list[Any]) -> list[bool]:
        return [not isinstance(v, Literal) and v in marked for v in variables]

    for equation in program.eqns:
        given = marks(equation.invars)
        if not any(given):
            continue
        if equation.primitive.name in ("jit", "pjit"):
            reached = _dependent(equation.params["jaxpr"].jaxpr, given)
        else:
            reached = [True] * len(equation.outvars)
        outputs = zip(equation.outvars, reached, strict=True)
        marked.update(var for var, mark in outputs if mark)
    return marks(program.outvars)
