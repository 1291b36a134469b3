"""One entry to Diffrax."""

from wflow.flows.damped_leapfrog import DampedLeapfrog

from ._solve import solve
from .results import RESULTS, SolveError
from .solution import Solution


__all__ = [
    "DampedLeapfrog",
    "RESULTS",
    "Solution",
    "SolveError",
    "solve",
]
