"""Canonical regularisation: penalties that do not move along output fibres."""

from .arc import ArcRidge, lambda_path
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
    "lambda_path",
]
