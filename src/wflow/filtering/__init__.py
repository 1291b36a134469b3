"""Floor 6: filtering, the law of a state that is observed again and again."""

from .base import AbstractMethod
from .distances import mmd_squared, sliced_w1, w1_of_line
from .kuramoto_sivashinsky import KuramotoSivashinsky
from .localisation import Domain, gaspari_cohn
from .lorenz import Lorenz63, Lorenz96
from .methods import (
    ETKF,
    LETKF,
    EnKF,
    GridFilter,
    KalmanFilter,
    LocalEnKF,
    ParticleFilter,
)
from .metrics import (
    covered,
    crps,
    gaussian_crps,
    level_of,
    level_shares,
    rank_histogram,
    rmse,
)
from .models import StateSpace
from .observations import (
    AbstractLikelihood,
    AbstractObservation,
    GaussianObservation,
    SimulatedObservation,
)
from .online import FilterState, assimilate, start
from .operators import Components, Linear
from .result import FilterError, FilterResult
from .run import filter
from .settings import (
    Setting,
    bimodal,
    half_square,
    linear_gaussian,
    lorenz63_full,
    lorenz63_partial,
    lorenz96_classic,
    lorenz96_hard,
)
from .transitions import (
    AbstractMap,
    AbstractTransition,
    AdaptiveODE,
    DiscreteMap,
    EulerMaruyama,
    RungeKutta4,
)
from .transport import (
    CouplingTransport,
    LikelihoodFree,
    LikelihoodTransport,
    LocalTransport,
    MomentTransport,
    RaoBlackwellised,
    Scale,
    Start,
    SteinTransport,
    TrainedTransport,
    analyse,
    moment_flow,
)
from .twins import Twin, twin


__all__ = [
    "AbstractLikelihood",
    "AbstractMap",
    "AbstractMethod",
    "AbstractObservation",
    "AbstractTransition",
    "AdaptiveODE",
    "Components",
    "CouplingTransport",
    "DiscreteMap",
    "Domain",
    "ETKF",
    "EnKF",
    "EulerMaruyama",
    "FilterError",
    "FilterResult",
    "FilterState",
    "GaussianObservation",
    "GridFilter",
    "KalmanFilter",
    "KuramotoSivashinsky",
    "LETKF",
    "LikelihoodFree",
    "LikelihoodTransport",
    "Linear",
    "LocalEnKF",
    "LocalTransport",
    "Lorenz63",
    "Lorenz96",
    "MomentTransport",
    "ParticleFilter",
    "RaoBlackwellised",
    "RungeKutta4",
    "Scale",
    "Setting",
    "SimulatedObservation",
    "Start",
    "StateSpace",
    "SteinTransport",
    "TrainedTransport",
    "Twin",
    "analyse",
    "assimilate",
    "bimodal",
    "covered",
    "crps",
    "filter",
    "gaspari_cohn",
    "gaussian_crps",
    "half_square",
    "level_of",
    "level_shares",
    "linear_gaussian",
    "lorenz63_full",
    "lorenz63_partial",
    "lorenz96_classic",
    "lorenz96_hard",
    "mmd_squared",
    "moment_flow",
    "rank_histogram",
    "rmse",
    "sliced_w1",
    "start",
    "twin",
    "w1_of_line",
]
