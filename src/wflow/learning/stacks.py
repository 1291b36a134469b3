"""Snapshots of unequal sizes as one array, padded with points of weight zero."""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

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
        """The clouds of these rows, ``(T, n)``, weights normalised."""
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

    Raises:
        ValueError: ``size``, the number of rows, is less than the largest cloud's.
    """
    n = max(snapshots.sizes) if size is None else size
    if n < max(snapshots.sizes):
        raise ValueError(
            f"expected padding to at least {max(snapshots.sizes)} rows, those of the "
            f"largest cloud, found {n}."
        )
    clouds = [padded(cloud, n) for cloud in snapshots.clouds]
    weights = [
        np.pad(snapshots.weight(k), (0, n - len(cloud)))
        for k, cloud in enumerate(snapshots.clouds)
    ]
    return Stack(jnp.asarray(np.stack(clouds)), jnp.asarray(np.stack(weights)))


def padded(rows: Float[np.ndarray, "m d"], n: int) -> Float[np.ndarray, "n d"]:
    """``rows`` followed by copies of the first one, ``n`` in all."""
    return np.concatenate([rows, np.repeat(rows[:1], n - len(rows), axis=0)])
