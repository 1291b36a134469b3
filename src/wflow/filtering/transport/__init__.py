"""Transport analyses: the ensemble is moved to the posterior by a flow."""

from .attraction import AbstractAttraction, Simulated, Smoothed
from .base import AbstractTransport
from .coupling import Labelled, derangements, passengers, product_cloud
from .joint import ConditionalMMD, Floored, sampling_floor
from .likelihood import LikelihoodTransport
from .local import LocalTransport
from .moments import MomentMismatch, MomentTransport, moment_flow
from .oneoff import analyse
from .pairs import Pairs, Standardised
from .scales import Scale
from .starts import Start, started
from .stein import SteinTransport
from .targets import AbstractTarget, LikelihoodFree, RaoBlackwellised
from .trained import TrainedTransport
from .wasserstein import CouplingTransport, smoothness


__all__ = [
    "AbstractAttraction",
    "AbstractTarget",
    "AbstractTransport",
    "ConditionalMMD",
    "CouplingTransport",
    "Floored",
    "Labelled",
    "LikelihoodFree",
    "LikelihoodTransport",
    "LocalTransport",
    "MomentMismatch",
    "MomentTransport",
    "Pairs",
    "RaoBlackwellised",
    "Scale",
    "Simulated",
    "Smoothed",
    "Standardised",
    "Start",
    "SteinTransport",
    "TrainedTransport",
    "analyse",
    "derangements",
    "moment_flow",
    "passengers",
    "product_cloud",
    "sampling_floor",
    "smoothness",
    "started",
]
