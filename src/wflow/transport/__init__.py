"""Floor 1: how far apart two clouds are."""

from .exact import (
    barycentric_map,
    displacement_interpolation,
    optimal_plan,
    w1,
    w2,
    w2_squared,
)
from .sinkhorn import SinkhornResult, median_blur, sinkhorn_divergence


__all__ = [
    "SinkhornResult",
    "barycentric_map",
    "displacement_interpolation",
    "median_blur",
    "optimal_plan",
    "sinkhorn_divergence",
    "w1",
    "w2",
    "w2_squared",
]
