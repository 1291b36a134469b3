"""The length that Sinkhorn divergences of snapshots are blurred by."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.transport import inputs


def median_blur(
    snapshots: Sequence[Float[ArrayLike, "n d"]],
    *,
    key: PRNGKeyArray,
    low: float,
    high: float,
    pairs: int = 4096,
) -> float:
    r"""A blur for the Sinkhorn loss, from the distances within the snapshots.

    $b = \mathrm{clip}(\frac12\,\mathrm{med}_t\,\mathrm{med}_{ij} |x_i - x_j|)$.

    The inner median is over random pairs of different points of one snapshot, the outer
    one over snapshots. Runs outside ``jit``.

    Args:
        snapshots: clouds ``(n, d)`` of any sizes n >= 2, or one array ``(T, n, d)``.
        key: random key.
        low: least blur, what coinciding points get.
        high: largest blur.
        pairs: number of random pairs for each snapshot.

    Returns:
        The blur, a length.

    Raises:
        TypeError: a snapshot that is no array of numbers.
        ValueError: no snapshot, one with fewer than two points, or not finite, no pair,
            or not ``0 < low <= high``.

    Reference: the rule of the Wasserstein-Lagrangian mechanics experiments.
    """
    owner = "median_blur"
    for name, value in (("low", low), ("high", high)):
        checks.shape(owner, name, value, ())
        checks.positive(owner, name, value, infinite=name == "high")
    if not low <= high:
        raise ValueError(
            f"{owner}: expected 0 < low <= high, found low {low} and high {high}."
        )
    checks.count(owner, "pairs", pairs)
    if not hasattr(snapshots, "__len__") or isinstance(snapshots, str | bytes):
        raise TypeError(
            f"{owner}: expected snapshots to be a list of clouds (n, d), found "
            f"{type(snapshots).__name__}."
        )
    if len(snapshots) == 0:
        raise ValueError(f"{owner}: expected snapshots, one at least, found none.")
    rng = np.random.default_rng(np.asarray(jax.random.bits(key, (4,), np.uint32)))
    medians = []
    for index, snapshot in enumerate(snapshots):
        name = f"snapshots[{index}]"
        x = inputs.in_double(owner, name, snapshot)
        inputs.check_cloud(owner, name, x)
        if len(x) == 1:
            raise ValueError(
                f"{owner}: expected {name} of at least two points, found one."
            )
        i = rng.integers(len(x), size=pairs)
        j = (i + rng.integers(1, len(x), size=pairs)) % len(x)
        medians.append(np.median(np.linalg.norm(x[i] - x[j], axis=1)))
    return float(np.clip(np.median(medians) / 2, low, high))
