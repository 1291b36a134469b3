"""Stability of two flows, and what a draw from one costs in privacy."""

from ._stability import Stability, stability
from .accountant import PrivacyAccountant
from .bounds import (
    drift_term,
    duhamel_bound,
    gradient_bound,
    kl_bound,
    source_bound,
    warm_start_bound,
)
from .certificate import (
    Certificate,
    UnboundedPrivacyWarning,
    UncertifiedReleaseError,
)
from .conversions import (
    delta_from_kl,
    delta_from_pure,
    delta_from_renyi,
    divergence_budget,
    epsilon_from_kl,
    epsilon_from_pure,
    epsilon_from_renyi,
    gaussian_renyi,
    kl_from_pure,
    renyi_from_pure,
)
from .mechanism import ExponentialMechanism, PrivateDraw, kl_flow, privatise
from .ratio import grid_kl, log_ratio, oscillation, potential_source
from .torus import TorusLoss
from .utility import (
    gaussian_utility,
    quadratic_utility_bound,
    utility_bound,
    warm_start_kl,
)


__all__ = [
    "Certificate",
    "ExponentialMechanism",
    "PrivacyAccountant",
    "PrivateDraw",
    "Stability",
    "TorusLoss",
    "UnboundedPrivacyWarning",
    "UncertifiedReleaseError",
    "delta_from_kl",
    "delta_from_pure",
    "delta_from_renyi",
    "divergence_budget",
    "drift_term",
    "duhamel_bound",
    "epsilon_from_kl",
    "epsilon_from_pure",
    "epsilon_from_renyi",
    "gaussian_renyi",
    "gaussian_utility",
    "gradient_bound",
    "grid_kl",
    "kl_bound",
    "kl_flow",
    "kl_from_pure",
    "log_ratio",
    "oscillation",
    "potential_source",
    "privatise",
    "quadratic_utility_bound",
    "renyi_from_pure",
    "source_bound",
    "stability",
    "utility_bound",
    "warm_start_bound",
    "warm_start_kl",
]
