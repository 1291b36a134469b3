"""Populations whose law is known: each a function of a key that returns Snapshots."""

from ._boids import boids
from ._gradient_flow_sde import gradient_flow_sde
from ._swarm import swarm
from ._toggle import toggle
from ._vortex import vortex


__all__ = [
    "boids",
    "gradient_flow_sde",
    "swarm",
    "toggle",
    "vortex",
]
