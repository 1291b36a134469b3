"""Floor 3: laws of motion."""

from .arc_length import ArcLengthFlow
from .base import AbstractContinuousFlow, AbstractDissipativeFlow, AbstractJumpFlow
from .birth_death import BirthDeathFlow
from .diffusion import Diffusion
from .gradient import GradientFlow
from .growth import GrowthFlow, NeuralRate
from .kinetic import AbstractKineticFlow
from .lagrangian import LagrangianFlow
from .langevin import LangevinFlow
from .metropolis import MetropolisLangevinFlow
from .noise import Noise
from .noise_injection import NoiseInjectionFlow
from .poisson_moments import PoissonMomentFlow
from .renewal.base import AbstractRenewalLaw
from .renewal.bounded import Deterministic, Uniform
from .renewal.custom import Custom
from .renewal.gamma import Gamma, InverseGaussian
from .renewal.known import KnownResets
from .renewal.ridges import Exponential, HyperExponential, Lomax
from .renewal.stretched import LogNormal, Weibull
from .resetting import ResettingFlow
from .reweighting import ReweightingFlow
from .tracers import TracerFlow
from .transition_mixture import TransitionMixtureFlow
from .velocity import VelocityFlow


__all__ = [
    "AbstractContinuousFlow",
    "AbstractDissipativeFlow",
    "AbstractJumpFlow",
    "AbstractKineticFlow",
    "AbstractRenewalLaw",
    "ArcLengthFlow",
    "BirthDeathFlow",
    "Custom",
    "Deterministic",
    "Diffusion",
    "Exponential",
    "Gamma",
    "GradientFlow",
    "GrowthFlow",
    "HyperExponential",
    "InverseGaussian",
    "KnownResets",
    "LagrangianFlow",
    "LangevinFlow",
    "LogNormal",
    "Lomax",
    "MetropolisLangevinFlow",
    "NeuralRate",
    "Noise",
    "NoiseInjectionFlow",
    "PoissonMomentFlow",
    "ResettingFlow",
    "ReweightingFlow",
    "TracerFlow",
    "TransitionMixtureFlow",
    "Uniform",
    "VelocityFlow",
    "Weibull",
]
