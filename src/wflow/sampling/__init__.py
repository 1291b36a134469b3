"""Floor 6: sampling and quadrature of densities known up to a constant."""

from ._laplace import LaplaceWarning, laplace
from ._sample import sample
from .discrepancy import EmbeddedDiscrepancy
from .elliptic import EllipticModel
from .embeddings import (
    AbstractEmbedding,
    ExactEmbedding,
    FredholmEmbedding,
    GradientFreeEmbedding,
    GradientInformedEmbedding,
)
from .ensemble import (
    ALDIFlow,
    ConsensusFlow,
    GaussianInverseProblem,
    GradientFreeALDIFlow,
)
from .gaussian import gaussian_shk
from .mean_shift_runs import MeanShiftRun, damped_iteration, stationary
from .methods import (
    ALDI,
    CBS,
    MALA,
    NUTS,
    SHK,
    SMCWFR,
    SVGD,
    ULA,
    WFRMMD,
    AbstractFlowMethod,
    AbstractMethod,
    MeanShift,
    MMDFlow,
    Run,
)
from .modes import Mode, find_modes
from .msip import MSIP
from .posteriors import Posterior, load_posterior
from .problems import Joker
from .quadrature import Quadrature, optimal_quadrature
from .reduced import KernelSystem, MeanShiftGeometry, ReducedDiscrepancy
from .rules import AbstractRule, GaussHermite, MonteCarlo, RadialSpherical
from .samples import Samples, SignedWeightsError
from .target import Target


__all__ = [
    "ALDI",
    "ALDIFlow",
    "AbstractEmbedding",
    "AbstractFlowMethod",
    "AbstractMethod",
    "AbstractRule",
    "CBS",
    "ConsensusFlow",
    "EmbeddedDiscrepancy",
    "EllipticModel",
    "ExactEmbedding",
    "FredholmEmbedding",
    "GaussHermite",
    "GaussianInverseProblem",
    "GradientFreeALDIFlow",
    "GradientFreeEmbedding",
    "GradientInformedEmbedding",
    "Joker",
    "KernelSystem",
    "LaplaceWarning",
    "MALA",
    "MMDFlow",
    "MSIP",
    "MeanShift",
    "MeanShiftGeometry",
    "MeanShiftRun",
    "Mode",
    "MonteCarlo",
    "NUTS",
    "Posterior",
    "Quadrature",
    "RadialSpherical",
    "ReducedDiscrepancy",
    "Run",
    "SHK",
    "SMCWFR",
    "SVGD",
    "Samples",
    "SignedWeightsError",
    "Target",
    "ULA",
    "WFRMMD",
    "damped_iteration",
    "find_modes",
    "gaussian_shk",
    "laplace",
    "load_posterior",
    "optimal_quadrature",
    "sample",
    "stationary",
]
