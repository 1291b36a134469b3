"""How far apart two clouds are."""

from .exact import optimal_plan, w1, w2, w2_squared
from .hellinger import hk_distance, shk_distance
from .sinkhorn import sinkhorn_divergence


__all__ = [
    "hk_distance",
    "optimal_plan",
    "shk_distance",
    "sinkhorn_divergence",
    "w1",
    "w2",
    "w2_squared",
]
