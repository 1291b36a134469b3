"""Floor 1: how far apart two clouds are."""

from .exact import (
    barycentric_map,
    displacement_interpolation,
    optimal_plan,
    w1,
    w2,
    w2_squared,
)
from .hellinger import hk_distance, hk_squared, shk_distance
from .sinkhorn import SinkhornResult, median_blur, sinkhorn_divergence


__all__ = [
    "SinkhornResult",
    "barycentric_map",
    "displacement_interpolation",
    "hk_distance",
    "hk_squared",
    "median_blur",
    "optimal_plan",
    "shk_distance",
    "sinkhorn_divergence",
    "w1",
    "w2",
    "w2_squared",
]
