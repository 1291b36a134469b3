"""Errors over seeds."""

import numpy as np


def standard_error(values: np.ndarray) -> float:
    """Of the mean; not a number for a single seed."""
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))
