"""Floor 5: laws of motion from snapshots."""

from ._fit import Chunk, fit
from ._simulate import simulate
from .bands import (
    Band,
    Part,
    Prediction,
    Statistic,
    evaluated,
    predict,
    reweighted,
)
from .baselines import (
    constant_velocity,
    extrapolated_velocity,
    mean_shift,
    ot_interpolation,
    persistence,
)
from .characteristic import CharacteristicDistance
from .dice import DICE, dice_loss
from .ensemble import Ensemble, fit_ensemble
from .horizons import AbstractHorizon, FixedHorizon, FullHorizon, RandomHorizon
from .loop import TrainingError
from .losses import AbstractLoss, LossValue, MassAndShape, Sinkhorn
from .objective import AbstractObjective, AbstractTrainingLoss, Motion, Step
from .optimizers import AdamW
from .path_velocity import PathVelocity
from .report import Report
from .result import Fit
from .rollouts import Rollouts
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
    "AbstractObjective",
    "AbstractTrainingLoss",
    "AdamW",
    "Band",
    "CharacteristicDistance",
    "Chunk",
    "Corrected",
    "Displacement",
    "Ensemble",
    "Fit",
    "FixedHorizon",
    "FullHorizon",
    "Given",
    "Learned",
    "LossValue",
    "MassAndShape",
    "Motion",
    "Part",
    "Prediction",
    "RandomHorizon",
    "Report",
    "Rollouts",
    "Sinkhorn",
    "PathVelocity",
    "SmoothedDisplacement",
    "Snapshots",
    "Standardisation",
    "Statistic",
    "Step",
    "TrainingError",
    "VelocityNetwork",
    "Zero",
    "constant_velocity",
    "extrapolated_velocity",
    "dice_loss",
    "evaluated",
    "fit",
    "fit_ensemble",
    "mean_shift",
    "ot_interpolation",
    "persistence",
    "predict",
    "reweighted",
    "simulate",
]
