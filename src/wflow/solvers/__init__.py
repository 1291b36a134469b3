"""Floor 4: one entry to Diffrax."""

from wflow.flows.damped_leapfrog import DampedLeapfrog
from wflow.flows.leapfrog import KineticState, leapfrog_step

from ._rollout import rollout, start_rollout
from ._solve import solve
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
