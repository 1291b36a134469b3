"""Laws of motion from snapshots."""

from ._fit import fit
from ._simulate import simulate
from .characteristic import CharacteristicDistance
from .couplings import EntropicOT, ExactOT, UnbalancedOT, WassersteinFisherRao
from .dice import DICE
from .ensemble import Ensemble, fit_ensemble
from .flow_matching import FlowMatching
from .horizons import FixedHorizon, FullHorizon, RandomHorizon
from .losses import MassAndShape, Sinkhorn
from .matching_paths import (
    BrownianBridge,
    SmoothPath,
    SplinePath,
    StraightPath,
    TravelingDirac,
)
from .objective import AbstractObjective
from .optimizers import AdamW
from .path_velocity import PathVelocity
from .result import Fit
from .rollouts import Rollouts
from .snapshots import Snapshots
from .velocities import Displacement, Given, Learned, Zero
from .velocity_fields import Corrected, SmoothedDisplacement, VelocityNetwork


__all__ = [
    "AbstractObjective",
    "AdamW",
    "BrownianBridge",
    "CharacteristicDistance",
    "Corrected",
    "DICE",
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
    "MassAndShape",
    "PathVelocity",
    "RandomHorizon",
    "Rollouts",
    "Sinkhorn",
    "SmoothPath",
    "SmoothedDisplacement",
    "Snapshots",
    "SplinePath",
    "StraightPath",
    "TravelingDirac",
    "UnbalancedOT",
    "VelocityNetwork",
    "WassersteinFisherRao",
    "Zero",
    "fit",
    "fit_ensemble",
    "simulate",
]
