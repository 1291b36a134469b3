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
    pooled = np.concatenate(clouds).astype(np.float64)
    spread, largest = pooled.std(axis=0), np.abs(pooled).max(axis=0)
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
