"""Canonical regularisation: penalties that do not move along output fibres."""

from ._exponential import CogeodesicFlow, Logarithm, exponential, logarithm
from ._geodesic import Geodesic, GeodesicRidge, OutputCurve, geodesic
from .arc import ArcRidge, LambdaPath, Selected, lambda_path
from .finetuning import Finetuned, descend, finetune
from .gibbs import GibbsProcess, HorizontalLangevinFlow
from .lift import LiftFlow
from .metric import NTKMetric, PullBack, displacement
from .optax_form import ArcRidgeState, arc_ridge
from .ridge import Ridge


__all__ = [
    "ArcRidge",
    "ArcRidgeState",
    "CogeodesicFlow",
    "Finetuned",
    "Geodesic",
    "GeodesicRidge",
    "GibbsProcess",
    "HorizontalLangevinFlow",
    "LambdaPath",
    "LiftFlow",
    "Logarithm",
    "NTKMetric",
    "OutputCurve",
    "PullBack",
    "Ridge",
    "Selected",
    "arc_ridge",
    "descend",
    "displacement",
    "exponential",
    "finetune",
    "geodesic",
    "lambda_path",
    "logarithm",
]
