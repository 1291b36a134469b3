"""Methods that carry the law of a state from one observation to the next."""

from .enkf import EnKF
from .etkf import ETKF
from .grid import GridFilter
from .kalman import KalmanFilter
from .local import LETKF, LocalEnKF
from .particle import ParticleFilter


__all__ = [
    "ETKF",
    "EnKF",
    "GridFilter",
    "KalmanFilter",
    "LETKF",
    "LocalEnKF",
    "ParticleFilter",
]
