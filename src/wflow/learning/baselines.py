"""Forecasts that need no model, to stand beside every score."""

import numpy as np
from jaxtyping import Float

from wflow.transport import displacement_interpolation

from .snapshots import Snapshots
from .velocities import displacement_velocity


# Points and weights.
Cloud = tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]


def persistence(snapshots: Snapshots, k: int, time: float) -> Cloud:
    """Nothing moves: snapshot ``k`` as it is."""
    del time
    return snapshots[k], snapshots.weight(k)


def constant_velocity(snapshots: Snapshots, k: int, time: float) -> Cloud:
    r"""$x + (t - t_k) v$ from snapshot ``k``, v its given velocities.

    Where none are given, v is minus the displacement by which optimal transport would
    take the snapshot back to the one before (to the next one, for the first), per time.

    Raises:
        ValueError: no velocities and no other snapshot.
    """
    v = snapshots.velocity(k)
    if v is None:
        v = displacement_velocity(snapshots, k, _neighbour(snapshots, k))
    return snapshots[k] + (time - snapshots.times[k]) * v, snapshots.weight(k)


def mean_shift(snapshots: Snapshots, k: int, time: float) -> Cloud:
    r"""Snapshot ``k`` shifted as a whole, at the velocity of the last two means.

    Raises:
        ValueError: there is no other snapshot.
    """
    j = _neighbour(snapshots, k)
    mean, other = (snapshots.weight(i) @ snapshots[i] for i in (k, j))
    velocity = (mean - other) / (snapshots.times[k] - snapshots.times[j])
    shift = (time - snapshots.times[k]) * velocity
    return snapshots[k] + shift, snapshots.weight(k)


def ot_interpolation(snapshots: Snapshots, k: int, time: float) -> Cloud:
    r"""The point at ``time`` of the $W_2$ geodesic from snapshot ``k`` to the next.

    The midpoint of the two where ``time`` is.

    Raises:
        ValueError: there is no next snapshot.
    """
    if k + 1 >= len(snapshots):
        raise ValueError("ot_interpolation: there is no snapshot after the last.")
    start, end = snapshots.times[k], snapshots.times[k + 1]
    return displacement_interpolation(
        snapshots[k],
        snapshots[k + 1],
        float((time - start) / (end - start)),
        snapshots.weight(k),
        snapshots.weight(k + 1),
    )


def _neighbour(snapshots: Snapshots, k: int) -> int:
    """The snapshot before ``k``, for the first one the next."""
    if len(snapshots) < 2:
        raise ValueError(
            "a baseline velocity needs given velocities or two snapshots, found one."
        )
    return k - 1 if k else 1


def all_baselines(snapshots: Snapshots, k: int, time: float) -> dict[str, Cloud]:
    """Every baseline that can be had at ``time`` from snapshot ``k``, by name.

    Interpolation only where ``k`` is the last snapshot before ``time``.
    """
    clouds = {"persistence": persistence(snapshots, k, time)}
    if len(snapshots) > 1 or snapshots.velocity(k) is not None:
        clouds["constant_velocity"] = constant_velocity(snapshots, k, time)
    if len(snapshots) > 1:
        clouds["mean_shift"] = mean_shift(snapshots, k, time)
    if k + 1 < len(snapshots) and snapshots.before(time) == k:
        clouds["ot_interpolation"] = ot_interpolation(snapshots, k, time)
    return clouds
