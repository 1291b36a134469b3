"""Floor 5: laws of motion from snapshots."""

from .baselines import (
    constant_velocity,
    mean_shift,
    ot_interpolation,
    persistence,
)
from .characteristic import CharacteristicDistance
from .dice import DICE, dice_loss
from .fit import fit
from .horizons import AbstractHorizon, FixedHorizon, FullHorizon, RandomHorizon
from .loop import Chunk
from .losses import AbstractLoss, LossValue, MassAndShape, Sinkhorn
from .optimizers import AdamW
from .report import Report
from .result import Fit
from .simulate import simulate
from .snapshots import Snapshots, Standardisation
from .velocities import (
    AbstractInitialVelocity,
    Displacement,
    Given,
    Learned,
    Zero,
)
from .velocity_fields import Corrected, SmoothedDisplacement, VelocityNetwork


__all__ = [
    "DICE",
    "AbstractHorizon",
    "AbstractInitialVelocity",
    "AbstractLoss",
    "AdamW",
    "CharacteristicDistance",
    "Chunk",
    "Corrected",
    "Displacement",
    "Fit",
    "FixedHorizon",
    "FullHorizon",
    "Given",
    "Learned",
    "LossValue",
    "MassAndShape",
    "RandomHorizon",
    "Report",
    "Sinkhorn",
    "SmoothedDisplacement",
    "Snapshots",
    "Standardisation",
    "VelocityNetwork",
    "Zero",
    "constant_velocity",
    "dice_loss",
    "fit",
    "mean_shift",
    "ot_interpolation",
    "persistence",
    "simulate",
]
