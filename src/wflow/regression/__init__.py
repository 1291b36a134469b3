"""Regularize a regression by resetting its training: filters, risks, estimators."""

from typing import TYPE_CHECKING, Any

from .known_resets import KnownResets
from .laws.bounded import Deterministic, Uniform
from .laws.custom import Custom
from .laws.gamma import Gamma, InverseGaussian
from .laws.ridges import HyperExponential, Lomax
from .laws.stretched import LogNormal, Weibull
from .moments import stationary_moments
from .poisson_moments import PoissonMomentFlow
from .reweight import age_trajectory
from .risk import SpectralProblem, optimal_mean, prediction_risk, wiener_filter
from .spectral import gcv, shrinkage_curves, tune
from .spectral_data import SpectralData


if TYPE_CHECKING:
    from .estimators import ResettingRidge, ResettingRidgeCV

__all__ = [
    "Custom",
    "Deterministic",
    "Gamma",
    "HyperExponential",
    "InverseGaussian",
    "KnownResets",
    "LogNormal",
    "Lomax",
    "PoissonMomentFlow",
    "ResettingRidge",
    "ResettingRidgeCV",
    "SpectralData",
    "SpectralProblem",
    "Uniform",
    "Weibull",
    "age_trajectory",
    "gcv",
    "optimal_mean",
    "prediction_risk",
    "shrinkage_curves",
    "stationary_moments",
    "tune",
    "wiener_filter",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported where its estimators are asked for.
    if name in ("ResettingRidge", "ResettingRidgeCV"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
