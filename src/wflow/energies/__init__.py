"""Floor 2: what drives."""

from .base import AbstractEnergy, Scaled, Sum
from .density import KDE, AbstractParticleDensity, GaussianClosure
from .discrepancy import MMD, KernelSteinDiscrepancy, SinkhornDivergence
from .entropy import Entropy, FisherInformation, KLDivergence
from .neural import AttentionPotential, MLPPotential, PairPotential
from .potential import Functional, Interaction, NetworkRisk, Potential


__all__ = [
    "KDE",
    "MMD",
    "AbstractEnergy",
    "AbstractParticleDensity",
    "AttentionPotential",
    "Entropy",
    "FisherInformation",
    "Functional",
    "GaussianClosure",
    "Interaction",
    "KLDivergence",
    "KernelSteinDiscrepancy",
    "MLPPotential",
    "NetworkRisk",
    "PairPotential",
    "Potential",
    "Scaled",
    "SinkhornDivergence",
    "Sum",
]
