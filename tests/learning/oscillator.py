"""A small population that oscillates, and a small model of it."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np

from wflow.energies import AttentionPotential
from wflow.flows import LagrangianFlow
from wflow.learning import Rollouts, Snapshots, fit
from wflow.parameters import Learnable


N, D = 12, 2
TIMES = np.array([0.0, 0.5, 1.5, 2.0])


def oscillation(times, *, stiffness=1.0, friction=0.5, n=N, seed=0):
    """Exact snapshots of damped harmonic motion, with velocities."""
    rng = np.random.default_rng(seed)
    x0, v0 = rng.normal(size=(n, D)) + [1.0, 0.0], 0.5 * rng.normal(size=(n, D))
    g, w = friction / 2, np.sqrt(stiffness - friction**2 / 4)
    clouds, velocities = [], []
    for t in times:
        c, s, decay = np.cos(w * t), np.sin(w * t) / w, np.exp(-g * t)
        clouds.append(decay * (c * x0 + s * (v0 + g * x0)))
        velocities.append(decay * (c * v0 - s * (stiffness * x0 + g * v0)))
    return clouds, velocities


def make_flow(time_dim):
    energy = AttentionPotential(
        D, width=4, depth=1, feedforward=4, time_dim=time_dim, key=jax.random.key(0)
    )
    return LagrangianFlow(energy, Learnable(0.3), "unified")


def trained(flow, snapshots, **options):
    """``fit`` by rollouts, which take the options that are theirs."""
    own = inspect.signature(Rollouts).parameters
    rollouts = {name: options.pop(name) for name in own if name in options}
    return fit(flow, snapshots, Rollouts(**rollouts), **options)


def weighted(snapshots, seed=1):
    """The same clouds, of unequal sizes and with weights."""
    rng = np.random.default_rng(seed)
    sizes = [N - 2, N - 5, N, N - 3]
    return Snapshots(
        snapshots.times,
        [x[:n] for x, n in zip(snapshots, sizes, strict=True)],
        [snapshots.velocity(k)[:n] for k, n in enumerate(sizes)],
        [rng.uniform(0.5, 1.5, size=n) for n in sizes],
    )


def as_float32(snapshots):
    return Snapshots(
        snapshots.times,
        [x.astype(np.float32) for x in snapshots],
        [v.astype(np.float32) for v in snapshots.velocities],
    )


def random_like(tree, seed):
    """A random direction in the space of ``tree``, of Euclidean length 1."""
    leaves, structure = jax.tree.flatten(tree)
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=leaf.shape) for leaf in leaves]
    norm = np.sqrt(sum((part**2).sum() for part in parts))
    return jax.tree.unflatten(structure, [jnp.asarray(part / norm) for part in parts])
