"""Floor 0: what moves."""

from .base import (
    AbstractDensity,
    AbstractMeasure,
    ImplicitEntropyError,
    UnsupportedMeasureError,
)
from .gaussian import Gaussian, GaussianDifferential
from .gaussian_mixture import GaussianMixture
from .grid import Grid, logarithmic_mean
from .particles import Particles, ParticlesDifferential
from .phase import AffineVelocity, Phase
from .point import Point
from .resampling import resampled, systematic_ancestors
from .special import linear_decay, mean_decay, quadratic_decay
from .traced import Traced
from .travelled import Travelled
from .uniform import UniformBox


__all__ = [
    "AbstractDensity",
    "AbstractMeasure",
    "AffineVelocity",
    "Gaussian",
    "GaussianDifferential",
    "GaussianMixture",
    "Grid",
    "ImplicitEntropyError",
    "Particles",
    "ParticlesDifferential",
    "Phase",
    "Point",
    "Traced",
    "Travelled",
    "UniformBox",
    "UnsupportedMeasureError",
    "logarithmic_mean",
    "linear_decay",
    "mean_decay",
    "quadratic_decay",
    "resampled",
    "systematic_ancestors",
]
