"""Stability of two flows, and what a draw from one costs in privacy."""

from .accountant import PrivacyAccountant
from .mechanism import ExponentialMechanism, privatize


__all__ = [
    "ExponentialMechanism",
    "PrivacyAccountant",
    "privatize",
]
