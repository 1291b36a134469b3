"""Floor 3: laws of motion."""

from .base import (
    AbstractContinuousFlow,
    AbstractFlow,
    AbstractJumpFlow,
    SplitFlow,
    Strength,
    SumFlow,
    strength_at,
)
from .birth_death import BirthDeathFlow
from .gradient import GradientFlow
from .growth import GrowthFlow, NeuralRate, split_growth
from .kinetic import ForceScaling, KineticTerm, force_factor, particle_force
from .lagrangian import LagrangianFlow
from .langevin import LangevinFlow
from .metropolis import MetropolisLangevinFlow
from .noise_injection import NoiseInjectionFlow
from .resetting import (
    AbstractMemorylessLaw,
    AgedFlow,
    Exponential,
    PoissonMomentFlow,
    ResettingFlow,
)
from .reweighting import ReweightingFlow
from .transition_mixture import TransitionMixtureFlow


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
    "MetropolisLangevinFlow",
    "NeuralRate",
    "NoiseInjectionFlow",
    "PoissonMomentFlow",
    "ResettingFlow",
    "ReweightingFlow",
    "SplitFlow",
    "Strength",
    "SumFlow",
    "TransitionMixtureFlow",
    "force_factor",
    "particle_force",
    "split_growth",
    "strength_at",
]
