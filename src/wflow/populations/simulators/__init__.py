"""Populations whose law is known: each a function of a key that returns Snapshots."""

from ._boids import BoidsRule, boids
from ._gradient_flow_sde import gradient_flow_sde
from ._swarm import swarm
from ._toggle import Toggle, toggle
from ._vortex import Vortex, vortex


__all__ = [
    "BoidsRule",
    "Toggle",
    "Vortex",
    "boids",
    "gradient_flow_sde",
    "swarm",
    "toggle",
    "vortex",
]
