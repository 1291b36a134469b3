"""Canonical regularization: penalties that do not move along output fibers."""

from .arc import ArcRidge, lambda_path
from .arc_length import ArcLengthFlow
from .geodesic import GeodesicRidge
from .gibbs import GibbsProcess
from .metric import NTKMetric
from .optax_form import arc_ridge
from .ridge import Ridge
from .traveled import Traveled


__all__ = [
    "ArcLengthFlow",
    "ArcRidge",
    "GeodesicRidge",
    "GibbsProcess",
    "NTKMetric",
    "Ridge",
    "Traveled",
    "arc_ridge",
    "lambda_path",
]
