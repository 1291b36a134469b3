"""Floor 1: kernels, bandwidth rules and sums over pairs of points."""

from .bandwidth import (
    MedianGaussian,
    median_bandwidth,
    silverman_bandwidth,
    silverman_matrix,
)
from .base import AbstractKernel, AbstractRadialKernel
from .embeddings import (
    log_mixture_embedding,
    mixture_double_integral,
    mixture_embedding,
)
from .product import Product
from .radial import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    Laplace,
    Matern32,
    Matern52,
)
from .scales import ScaleMixture
from .sums import gradient_matvec, gram, log_matvec, matvec, pair_sum


__all__ = [
    "AbstractKernel",
    "AbstractRadialKernel",
    "EnergyDistance",
    "GaussianKernel",
    "InverseMultiquadric",
    "Kronecker",
    "Laplace",
    "Matern32",
    "Matern52",
    "MedianGaussian",
    "Product",
    "ScaleMixture",
    "gradient_matvec",
    "gram",
    "log_matvec",
    "log_mixture_embedding",
    "matvec",
    "median_bandwidth",
    "mixture_double_integral",
    "mixture_embedding",
    "pair_sum",
    "silverman_bandwidth",
    "silverman_matrix",
]
