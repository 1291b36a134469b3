"""What a fitted law looks like in space: landscape, force and velocity."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.energies import AbstractEnergy
from wflow.flows import GrowthFlow
from wflow.kernels import median_bandwidth
from wflow.learning import Snapshots
from wflow.measures import Particles
from wflow.parameters import unwrap


def lattice(
    snapshots: Snapshots, size: int = 32, margin: float = 0.1
) -> tuple[tuple[Float[np.ndarray, " size"], ...], Float[np.ndarray, "m d"]]:
    """Axes and points of a regular lattice over all the clouds.

    ``size`` points on each axis, from a share ``margin`` of the extent below the least
    coordinate to as much above the largest. Points run along the last axis fastest:
    ``values.reshape([size] * d)`` has axis k of the lattice as axis k.

    Raises:
        ValueError: size below 2, margin below 0, or more than three dimensions.
    """
    if size < 2 or margin < 0:
        raise ValueError(
            f"lattice: expected size >= 2 and margin >= 0, found {size} and {margin}."
        )
    if snapshots.dim > 3:
        raise ValueError(
            f"lattice: expected at most 3 dimensions, found {snapshots.dim}; evaluate "
            "the fields at points of your choice."
        )
    pooled = np.concatenate(snapshots.clouds)
    low, high = pooled.min(axis=0), pooled.max(axis=0)
    extent = np.where(high > low, high - low, 1)
    axes = tuple(
        np.linspace(a - margin * e, b + margin * e, size, dtype=snapshots.dtype)
        for a, b, e in zip(low, high, extent, strict=True)
    )
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return axes, points.reshape(-1, snapshots.dim)


def landscape(
    energy: AbstractEnergy,
    cloud: Particles,
    points: Float[ArrayLike, "m d"],
    t: ArrayLike = 0.0,
) -> Float[np.ndarray, " m"]:
    r"""$(\delta F/\delta\mu)(y)$ at ``points``, the population where it is.

    The potential that a particle at y would feel; up to a constant.
    """
    points = jnp.asarray(points, cloud.dtype)
    return np.asarray(_landscape(unwrap(energy), cloud, points, t))


def force_field(
    energy: AbstractEnergy,
    cloud: Particles,
    points: Float[ArrayLike, "m d"],
    t: ArrayLike = 0.0,
) -> Float[np.ndarray, "m d"]:
    r"""$-\nabla (\delta F/\delta\mu)(y)$ at ``points``; at a particle its force."""
    points = jnp.asarray(points, cloud.dtype)
    return np.asarray(_force(unwrap(energy), cloud, points, t))


def growth_field(
    growth: GrowthFlow, points: Float[ArrayLike, "m d"], t: ArrayLike = 0.0
) -> Float[np.ndarray, " m"]:
    """The growth per time at ``points``."""
    return np.asarray(_rates(unwrap(growth), jnp.asarray(points), t))


def velocity_field(
    cloud: Particles,
    velocities: Float[ArrayLike, "n d"],
    points: Float[ArrayLike, "m d"],
    *,
    bandwidth: ArrayLike | None = None,
) -> Float[np.ndarray, "m d"]:
    r"""$\sum_i w_i k(y, x_i) v_i / \sum_i w_i k(y, x_i)$ with a Gaussian kernel k.

    The velocities of the particles, averaged near each point; far away, the velocity of
    the nearest. ``bandwidth`` is a length, by default that of ``median_bandwidth``.

    Reference: Nadaraya, Theory of Probability and its Applications 9 (1964).
    """
    points = jnp.asarray(points, cloud.dtype)
    if bandwidth is None:
        bandwidth = median_bandwidth(cloud.x)
    velocities = jnp.asarray(velocities, cloud.dtype)
    bandwidth = jnp.asarray(bandwidth, cloud.dtype)
    return np.asarray(_averaged(cloud, velocities, points, bandwidth))


@jax.jit
def _averaged(cloud: Particles, v: Array, points: Array, bandwidth: Array) -> Array:
    r2 = jnp.sum((points[:, None] - cloud.x) ** 2, axis=-1)
    return jax.nn.softmax(cloud.logw - r2 / (2 * bandwidth**2), axis=1) @ v


@eqx.filter_jit
def _rates(growth: Any, points: Array, t: ArrayLike) -> Array:
    return growth.rates(points, t)


@eqx.filter_jit
def _landscape(energy: Any, cloud: Particles, points: Array, t: ArrayLike) -> Array:
    return energy.first_variation(cloud, points, t)


@eqx.filter_jit
def _force(energy: Any, cloud: Particles, points: Array, t: ArrayLike) -> Array:
    # Massless points do not act on each other: the sum's gradient is each one's own.
    return -jax.grad(lambda y: energy.first_variation(cloud, y, t).sum())(points)
