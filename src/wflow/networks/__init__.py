"""Floor 6: networks as flows, one part for each theory of their training."""

from . import attention, canonical, saddle, scale


__all__ = ["attention", "canonical", "saddle", "scale"]
