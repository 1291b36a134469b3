"""Few of many: large clouds are drawn in part, always the same part."""

import numpy as np


# Points of a path and of a snapshot, times of a motion, snapshots of one.
PATHS, CLOUD, FRAMES, SNAPSHOTS = 400, 500, 41, 40


def few(size: int, most: int) -> np.ndarray:
    """Indices of ``most`` of ``size`` rows, evenly spread; all if there are fewer."""
    if size <= most:
        return np.arange(size)
    return np.unique(np.linspace(0, size - 1, most).round().astype(int))


def counted(drawn: int, size: int, what: str) -> str:
    """How many are drawn, where it is not all of them."""
    return f"{size} {what}" if drawn == size else f"{drawn} of {size} {what}"
