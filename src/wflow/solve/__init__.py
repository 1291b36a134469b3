"""Floor 4: one entry to Diffrax."""

from .damped_leapfrog import DampedLeapfrog
from .leapfrog import KineticState, leapfrog_step
from .noise import StepNoise
from .results import RESULTS, SolveError
from .rollout import rollout, start_rollout
from .solution import Solution
from .solve import solve


__all__ = [
    "RESULTS",
    "DampedLeapfrog",
    "KineticState",
    "Solution",
    "SolveError",
    "StepNoise",
    "leapfrog_step",
    "rollout",
    "solve",
    "start_rollout",
]
