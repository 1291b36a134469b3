"""Kernels, bandwidth rules and sums over pairs of points."""

from .approximate import AbstractPairSum
from .bandwidth import MedianGaussian, median_bandwidth, silverman_bandwidth
from .base import AbstractKernel, AbstractRadialKernel
from .features import RandomFeatures
from .nystrom import Nystrom
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
    "AbstractPairSum",
    "AbstractRadialKernel",
    "EnergyDistance",
    "GaussianKernel",
    "InverseMultiquadric",
    "Kronecker",
    "LaplaceKernel",
    "Matern32",
    "Matern52",
    "MedianGaussian",
    "Nystrom",
    "ProductKernel",
    "RandomFeatures",
    "ScaleMixture",
    "gram",
    "median_bandwidth",
    "silverman_bandwidth",
]
