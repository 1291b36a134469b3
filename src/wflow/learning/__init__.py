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
from .couplings import EntropicOT, ExactOT, UnbalancedOT, WassersteinFisherRao
from .dice import DICE, dice_loss
from .ensemble import Ensemble, fit_ensemble
from .flow_matching import FlowMatching
from .horizons import AbstractHorizon, FixedHorizon, FullHorizon, RandomHorizon
from .loop import TrainingError
from .losses import AbstractLoss, LossValue, MassAndShape, Sinkhorn
from .matching_paths import (
    AbstractPath,
    BrownianBridge,
    SmoothPath,
    SplinePath,
    StraightPath,
    TravellingDirac,
)
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
    "AbstractPath",
    "AbstractTrainingLoss",
    "AdamW",
    "Band",
    "BrownianBridge",
    "CharacteristicDistance",
    "Chunk",
    "Corrected",
    "Displacement",
    "Ensemble",
    "EntropicOT",
    "ExactOT",
    "Fit",
    "FixedHorizon",
    "FlowMatching",
    "FullHorizon",
    "Given",
    "Learned",
    "LossValue",
    "MassAndShape",
    "Motion",
    "Part",
    "PathVelocity",
    "Prediction",
    "RandomHorizon",
    "Report",
    "Rollouts",
    "Sinkhorn",
    "SmoothPath",
    "SmoothedDisplacement",
    "Snapshots",
    "SplinePath",
    "Standardisation",
    "Statistic",
    "Step",
    "StraightPath",
    "TrainingError",
    "TravellingDirac",
    "UnbalancedOT",
    "VelocityNetwork",
    "WassersteinFisherRao",
    "Zero",
    "constant_velocity",
    "dice_loss",
    "evaluated",
    "extrapolated_velocity",
    "fit",
    "fit_ensemble",
    "mean_shift",
    "ot_interpolation",
    "persistence",
    "predict",
    "reweighted",
    "simulate",
]
