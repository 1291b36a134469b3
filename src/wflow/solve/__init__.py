"""Floor 4: one entry to Diffrax."""

from .leapfrog import (
    DampedLeapfrog,
    KineticState,
    leapfrog_step,
    rollout,
    start_rollout,
)
from .noise import StepNoise
from .results import RESULTS, SolveError
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
