"""Start velocities as a smooth field: what transport says, corrected by a network."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, instance, positive, random_key, shape
from wflow.transport import optimal_plan

from .snapshots import Snapshots
from .velocities import (
    AbstractInitialVelocity,
    Displacement,
    Velocities,
    check_snapshots,
)


class VelocityNetwork(eqx.Module):
    r"""A learned velocity field that is zero until it is trained.

    $v_\theta(x, t)$, a multilayer perceptron.
    """

    mlp: eqx.nn.MLP
    origin: Float[Array, ""]
    duration: Float[Array, ""]

    def __init__(
        self,
        snapshots: Snapshots,
        *,
        width: int = 32,
        depth: int = 2,
        key: PRNGKeyArray,
    ):
        """Make a field on the space of ``snapshots`` and the time that they span.

        Raises:
            TypeError: no snapshots, sizes that are not whole, no key.
            ValueError: fewer than two snapshots, or a size below one.
        """
        check_snapshots("VelocityNetwork", snapshots)
        count(self, "width", width)
        count(self, "depth", depth)
        key = random_key(self, "key", key)
        d, times = snapshots.dim, snapshots.times
        mlp = eqx.nn.MLP(d + 1, d, width, depth, activation=jax.nn.silu, key=key)
        self.mlp = eqx.tree_at(
            lambda m: (m.layers[-1].weight, m.layers[-1].bias),
            mlp,
            replace_fn=jnp.zeros_like,
        )
        self.origin = jnp.asarray((times[0] + times[-1]) / 2)
        self.duration = jnp.asarray(times[-1] - times[0])

    def __call__(self, x: Float[Array, "n d"], t: ArrayLike) -> Float[Array, "n d"]:
        """The field at every point of ``x``."""
        clock = 2 * (jnp.asarray(t, x.dtype) - self.origin) / self.duration
        clock = jnp.broadcast_to(clock.astype(x.dtype), (len(x), 1))
        return jax.vmap(self.mlp)(jnp.concatenate([x, clock], axis=1))


class SmoothedDisplacement(AbstractInitialVelocity):
    r"""Start velocities towards the next snapshot, averaged over neighbors.

    $v(x_i) = \sum_j k(x_i, x_j) u_j / \sum_j k(x_i, x_j)$, u the ``Displacement``.

    An optimal map between samples also moves each point by sampling noise; the average
    over the neighbors, with a Gaussian kernel of width ``bandwidth`` (a length), takes
    it out.

    Raises:
        ValueError: bandwidth <= 0.

    Reference: Nadaraya, Theory of Probability and its Applications 9 (1964).
    """

    bandwidth: float = eqx.field(static=True, default=0.4)

    def __check_init__(self) -> None:
        shape(self, "bandwidth", self.bandwidth, ())
        positive(self, "bandwidth", self.bandwidth)

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        return tuple(
            smoothed(x, v, snapshots.weight(k), self.bandwidth)
            for k, (x, v) in enumerate(
                zip(snapshots, Displacement()(snapshots, key), strict=True)
            )
        )


def shares(snapshots: Snapshots, i: int, j: int) -> Float[np.ndarray, "n m"]:
    """Where the mass of each point of snapshot i goes in snapshot j; rows sum to 1."""
    weights = snapshots.weight(i), snapshots.weight(j)
    plan = optimal_plan(snapshots[i], snapshots[j], *weights)
    mass = plan.sum(axis=1, keepdims=True)
    return plan / np.where(mass > 0, mass, 1)


def smoothed(
    x: Float[np.ndarray, "n d"],
    values: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    bandwidth: float,
) -> Float[np.ndarray, "n d"]:
    """``values`` at the points of ``x``, averaged over neighbors by a Gaussian."""
    r2 = np.sum((x[:, None] - x) ** 2, axis=-1, dtype=np.float64)
    kernel = np.exp(-r2 / (2 * bandwidth**2)) * weights
    return (kernel @ values / kernel.sum(axis=1, keepdims=True)).astype(x.dtype)


class Corrected(AbstractInitialVelocity):
    r"""Start velocities by a rule, corrected by a network that is trained along.

    $v_i = u_i + v_\theta(x_i, t_k)$, u from ``start``, the network trained along.

    Unlike ``Learned`` it moves neighbors alike, and what it learns at one snapshot
    also moves the points of the others, the last included.

    Raises:
        TypeError: start is no such rule; width or depth is not whole.
        ValueError: width or depth below one.
    """

    start: AbstractInitialVelocity = SmoothedDisplacement()
    width: int = eqx.field(static=True, default=32)
    depth: int = eqx.field(static=True, default=2)

    def __check_init__(self) -> None:
        for name in ("width", "depth"):
            count(self, name, getattr(self, name))
        rule = "a rule of start velocities"
        instance(self, "start", self.start, AbstractInitialVelocity, rule)

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        return self.start(snapshots, key)

    def correction(self, snapshots: Snapshots, key: PRNGKeyArray) -> Any:
        return VelocityNetwork(snapshots, width=self.width, depth=self.depth, key=key)


def corrected(
    correction: VelocityNetwork | None, snapshots: Snapshots, velocities: Velocities
) -> Velocities:
    """``velocities`` plus ``correction`` at the points of ``snapshots``."""
    if correction is None:
        return velocities
    return tuple(
        None if v is None else v + np.asarray(_evaluated(correction, x, t))
        for x, t, v in zip(snapshots.clouds, snapshots.times, velocities, strict=True)
    )


_evaluated = eqx.filter_jit(lambda field, x, t: field(jnp.asarray(x), t))
