"""Floor 2: what drives."""

from .base import AbstractEnergy, AbstractLinearEnergy, Scaled, Sum
from .density import KDE, AbstractParticleDensity, GaussianClosure
from .discrepancy import MMD, KernelSteinDiscrepancy, SinkhornDivergence
from .entropy import Entropy, FisherInformation, KLDivergence
from .functional import Functional
from .functions import Bumps, Polynomial
from .interaction import Interaction
from .network_risk import NetworkRisk
from .neural import AttentionPotential, MLPPotential, PairPotential
from .potential import Potential
from .radial import GaussianProfile, Morse, Power, Radial, RadialBumps
from .singular import CoulombInteraction, LogInteraction, RieszInteraction
from .supervised import Supervised, predictions


__all__ = [
    "KDE",
    "MMD",
    "AbstractEnergy",
    "AbstractLinearEnergy",
    "AbstractParticleDensity",
    "AttentionPotential",
    "CoulombInteraction",
    "Bumps",
    "Entropy",
    "FisherInformation",
    "Functional",
    "GaussianClosure",
    "GaussianProfile",
    "Interaction",
    "KLDivergence",
    "KernelSteinDiscrepancy",
    "LogInteraction",
    "MLPPotential",
    "Morse",
    "NetworkRisk",
    "PairPotential",
    "Polynomial",
    "Potential",
    "Power",
    "Radial",
    "RadialBumps",
    "RieszInteraction",
    "Scaled",
    "SinkhornDivergence",
    "Sum",
    "Supervised",
    "predictions",
]
