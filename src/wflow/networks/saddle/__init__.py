"""Saddle to saddle: small ReLU networks on orthogonal data, learnt sample by sample."""

from .course import follow
from .cover import width_for
from .data import ReLUData
from .flow import ReLUFlow
from .jumps import jump_process
from .neurons import small_neurons


__all__ = [
    "ReLUData",
    "ReLUFlow",
    "follow",
    "jump_process",
    "small_neurons",
    "width_for",
]
