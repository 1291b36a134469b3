"""Forecasts that need no model, to stand beside every score."""

import numpy as np
from jaxtyping import Float

from wflow.checks import finite, instance, shape
from wflow.transport.exact import displacement_interpolation

from .clock import shown
from .snapshots import Snapshots
from .velocities import displacement_velocity


# Points and weights.
Cloud = tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]


def persistence(snapshots: Snapshots, k: int, time: float) -> Cloud:
    """Nothing moves: snapshot ``k`` as it is.

    Raises:
        ValueError: there is no snapshot k, or time is not finite.
    """
    k = _asked("persistence", snapshots, k, time)
    return snapshots[k], snapshots.weight(k)


def constant_velocity(snapshots: Snapshots, k: int, time: float) -> Cloud:
    """A snapshot that goes on at the velocity that it has.

    $x + (t - t_k) v$ from snapshot ``k``, v its given velocities.

    Where none are given, v is minus the displacement by which optimal transport would
    take the snapshot back to the one before (to the next one, for the first), per time.

    Raises:
        ValueError: no velocities and no other snapshot.
    """
    k = _asked("constant_velocity", snapshots, k, time)
    v = snapshots.velocity(k)
    if v is None:
        v = displacement_velocity(snapshots, k, _neighbor(snapshots, k))
    return snapshots[k] + (time - snapshots.times[k]) * v, snapshots.weight(k)


def extrapolated_velocity(snapshots: Snapshots, k: int, time: float) -> Cloud:
    r"""A snapshot that goes on at its velocity and its acceleration.

    $x + \Delta (v + \tfrac{\Delta}{2} a)$, $a = (v - v') / (t_k - t_j)$.

    $\Delta = t - t_k$, v' the velocities of the snapshot j before (of the next one, for
    the first). Rows are taken for the same individuals in both, which snapshots do not
    promise and a model does not use.

    Raises:
        ValueError: velocities of either are missing, or they differ in shape.
    """
    k = _asked("extrapolated_velocity", snapshots, k, time)
    j = _neighbor(snapshots, k)
    v, other = snapshots.velocity(k), snapshots.velocity(j)
    if v is None or other is None or v.shape != other.shape:
        raise ValueError(
            f"extrapolated_velocity: expected velocities of one shape at snapshots {j} "
            f"and {k}."
        )
    ahead = time - snapshots.times[k]
    a = (v - other) / (snapshots.times[k] - snapshots.times[j])
    return snapshots[k] + ahead * (v + ahead / 2 * a), snapshots.weight(k)


def mean_shift(snapshots: Snapshots, k: int, time: float) -> Cloud:
    r"""Snapshot ``k`` shifted as a whole, at the velocity of the last two means.

    Raises:
        ValueError: there is no other snapshot.
    """
    k = _asked("mean_shift", snapshots, k, time)
    j = _neighbor(snapshots, k)
    mean, other = (snapshots.weight(i) @ snapshots[i] for i in (k, j))
    velocity = (mean - other) / (snapshots.times[k] - snapshots.times[j])
    shift = (time - snapshots.times[k]) * velocity
    return snapshots[k] + shift, snapshots.weight(k)


def ot_interpolation(snapshots: Snapshots, k: int, time: float) -> Cloud:
    r"""The point at ``time`` of the $W_2$ geodesic from snapshot ``k`` to the next.

    The midpoint of the two where ``time`` is.

    Raises:
        ValueError: there is no next snapshot, or time is not between the two.
    """
    k = _asked("ot_interpolation", snapshots, k, time)
    if k + 1 >= len(snapshots):
        raise ValueError(
            f"ot_interpolation: expected k below {len(snapshots) - 1}, found {k}; "
            "there is no snapshot after the last."
        )
    start, end = snapshots.times[k], snapshots.times[k + 1]
    if not start <= time <= end:
        raise ValueError(
            f"ot_interpolation: expected time from {shown(start, time)} to "
            f"{shown(end, time)}, between snapshots {k} and {k + 1}, found "
            f"{shown(time, start, end)}."
        )
    return displacement_interpolation(
        snapshots[k],
        snapshots[k + 1],
        float((time - start) / (end - start)),
        snapshots.weight(k),
        snapshots.weight(k + 1),
    )


def _asked(owner: str, snapshots: Snapshots, k: int, time: float) -> int:
    """Which snapshot ``k`` is, from 0 on; refuse one that does not exist."""
    instance(owner, "snapshots", snapshots, Snapshots, "Snapshots")
    count = len(snapshots)
    whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    if not whole or not -count <= k < count:
        raise ValueError(
            f"{owner}: expected k of one of {count} snapshots, found {k!r}."
        )
    shape(owner, "time", time, ())
    finite(owner, "time", time)
    return range(count)[k]


def _neighbor(snapshots: Snapshots, k: int) -> int:
    """The snapshot before ``k``, for the first one the next."""
    if len(snapshots) < 2:
        raise ValueError(
            "the velocity of a baseline: expected snapshots with velocities, or two "
            "snapshots, found one."
        )
    return k - 1 if k else 1


def _paired(snapshots: Snapshots, k: int) -> bool:
    """Whether ``k`` and its neighbor have velocities of one shape."""
    if len(snapshots) < 2:
        return False
    v, other = (snapshots.velocity(i) for i in (k, _neighbor(snapshots, k)))
    return v is not None and other is not None and v.shape == other.shape


def all_baselines(snapshots: Snapshots, k: int, time: float) -> dict[str, Cloud]:
    """Every baseline that can be had at ``time`` from snapshot ``k``, by name.

    Interpolation only where ``k`` is the last snapshot before ``time``.
    """
    clouds = {"persistence": persistence(snapshots, k, time)}
    if len(snapshots) > 1 or snapshots.velocity(k) is not None:
        clouds["constant_velocity"] = constant_velocity(snapshots, k, time)
    if _paired(snapshots, k):
        clouds["extrapolated_velocity"] = extrapolated_velocity(snapshots, k, time)
    if len(snapshots) > 1:
        clouds["mean_shift"] = mean_shift(snapshots, k, time)
    if k + 1 < len(snapshots) and snapshots.before(time) == k:
        clouds["ot_interpolation"] = ot_interpolation(snapshots, k, time)
    return clouds
