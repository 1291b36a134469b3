"""Follow a state that is observed again and again."""

from .fields import Fields
from .kuramoto_sivashinsky import KuramotoSivashinsky
from .localization import Domain
from .lorenz import Lorenz63, Lorenz96
from .methods.enkf import EnKF
from .methods.etkf import ETKF
from .methods.grid import GridFilter
from .methods.kalman import KalmanFilter
from .methods.local import LETKF, LocalEnKF
from .methods.particle import ParticleFilter
from .models import StateSpace
from .observations import GaussianObservation, SimulatedObservation
from .online import assimilate, init
from .operators import Components, Linear
from .run import filter
from .settings import lorenz63_full, lorenz63_partial, lorenz96_classic, lorenz96_hard
from .sweeps import sweep
from .transitions import AdaptiveODE, DiscreteMap, EulerMaruyama, RungeKutta4
from .transport.likelihood import LikelihoodTransport
from .transport.local import LocalTransport
from .transport.moments import MomentTransport
from .transport.oneoff import analyze
from .transport.stein import SteinTransport
from .transport.targets import LikelihoodFree, RaoBlackwellized
from .transport.trained import TrainedTransport
from .transport.wasserstein import CouplingTransport
from .twins import twin


__all__ = [
    "AdaptiveODE",
    "Components",
    "CouplingTransport",
    "DiscreteMap",
    "Domain",
    "ETKF",
    "EnKF",
    "EulerMaruyama",
    "Fields",
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
    "RaoBlackwellized",
    "RungeKutta4",
    "SimulatedObservation",
    "StateSpace",
    "SteinTransport",
    "TrainedTransport",
    "analyze",
    "assimilate",
    "filter",
    "init",
    "lorenz63_full",
    "lorenz63_partial",
    "lorenz96_classic",
    "lorenz96_hard",
    "sweep",
    "twin",
]
