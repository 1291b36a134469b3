"""Floor 6: regression regularised by resetting, its filters, risks and estimators."""

from typing import TYPE_CHECKING, Any

from .comparators import EarlyStopping, principal_components
from .diffusion import Diffusion
from .moments import StationaryMoments, stationary_moments
from .resets import Resets, drawn_resets, found_resets
from .reweight import AgeTrajectory, age_trajectory
from .risk import (
    SpectralProblem,
    estimation_risk,
    optimal_mean,
    population_risk,
    prediction_risk,
    process_risk,
    wiener_filter,
)
from .search import SpectralFilter, best_mean
from .spectral import (
    SpectralData,
    Tuned,
    effective_dof,
    equivalent_penalty,
    gcv,
    noise_variance,
    shrinkage_curves,
    tune,
    unbiased_process_risk,
    unbiased_risk,
)


if TYPE_CHECKING:
    from .estimators import ResettingRidge, ResettingRidgeCV

__all__ = [
    "AgeTrajectory",
    "Diffusion",
    "EarlyStopping",
    "Resets",
    "ResettingRidge",
    "ResettingRidgeCV",
    "SpectralData",
    "SpectralFilter",
    "SpectralProblem",
    "StationaryMoments",
    "Tuned",
    "age_trajectory",
    "best_mean",
    "drawn_resets",
    "effective_dof",
    "equivalent_penalty",
    "estimation_risk",
    "found_resets",
    "gcv",
    "noise_variance",
    "optimal_mean",
    "population_risk",
    "prediction_risk",
    "principal_components",
    "process_risk",
    "shrinkage_curves",
    "stationary_moments",
    "tune",
    "unbiased_process_risk",
    "unbiased_risk",
    "wiener_filter",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported where its estimators are asked for.
    if name in ("ResettingRidge", "ResettingRidgeCV"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
