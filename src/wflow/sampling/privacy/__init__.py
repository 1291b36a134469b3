"""Stability of two flows, and what a draw from one costs in privacy."""

from ._stability import stability
from .accountant import PrivacyAccountant
from .mechanism import ExponentialMechanism, privatize
from .utility import utility_bound


__all__ = [
    "ExponentialMechanism",
    "PrivacyAccountant",
    "privatize",
    "stability",
    "utility_bound",
]
