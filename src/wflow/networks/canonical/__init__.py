"""Canonical regularization: penalties that do not move along output fibres."""

from .arc import ArcRidge, lambda_path
from .arc_length import ArcLengthFlow
from .geodesic import GeodesicRidge
from .gibbs import GibbsProcess
from .metric import NTKMetric
from .optax_form import arc_ridge
from .ridge import Ridge
from .travelled import Travelled


__all__ = [
    "ArcLengthFlow",
    "ArcRidge",
    "GeodesicRidge",
    "GibbsProcess",
    "NTKMetric",
    "Ridge",
    "Travelled",
    "arc_ridge",
    "lambda_path",
]
