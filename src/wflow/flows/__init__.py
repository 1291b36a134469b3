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
from .growth import GrowthFlow, NeuralRate, split_growth
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
    "GrowthFlow",
    "KineticTerm",
    "LagrangianFlow",
    "LangevinFlow",
    "NeuralRate",
    "PoissonMomentFlow",
    "ResettingFlow",
    "SplitFlow",
    "SumFlow",
    "force_factor",
    "particle_force",
    "split_growth",
]
