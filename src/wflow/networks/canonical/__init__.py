"""Canonical regularisation: penalties that do not move along output fibres."""

from .arc import ArcRidge, lambda_path
from .finetuning import finetune
from .geodesic import GeodesicRidge
from .gibbs import GibbsProcess
from .metric import NTKMetric
from .optax_form import arc_ridge
from .ridge import Ridge


__all__ = [
    "ArcRidge",
    "GeodesicRidge",
    "GibbsProcess",
    "NTKMetric",
    "Ridge",
    "arc_ridge",
    "finetune",
    "lambda_path",
]
