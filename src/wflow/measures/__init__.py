"""What moves."""

from .base import AbstractDensity, AbstractMeasure, UnsupportedMeasureError
from .gaussian import Gaussian
from .gaussian_mixture import GaussianMixture
from .grid import Grid
from .particles import Particles
from .phase import Phase
from .point import Point
from .torus import nearest_image
from .traced import Traced
from .uniform import UniformBox


__all__ = [
    "AbstractDensity",
    "AbstractMeasure",
    "Gaussian",
    "GaussianMixture",
    "Grid",
    "Particles",
    "Phase",
    "Point",
    "Traced",
    "UniformBox",
    "UnsupportedMeasureError",
    "nearest_image",
]
