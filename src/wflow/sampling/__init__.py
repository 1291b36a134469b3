"""Floor 6: sampling and quadrature of densities known up to a constant."""

from .embeddings import (
    AbstractEmbedding,
    ExactEmbedding,
    FredholmEmbedding,
    GradientFreeEmbedding,
    GradientInformedEmbedding,
)
from .msip import MSIP, MeanShiftRun, damped_iteration, stationary
from .quadrature import Quadrature, optimal_quadrature
from .reduced import KernelSystem, MeanShiftGeometry, ReducedDiscrepancy
from .rules import AbstractRule, GaussHermite, MonteCarlo, RadialSpherical


__all__ = [
    "MSIP",
    "AbstractEmbedding",
    "AbstractRule",
    "ExactEmbedding",
    "FredholmEmbedding",
    "GaussHermite",
    "GradientFreeEmbedding",
    "GradientInformedEmbedding",
    "KernelSystem",
    "MeanShiftGeometry",
    "MeanShiftRun",
    "MonteCarlo",
    "Quadrature",
    "RadialSpherical",
    "ReducedDiscrepancy",
    "damped_iteration",
    "optimal_quadrature",
    "stationary",
]
