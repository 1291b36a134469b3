"""Coordinates that a precision does not hold: far from the origin, huge or tiny."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


# Rounding of a coordinate, as a share of its spread, that does harm.
COARSE = 1e-3
# Ratio of spreads from which on distances do not see the smaller one.
_UNSEEN = 1e-4
# Of the largest coordinate: a spread that is rounding of double precision alone.
CONSTANT = 8 * float(np.finfo(np.float64).eps)


def steps(
    clouds: Sequence[Float[np.ndarray, "n d"]], dtype: np.dtype
) -> Float[np.ndarray, " d"]:
    """The distance of neighboring numbers of ``dtype`` where the clouds lie."""
    largest = np.max([np.abs(cloud).max(axis=0) for cloud in clouds], axis=0)
    with np.errstate(over="ignore"):
        return np.spacing(largest.astype(dtype)).astype(np.float64)


def _pooled(
    clouds: Sequence[Float[np.ndarray, "n d"]],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Standard deviation and largest size of all points, one cloud held at a time."""
    parts = [cloud.astype(np.float64).mean(axis=0) for cloud in clouds]
    sizes = np.array([len(cloud) for cloud in clouds])
    mean = sizes @ np.stack(parts) / sizes.sum()
    squares, largest = np.zeros_like(mean), np.zeros_like(mean)
    for cloud in clouds:
        cloud = cloud.astype(np.float64)
        squares += np.sum((cloud - mean) ** 2, axis=0)
        largest = np.maximum(largest, np.abs(cloud).max(axis=0))
    return np.sqrt(squares / sizes.sum()), largest


def check_scales(
    owner: str, clouds: Sequence[Float[np.ndarray, "n d"]], dtype: np.dtype
) -> None:
    """Refuse clouds whose coordinates ``dtype`` does not resolve.

    Warns of coordinates whose spread is too small beside that of others for a distance
    to see it.

    Raises:
        ValueError: they lie too far from the origin, or their squares overflow or
            underflow.
    """
    spread, largest = _pooled(clouds)
    varies = spread > CONSTANT * largest
    coarse = varies & ~(steps(clouds, dtype) <= COARSE * spread)
    remedy = "train on snapshots.standardize()[0]"
    if coarse.any():
        j = int(np.argmax(coarse))
        raise ValueError(
            f"{owner}: expected snapshots nearer to the origin, found coordinate {j} "
            f"up to {largest[j]:.3g} with a spread of {spread[j]:.3g}, which {dtype} "
            f"cannot resolve; {remedy}."
        )
    if not varies.any():
        return
    widest, least = spread[varies].max(), spread[varies].min()
    info = np.finfo(dtype)
    if not float(info.tiny) ** 0.5 * 1e3 < widest < float(info.max) ** 0.5 * 1e-3:
        raise ValueError(
            f"{owner}: expected snapshots of moderate scale, found a spread of "
            f"{widest:.3g}, whose square {dtype} cannot hold; {remedy}."
        )
    if least < _UNSEEN * widest:
        small = int(np.flatnonzero(varies)[np.argmin(spread[varies])])
        warnings.warn(
            f"{owner}: the snapshots spread by {least:.3g} in coordinate {small} and "
            f"by {widest:.3g} in another, so that distances do not see the former; "
            f"{remedy}.",
            stacklevel=4,
        )
