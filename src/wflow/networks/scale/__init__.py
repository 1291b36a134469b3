"""Scale vectors: layers, their flows, and a language model that has them."""

from ._roles import decay_mask, roles
from .analysis import (
    ScaleReport,
    dead_channels,
    imbalance,
    invariant_drift,
    invariants,
    scale_report,
    sharpness,
)
from .blocks import ResidualBlock
from .closed_form import scalar_channel
from .corpus import Corpus, python_topics
from .energies import Decay, EffectiveLoss, LinearRegression
from .folding import fold_scales
from .geometry import ScaleVector
from .layers import RMSNorm, ScaledLinear
from .rates import RoleRates, scale_by_role
from .scales import AbstractScale, DirectScale, MagnitudeDirection
from .training import Recipe, Trained, train
from .transformer import ByteTransformer, nats


__all__ = [
    "AbstractScale",
    "ByteTransformer",
    "Corpus",
    "Decay",
    "DirectScale",
    "EffectiveLoss",
    "LinearRegression",
    "MagnitudeDirection",
    "RMSNorm",
    "Recipe",
    "ResidualBlock",
    "RoleRates",
    "ScaleReport",
    "ScaleVector",
    "ScaledLinear",
    "Trained",
    "dead_channels",
    "decay_mask",
    "fold_scales",
    "imbalance",
    "invariant_drift",
    "invariants",
    "nats",
    "python_topics",
    "roles",
    "scalar_channel",
    "scale_by_role",
    "scale_report",
    "sharpness",
    "train",
]
