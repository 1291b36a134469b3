"""Propagation of chaos: how closely finite networks follow their mean-field limit."""

from .conditions import (
    bound_exponent,
    decay_exponent,
    gronwall_factor,
    integral_sqrt_loss,
    verdict,
)
from .diagonal import diagonal_gaps, power_law, residual_at
from .linearised import clt_bias, clt_variance, lipschitz_rate, tangent_rates
from .risks import (
    AbstractRisk,
    DiagonalRisk,
    FrozenRisk,
    QuadraticRisk,
    SampledQuadraticRisk,
    SampledRisk,
    SingleIndexRisk,
)
from .student import Student, UniformSphere
from .study import Report, follow, study, summarise


__all__ = [
    "AbstractRisk",
    "DiagonalRisk",
    "FrozenRisk",
    "QuadraticRisk",
    "Report",
    "SampledQuadraticRisk",
    "SampledRisk",
    "SingleIndexRisk",
    "Student",
    "UniformSphere",
    "bound_exponent",
    "clt_bias",
    "clt_variance",
    "decay_exponent",
    "diagonal_gaps",
    "follow",
    "gronwall_factor",
    "integral_sqrt_loss",
    "lipschitz_rate",
    "power_law",
    "residual_at",
    "study",
    "summarise",
    "tangent_rates",
    "verdict",
]
