"""What a fitted law looks like in space: landscape, force and velocity."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import count, finite, instance, non_negative, positive, shape, to_real
from wflow.energies import AbstractEnergy
from wflow.flows import GrowthFlow
from wflow.kernels import median_bandwidth
from wflow.learning import Snapshots
from wflow.measures import Particles
from wflow.measures.particles import refuse_period
from wflow.parameters.learnable import unwrap


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
    instance("lattice", "snapshots", snapshots, Snapshots, "Snapshots")
    count("lattice", "size", size, 2)
    shape("lattice", "margin", margin, ())
    non_negative("lattice", "margin", margin)
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
    r"""The potential that a particle would feel at any point, the population fixed.

    $(\delta F/\delta\mu)(y)$ at ``points``, up to a constant. Points that are not
    finite give nan.

    Args:
        energy: of the population.
        cloud: the population.
        points: y, ``(m, d)``.
        t: the time, for energies that depend on it.

    Raises:
        TypeError: no energy, no particles, points that are no numbers.
        ValueError: points of another dimension, or a time that is not finite.
    """
    points = _asked("landscape", energy, cloud, points, t)
    return np.asarray(_landscape(unwrap(energy), cloud, points, t))


def force_field(
    energy: AbstractEnergy,
    cloud: Particles,
    points: Float[ArrayLike, "m d"],
    t: ArrayLike = 0.0,
) -> Float[np.ndarray, "m d"]:
    r"""The force that a particle would feel at any point, the population fixed.

    $-\nabla (\delta F/\delta\mu)(y)$ at ``points``; at a particle its force. Points
    that are not finite give nan.

    Args:
        energy: of the population.
        cloud: the population.
        points: y, ``(m, d)``.
        t: the time, for energies that depend on it.

    Raises:
        TypeError: no energy, no particles, points that are no numbers.
        ValueError: points of another dimension, or a time that is not finite.
    """
    points = _asked("force_field", energy, cloud, points, t)
    return np.asarray(_force(unwrap(energy), cloud, points, t))


def growth_field(
    growth: GrowthFlow, points: Float[ArrayLike, "m d"], t: ArrayLike = 0.0
) -> Float[np.ndarray, " m"]:
    """The growth per time at ``points``; points that are not finite give nan.

    Raises:
        TypeError: no growth, or points that are no numbers.
        ValueError: points that are not ``(m, d)``, or a time that is not finite.
    """
    instance("growth_field", "growth", growth, GrowthFlow, "a GrowthFlow")
    points = to_real(points, "points")
    shape("growth_field", "points", points, ("m", "d"))
    _check_time("growth_field", t)
    return np.asarray(_rates(unwrap(growth), points, t))


def _asked(owner: str, energy: Any, cloud: Any, points: Any, t: Any) -> Array:
    """The points, in the precision of the cloud."""
    instance(owner, "energy", energy, AbstractEnergy, "an energy")
    _check_time(owner, t)
    return _points(owner, cloud, points)


def _points(owner: str, cloud: Any, points: Any) -> Array:
    instance(owner, "cloud", cloud, Particles, "Particles")
    points = to_real(points, "points").astype(cloud.dtype)
    shape(owner, "points", points, ("m", cloud.dim))
    return points


def _check_time(owner: str, t: Any) -> None:
    shape(owner, "t", t, ())
    finite(owner, "t", t)


def velocity_field(
    cloud: Particles,
    velocities: Float[ArrayLike, "n d"],
    points: Float[ArrayLike, "m d"],
    *,
    bandwidth: ArrayLike | None = None,
) -> Float[np.ndarray, "m d"]:
    r"""The velocities of particles, smoothed into a field: averages near each point.

    $\sum_i w_i k(y, x_i) v_i / \sum_i w_i k(y, x_i)$ with a Gaussian kernel k; far
    away, the velocity of the nearest. Points or velocities that are not finite give
    nan.

    Args:
        cloud: the particles.
        velocities: one for each, ``(n, d)``.
        points: y, ``(m, d)``.
        bandwidth: of the kernel, a length; by default that of ``median_bandwidth``.

    Raises:
        TypeError: no particles, or arrays that are no numbers.
        ValueError: bandwidth <= 0, also where all particles coincide and none is given;
            velocities that are not those of the particles, points of another dimension.

    Reference: Nadaraya, Theory of Probability and its Applications 9 (1964).
    """
    points = _points("velocity_field", cloud, points)
    refuse_period("velocity_field", cloud)
    velocities = to_real(velocities, "velocities").astype(cloud.dtype)
    shape("velocity_field", "velocities", velocities, cloud.x.shape)
    if bandwidth is None:
        bandwidth = median_bandwidth(cloud.x)
    bandwidth = to_real(bandwidth, "bandwidth").astype(cloud.dtype)
    shape("velocity_field", "bandwidth", bandwidth, ())
    positive("velocity_field", "bandwidth", bandwidth)
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
