"""Populations whose law is known: each a function of a key that returns Snapshots."""

from .boids import BoidsRule, boids
from .gradient_flow_sde import POTENTIALS, free_energy_velocity, gradient_flow_sde
from .swarm import swarm
from .toggle import Toggle, toggle
from .vortex import Vortex, vortex


__all__ = [
    "POTENTIALS",
    "BoidsRule",
    "Toggle",
    "Vortex",
    "boids",
    "free_energy_velocity",
    "gradient_flow_sde",
    "swarm",
    "toggle",
    "vortex",
]
