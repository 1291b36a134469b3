"""Floor 6: networks as flows, one part for each theory of their training."""

from . import attention, canonical, chaos, saddle, scale


__all__ = [
    "attention",
    "canonical",
    "chaos",
    "saddle",
    "scale",
]
