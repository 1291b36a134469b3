"""Floor 3: laws of motion."""

from .base import (
    AbstractContinuousFlow,
    AbstractFlow,
    AbstractJumpFlow,
    SplitFlow,
    SumFlow,
)
from .birth_death import BirthDeathFlow
from .gradient import GradientFlow
from .kinetic import ForceScaling, KineticTerm, force_factor, particle_force
from .lagrangian import LagrangianFlow
from .langevin import LangevinFlow
from .resetting import (
    AbstractMemorylessLaw,
    AgedFlow,
    Exponential,
    PoissonMomentFlow,
    ResettingFlow,
)


__all__ = [
    "AbstractContinuousFlow",
    "AbstractFlow",
    "AbstractJumpFlow",
    "AbstractMemorylessLaw",
    "AgedFlow",
    "BirthDeathFlow",
    "Exponential",
    "ForceScaling",
    "GradientFlow",
    "KineticTerm",
    "LagrangianFlow",
    "LangevinFlow",
    "PoissonMomentFlow",
    "ResettingFlow",
    "SplitFlow",
    "SumFlow",
    "force_factor",
    "particle_force",
]
