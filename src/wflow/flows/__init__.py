"""Laws of motion."""

from .base import AbstractContinuousFlow, AbstractDissipativeFlow, AbstractJumpFlow
from .birth_death import BirthDeathFlow
from .diffusion import Diffusion
from .gradient import GradientFlow
from .growth import GrowthFlow, NeuralRate
from .kinetic import AbstractKineticFlow
from .lagrangian import LagrangianFlow
from .langevin import LangevinFlow
from .noise import Noise
from .noise_injection import NoiseInjectionFlow
from .renewal import AbstractRenewalLaw, Exponential
from .resetting import ResettingFlow
from .tracers import TracerFlow
from .velocity import VelocityFlow


__all__ = [
    "AbstractContinuousFlow",
    "AbstractDissipativeFlow",
    "AbstractJumpFlow",
    "AbstractKineticFlow",
    "AbstractRenewalLaw",
    "BirthDeathFlow",
    "Diffusion",
    "Exponential",
    "GradientFlow",
    "GrowthFlow",
    "LagrangianFlow",
    "LangevinFlow",
    "NeuralRate",
    "Noise",
    "NoiseInjectionFlow",
    "ResettingFlow",
    "TracerFlow",
    "VelocityFlow",
]
