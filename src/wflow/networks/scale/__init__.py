"""Scale vectors: layers, their flows, and a language model that has them."""

from .folding import fold_scales
from .geometry import ScaleVector
from .layers import RMSNorm, ScaledLinear
from .roles import decay_mask
from .training import Recipe, train
from .transformer import ByteTransformer


__all__ = [
    "ByteTransformer",
    "RMSNorm",
    "Recipe",
    "ScaleVector",
    "ScaledLinear",
    "decay_mask",
    "fold_scales",
    "train",
]
