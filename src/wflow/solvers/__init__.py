"""Floor 4: one entry to Diffrax."""

from ._rollout import rollout, start_rollout
from ._solve import solve
from .damped_leapfrog import DampedLeapfrog
from .leapfrog import KineticState, leapfrog_step
from .noise import StepNoise
from .results import RESULTS, SolveError
from .solution import Solution


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
