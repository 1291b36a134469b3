"""Saddle to saddle: small ReLU networks that learn orthogonal data bit by bit."""

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
