"""Propagation of chaos: how closely finite networks follow their mean-field limit."""

from .kernel_risks import SingleIndexRisk
from .linearized import clt_variance
from .risks import QuadraticRisk
from .sampled import Neuron, SampledRisk
from .student import Student
from .widths import study_widths


__all__ = [
    "Neuron",
    "QuadraticRisk",
    "SampledRisk",
    "SingleIndexRisk",
    "Student",
    "clt_variance",
    "study_widths",
]
