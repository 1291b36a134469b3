"""Laws of the time between resets, and the filters that they make."""

from .base import AbstractRenewalLaw, AbstractResetTimes
from .bounded import Deterministic, Uniform
from .custom import Custom
from .gamma import Gamma, InverseGaussian
from .known import KnownResets
from .ridges import Exponential, HyperExponential, Lomax
from .stretched import LogNormal, Weibull


__all__ = [
    "AbstractRenewalLaw",
    "AbstractResetTimes",
    "Custom",
    "Deterministic",
    "Exponential",
    "Gamma",
    "HyperExponential",
    "InverseGaussian",
    "KnownResets",
    "LogNormal",
    "Lomax",
    "Uniform",
    "Weibull",
]
