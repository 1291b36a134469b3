"""Floor 6: networks as flows, one part for each theory of their training."""

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
