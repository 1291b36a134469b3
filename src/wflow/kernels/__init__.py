"""Kernels, bandwidth rules and sums over pairs of points."""

from .bandwidth import MedianGaussian, median_bandwidth, silverman_bandwidth
from .base import AbstractKernel, AbstractRadialKernel
from .features import RandomFeatures
from .product import ProductKernel
from .radial import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    LaplaceKernel,
    Matern32,
    Matern52,
)
from .scales import ScaleMixture
from .sums import gram


__all__ = [
    "AbstractKernel",
    "AbstractRadialKernel",
    "EnergyDistance",
    "GaussianKernel",
    "InverseMultiquadric",
    "Kronecker",
    "LaplaceKernel",
    "Matern32",
    "Matern52",
    "MedianGaussian",
    "ProductKernel",
    "RandomFeatures",
    "ScaleMixture",
    "gram",
    "median_bandwidth",
    "silverman_bandwidth",
]
