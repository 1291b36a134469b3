"""Saddle to saddle: small ReLU networks on orthogonal data, learnt sample by sample."""

from ._staircase import Staircase, half_times, staircase
from .course import Course, course_of, course_through, follow
from .cover import (
    covering_width,
    failure_bound,
    interpolation_probability,
    sample_cover,
    width_for,
)
from .data import ReLUData
from .descent import descend, stable_step
from .flow import ReLUFlow, plateau_controller
from .instances import Instance, draw_instances, random_gram, random_labels
from .jumps import JumpProcess, TieError, jump_process, limit_of_cover
from .neurons import LogNeurons, from_weights, small_neurons
from .norms import min_norm_squared, tangent_kernel
from .plateaus import plateau_motion, time_to_level
from .weights import solve_weights


__all__ = [
    "Course",
    "Instance",
    "JumpProcess",
    "LogNeurons",
    "ReLUData",
    "ReLUFlow",
    "Staircase",
    "TieError",
    "course_of",
    "course_through",
    "covering_width",
    "descend",
    "draw_instances",
    "failure_bound",
    "follow",
    "from_weights",
    "half_times",
    "interpolation_probability",
    "jump_process",
    "limit_of_cover",
    "min_norm_squared",
    "plateau_controller",
    "plateau_motion",
    "random_gram",
    "random_labels",
    "sample_cover",
    "small_neurons",
    "solve_weights",
    "stable_step",
    "staircase",
    "tangent_kernel",
    "time_to_level",
    "width_for",
]
