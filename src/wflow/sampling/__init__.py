"""Draw from a density that is known up to a constant, or integrate under it."""

from ._laplace import laplace
from ._sample import sample
from .embeddings import (
    ExactEmbedding,
    FredholmEmbedding,
    GradientFreeEmbedding,
    GradientInformedEmbedding,
)
from .ensemble import GaussianInverseProblem
from .methods.discrepancy import WFRMMD, MeanShift, MMDFlow
from .methods.interacting import ALDI, CBS, SVGD
from .methods.langevin import MALA, ULA
from .methods.nuts import NUTS
from .methods.shk import SHK, SMCWFR
from .metropolis import MetropolisLangevinFlow
from .modes import find_modes
from .msip import MSIP
from .problems import Joker
from .reweighting import ReweightingFlow
from .rules import GaussHermite, MonteCarlo, RadialSpherical
from .target import Target
from .transition_mixture import TransitionMixtureFlow


__all__ = [
    "ALDI",
    "CBS",
    "ExactEmbedding",
    "FredholmEmbedding",
    "GaussHermite",
    "GaussianInverseProblem",
    "GradientFreeEmbedding",
    "GradientInformedEmbedding",
    "Joker",
    "MALA",
    "MMDFlow",
    "MSIP",
    "MeanShift",
    "MetropolisLangevinFlow",
    "MonteCarlo",
    "NUTS",
    "RadialSpherical",
    "ReweightingFlow",
    "SHK",
    "SMCWFR",
    "SVGD",
    "Target",
    "TransitionMixtureFlow",
    "ULA",
    "WFRMMD",
    "find_modes",
    "laplace",
    "sample",
]
