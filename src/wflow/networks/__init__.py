"""Networks as flows of their parameters, one part for each theory of training."""

from . import attention, canonical, chaos, saddle, scale
from .network_risk import NetworkRisk
from .supervised import Supervised


__all__ = [
    "NetworkRisk",
    "Supervised",
    "attention",
    "canonical",
    "chaos",
    "saddle",
    "scale",
]
