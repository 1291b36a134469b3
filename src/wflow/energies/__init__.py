"""What drives."""

from .base import AbstractEnergy
from .density import KDE, GaussianClosure
from .discrepancy import MMD, KernelSteinDiscrepancy, SinkhornDivergence
from .entropy import Entropy, FisherInformation, KLDivergence
from .functional import Functional
from .functions import Bumps, Polynomial
from .interaction import Interaction
from .mesh import ParticleMesh
from .neural import AttentionPotential, MLPPotential, PairPotential
from .potential import Potential
from .radial import GaussianProfile, Morse, Power, Radial, RadialBumps
from .singular import CoulombInteraction, LogInteraction, RieszInteraction


__all__ = [
    "AbstractEnergy",
    "AttentionPotential",
    "Bumps",
    "CoulombInteraction",
    "Entropy",
    "FisherInformation",
    "Functional",
    "GaussianClosure",
    "GaussianProfile",
    "Interaction",
    "KDE",
    "KLDivergence",
    "KernelSteinDiscrepancy",
    "LogInteraction",
    "MLPPotential",
    "MMD",
    "Morse",
    "PairPotential",
    "ParticleMesh",
    "Polynomial",
    "Potential",
    "Power",
    "Radial",
    "RadialBumps",
    "RieszInteraction",
    "SinkhornDivergence",
]
