"""Snapshots of unequal sizes as one array, padded with points of weight zero."""

import math
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from .snapshots import Snapshots


class Stack(NamedTuple):
    """T clouds of at most n points; those beyond a cloud's size have weight zero."""

    x: Float[Array, "T n d"]
    weights: Float[Array, "T n"]

    @property
    def size(self) -> int:
        """Number of rows of each cloud, padding included."""
        return self.x.shape[1]

    def rows(self, key: PRNGKeyArray, n: int) -> Array:
        """``n`` different rows of each cloud at random, padding last; ``(T, n)``."""
        score = jax.random.uniform(key, self.weights.shape)
        padded = self.weights == 0
        return jnp.argsort(jnp.where(padded, 2, score), axis=1)[:, :n]

    def take(self, rows: Array) -> Self:
        """The clouds of these rows, ``(T, n)``, weights normalized."""
        weights = jnp.take_along_axis(self.weights, rows, axis=1)
        return type(self)(
            jnp.take_along_axis(self.x, rows[..., None], axis=1),
            weights / weights.sum(axis=1, keepdims=True),
        )

    def subset(self, key: PRNGKeyArray, n: int) -> Self:
        """``n`` different points of each cloud at random."""
        return self.take(self.rows(key, n))


def stacked(snapshots: Snapshots, size: int | None = None) -> Stack:
    """The clouds of ``snapshots`` in one array; padding repeats the first point.

    Rows lie where the snapshots' ``sharding`` puts them.

    Raises:
        ValueError: ``size``, the number of rows, is less than the largest cloud's.
    """
    n = row_count(snapshots, size)
    clouds = [padded(cloud, n) for cloud in snapshots.clouds]
    weights = [
        np.pad(snapshots.weight(k), (0, n - len(cloud)))
        for k, cloud in enumerate(snapshots.clouds)
    ]
    return Stack(
        spread_rows(np.stack(clouds), snapshots.sharding),
        spread_rows(np.stack(weights), snapshots.sharding),
    )


def row_count(snapshots: Snapshots, size: int | None = None) -> int:
    """The rows of a stack: ``size``, by default those of the largest cloud.

    As many more as devices need to have the same number of rows each.

    Raises:
        ValueError: ``size`` is less than the largest cloud's.
    """
    largest = max(snapshots.sizes)
    n = largest if size is None else size
    if n < largest:
        raise ValueError(
            f"expected padding to at least {largest} rows, those of the largest cloud, "
            f"found {n}."
        )
    if snapshots.sharding is None:
        return n
    devices = parts(snapshots.sharding)
    return math.ceil(n / devices) * devices


def parts(sharding: NamedSharding) -> int:
    """The number of parts that a sharding of rows cuts them into."""
    (names,) = sharding.spec
    names = (names,) if isinstance(names, str) else names
    return math.prod(sharding.mesh.shape[name] for name in names)


def spread_rows(
    rows: Shaped[np.ndarray, "T n *d"], sharding: NamedSharding | None
) -> Shaped[Array, "T n *d"]:
    """T clouds of rows, each spread over devices as ``sharding`` spreads one."""
    if sharding is None:
        return jnp.asarray(rows)
    spec = PartitionSpec(None, *sharding.spec)
    return jax.device_put(jnp.asarray(rows), NamedSharding(sharding.mesh, spec))


def padded(rows: Float[np.ndarray, "m d"], n: int) -> Float[np.ndarray, "n d"]:
    """``rows`` followed by copies of the first one, ``n`` in all."""
    return np.concatenate([rows, np.repeat(rows[:1], n - len(rows), axis=0)])
