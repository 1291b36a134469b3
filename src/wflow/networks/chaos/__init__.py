"""Propagation of chaos: how closely finite networks follow their mean-field limit."""

from ._study import Report, follow, study, summarise
from .conditions import (
    bound_exponent,
    decay_exponent,
    gronwall_factor,
    integral_sqrt_loss,
    verdict,
)
from .diagonal import diagonal_gaps, power_law, residual_at
from .finite import descend, sample_gaps, step_gaps
from .kernel_risks import AbstractKernelRisk, ErfRisk, SingleIndexRisk
from .linearised import clt_bias, clt_variance, sampling_variance
from .risks import (
    AbstractRisk,
    Correlation,
    DiagonalRisk,
    FrozenRisk,
    QuadraticRisk,
)
from .sampled import Neuron, SampledQuadraticRisk, SampledRisk, alignment
from .student import Student, UniformSphere
from .tangent import (
    frozen_kernel_loss,
    lipschitz_rate,
    stable_step,
    tangent_kernel,
    tangent_rates,
)


__all__ = [
    "AbstractKernelRisk",
    "AbstractRisk",
    "Correlation",
    "DiagonalRisk",
    "ErfRisk",
    "FrozenRisk",
    "Neuron",
    "QuadraticRisk",
    "Report",
    "SampledQuadraticRisk",
    "SampledRisk",
    "SingleIndexRisk",
    "Student",
    "UniformSphere",
    "alignment",
    "bound_exponent",
    "clt_bias",
    "clt_variance",
    "decay_exponent",
    "descend",
    "diagonal_gaps",
    "follow",
    "frozen_kernel_loss",
    "gronwall_factor",
    "integral_sqrt_loss",
    "lipschitz_rate",
    "power_law",
    "residual_at",
    "sample_gaps",
    "sampling_variance",
    "stable_step",
    "step_gaps",
    "study",
    "summarise",
    "tangent_kernel",
    "tangent_rates",
    "verdict",
]
