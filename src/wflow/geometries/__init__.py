"""How force becomes motion."""

from .base import AbstractGeometry
from .block import Block
from .euclidean import Euclidean
from .reaction import FisherRao, HellingerKantorovich
from .riemannian import Riemannian
from .sphere import Sphere
from .stein import Stein
from .wasserstein import Wasserstein


__all__ = [
    "AbstractGeometry",
    "Block",
    "Euclidean",
    "FisherRao",
    "HellingerKantorovich",
    "Riemannian",
    "Sphere",
    "Stein",
    "Wasserstein",
]
