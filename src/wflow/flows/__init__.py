"""Floor 3: laws of motion."""

from .aged import AgedFlow
from .arc_length import ArcLengthFlow
from .base import (
    AbstractContinuousFlow,
    AbstractDissipativeFlow,
    AbstractFlow,
    AbstractIndependentFlow,
    AbstractJumpFlow,
    Strength,
    safe_sqrt,
    strength_at,
)
from .birth_death import BirthDeathFlow
from .damped_leapfrog import KineticTerm
from .diffusion import Diffusion
from .gradient import GradientFlow
from .growth import GrowthFlow, NeuralRate
from .kinetic import AbstractKineticFlow, particle_force
from .lagrangian import LagrangianFlow
from .langevin import LangevinFlow
from .leapfrog import ForceScaling, force_factor
from .metropolis import MetropolisLangevinFlow
from .noise import Noise
from .noise_injection import NoiseInjectionFlow
from .poisson_moments import PoissonMomentFlow
from .renewal.base import AbstractRenewalLaw, AbstractResetTimes
from .renewal.bounded import Deterministic, Uniform
from .renewal.custom import Custom
from .renewal.gamma import Gamma, InverseGaussian
from .renewal.known import KnownResets
from .renewal.ridges import Exponential, HyperExponential, Lomax
from .renewal.stretched import LogNormal, Weibull
from .resetting import ResettingFlow, ScheduledResets
from .reweighting import ReweightingFlow
from .sums import SplitFlow, SumFlow, split_growth
from .tracers import TracerFlow
from .transition_mixture import TransitionMixtureFlow
from .velocity import VelocityFlow


__all__ = [
    "AbstractContinuousFlow",
    "AbstractDissipativeFlow",
    "AbstractFlow",
    "AbstractIndependentFlow",
    "AbstractJumpFlow",
    "AbstractKineticFlow",
    "AbstractRenewalLaw",
    "AbstractResetTimes",
    "AgedFlow",
    "ArcLengthFlow",
    "BirthDeathFlow",
    "Custom",
    "Deterministic",
    "Diffusion",
    "Exponential",
    "ForceScaling",
    "Gamma",
    "GradientFlow",
    "GrowthFlow",
    "HyperExponential",
    "InverseGaussian",
    "KineticTerm",
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
    "ScheduledResets",
    "SplitFlow",
    "Strength",
    "SumFlow",
    "TracerFlow",
    "TransitionMixtureFlow",
    "Uniform",
    "VelocityFlow",
    "Weibull",
    "force_factor",
    "particle_force",
    "safe_sqrt",
    "split_growth",
    "strength_at",
]
