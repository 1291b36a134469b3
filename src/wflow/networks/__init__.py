"""Floor 6: networks as flows, one part for each theory of their training."""

from . import attention, canonical, chaos, saddle, scale
from .calibration import calibration_error
from .similarity import cka


__all__ = [
    "attention",
    "calibration_error",
    "canonical",
    "chaos",
    "cka",
    "saddle",
    "scale",
]
