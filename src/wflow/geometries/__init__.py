"""Floor 2: how force becomes motion."""

from .base import AbstractGeometry
from .euclidean import Euclidean
from .reaction import FisherRao, HellingerKantorovich
from .riemannian import Riemannian
from .stein import Stein
from .wasserstein import Wasserstein, per_mass


__all__ = [
    "AbstractGeometry",
    "Euclidean",
    "FisherRao",
    "HellingerKantorovich",
    "Riemannian",
    "Stein",
    "Wasserstein",
    "per_mass",
]
