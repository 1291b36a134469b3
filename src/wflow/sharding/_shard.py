"""The rows of a population spread over the devices of a mesh."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from wflow.checks import instance, one_of
from wflow.learning import Snapshots
from wflow.learning.stacks import parts
from wflow.measures import Particles, Phase
from wflow.measures.particles import LOG_ZERO


Population = TypeVar("Population", Particles, Phase, Snapshots)


def shard(
    population: Population, mesh: Mesh, axis: str | tuple[str, ...] | None = None
) -> Population:
    """The same population with its rows spread evenly over the devices of ``mesh``.

    Computation follows data: ``solve``, ``fit``, ``sample``, energies, kernels and
    distances take it as they take any other, every device does its rows, and what comes
    out is spread as what went in. Values, gradients and random draws are those of one
    device but for rounding, since sums are taken in another order.

    Devices hold equally many rows. Where they do not divide, copies of the first
    particle with weight zero follow the others: they carry no mass, and the draws of
    those before them stay what they were. The rows of ``Snapshots`` stay on the host
    until a training asks for them; ``FlowMatching`` spreads the measures of a step.

    Args:
        population: ``Particles``, a ``Phase`` of particles, or ``Snapshots``.
        mesh: devices, from ``jax.make_mesh``. One of explicit axes, which is what
            ``jax.make_mesh`` makes unless told otherwise, is taken as one of automatic
            axes over the same devices: programs of solvers are written for these.
        axis: the axis of the mesh, or several of them, that rows are spread over; all
            of them by default.

    Raises:
        TypeError: another measure, or no mesh.
        ValueError: an axis that the mesh does not have.

    Example:
        >>> import jax
        >>> import wflow as wf
        >>> mesh = jax.make_mesh((jax.device_count(),), ("particles",))
        >>> x = jax.random.normal(jax.random.key(0), (64, 2))
        >>> mu = wf.Particles.from_samples(x)
        >>> wf.sharding.shard(mu, mesh).x.sharding.spec
        PartitionSpec('particles',)
    """
    instance("shard", "mesh", mesh, Mesh, "a jax.sharding.Mesh")
    names = mesh.axis_names if axis is None else axis
    names = names if isinstance(names, tuple) else (names,)
    for name in names:
        one_of("shard", "axis", name, mesh.axis_names)
    spread = NamedSharding(
        Mesh(mesh.devices, mesh.axis_names),
        PartitionSpec(names[0] if len(names) == 1 else names),
    )
    if isinstance(population, Snapshots):
        return Snapshots(
            population.times,
            population.clouds,
            population.velocities,
            population.weights,
            population.masses,
            spread,
        )
    law = population.measure if isinstance(population, Phase) else population
    if not isinstance(law, Particles):
        of = "a Phase of " if isinstance(population, Phase) else ""
        raise TypeError(
            "shard: expected population to be Particles, a Phase of Particles or "
            f"Snapshots, found {of}{type(law).__name__}."
        )
    missing = -law.n % parts(spread)

    def placed(rows: Array, padding: Array | float | None = None) -> Array:
        if missing:
            rest = jnp.broadcast_to(
                rows[:1] if padding is None else padding, (missing, *rows.shape[1:])
            )
            rows = jnp.concatenate([rows, rest.astype(rows.dtype)])
        return jax.device_put(rows, spread)

    period, signed = law.period, law.signed
    if period is not None:
        period = jax.device_put(period, NamedSharding(spread.mesh, PartitionSpec()))
    if signed is not None:
        signed = placed(signed, 0.0)
    moved = Particles(placed(law.x), placed(law.logw, LOG_ZERO), period, signed)
    if isinstance(population, Phase):
        return type(population)(moved, placed(population.velocity))
    return moved
