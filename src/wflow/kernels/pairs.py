"""Two clouds as a kernel looks at their pairs: squared distances by blocks."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import at_least_single, to_real
from wflow.measures import nearest_image
from wflow.measures.torus import check_period

from .base import AbstractKernel


class Pair(eqx.Module):
    """Two clouds in the kernel's coordinates, centered so that little cancels."""

    x: tuple[Float[Array, "n b"], ...]
    y: tuple[Float[Array, "m b"], ...]
    same: bool = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        return self.x[0].shape[0], self.y[0].shape[0]

    def columns(self) -> tuple[Array, ...]:
        return (jnp.arange(self.shape[1]), *self.y)

    def squared_distances(self, columns: tuple[Array, ...]) -> tuple[Array, ...]:
        """``(n, b)`` of every block."""
        index, *blocks = columns
        itself = None
        if self.same:
            itself = jnp.arange(self.shape[0])[:, None] == index
        return tuple(
            _squared_distances(x, y, itself)
            for x, y in zip(self.x, blocks, strict=True)
        )

    def moved(
        self, slopes: tuple[Array, ...], columns: tuple[Array, ...], b: Array
    ) -> Any:
        r"""$\sum_j s_{ij} b_j (x_i - y_j)$ of every block, ``(n, b)``."""
        total = []
        for slope, x, y in zip(slopes, self.x, columns[1:], strict=True):
            masses = b[:, None]
            sums = slope @ jnp.concatenate([masses, masses * y], axis=1)
            total.append(sums[:, :1] * x - sums[:, 1:])
        return tuple(total)


class TorusPair(eqx.Module):
    """Two clouds on a torus, which meet by the shortest way."""

    kernel: AbstractKernel
    x: Float[Array, "n d"]
    y: Float[Array, "m d"]
    period: Array

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape[0], self.y.shape[0]

    def columns(self) -> tuple[Array, ...]:
        return (self.y,)

    def _apart(self, columns: tuple[Array, ...]) -> tuple[Array, ...]:
        """The displacements in the kernel's coordinates, ``(n, b, ...)``."""
        x, y = self.x[:, None], columns[0][None]
        apart = x - nearest_image(x, y, self.period)
        blocks = self.kernel.blocks(apart.reshape(-1, apart.shape[-1]))
        return tuple(block.reshape(*apart.shape[:2], -1) for block in blocks)

    def squared_distances(self, columns: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(jnp.sum(block**2, axis=-1) for block in self._apart(columns))

    def moved(
        self, slopes: tuple[Array, ...], columns: tuple[Array, ...], b: Array
    ) -> Any:
        pairs = zip(slopes, self._apart(columns), strict=True)
        return tuple(
            jnp.einsum("nm,nmb,m->nb", slope, block, b) for slope, block in pairs
        )


def _squared_distances(x: Array, y: Array, itself: Array | None) -> Float[Array, "n b"]:
    # The default of GPUs has ten bits, of which the difference leaves none.
    products = jnp.matmul(x, y.T, precision="highest")
    norms = jnp.sum(x**2, 1)[:, None]
    r2 = norms + jnp.sum(y**2, 1) - 2 * products
    # Rounding below zero is zero; nan is not, nor is the distance of nan to itself.
    if itself is None:
        return jnp.where(r2 <= 0, 0, r2)
    return jnp.where((r2 <= 0) | itself, jax.lax.stop_gradient(0 * norms), r2)


def points_of(value: ArrayLike, name: str) -> Array:
    """Real numbers of single precision or more."""
    return at_least_single(to_real(value, name))


def pair_of(
    owner: str, kernel: AbstractKernel, x: Array, y: Array | None, period: Any
) -> Pair | TorusPair:
    """Two clouds in the kernel's coordinates; one with itself where ``y`` is None.

    Args:
        owner: the name of the caller's function, for its sentences.
        kernel: whose coordinates they are.
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        period: of a torus, ``(d,)``; None is the plane space.

    Raises:
        TypeError: ``kernel`` is no kernel.
        ValueError: the clouds are empty or not of one dimension.
    """
    checks.instance(owner, "kernel", kernel, AbstractKernel, "a kernel")
    same, x = y is None or y is x, points_of(x, "x")
    y = x if y is None or same else points_of(y, "y")
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{owner}: expected clouds x (n, d) and y (m, d) of one dimension d, found "
            f"{x.shape} and {y.shape}."
        )
    if 0 in x.shape or 0 in y.shape:
        raise ValueError(
            f"{owner}: expected clouds x and y with a point each, found {x.shape} and "
            f"{y.shape}."
        )
    if period is not None:
        check_period(owner, period, x.shape[1])
        return TorusPair(kernel, x, y, jnp.asarray(period))
    # Distances do not depend on the center, so neither do derivatives. A point that is
    # not finite has none, and must not spoil those of the others.
    center = jax.lax.stop_gradient(jnp.mean(y, axis=0, where=jnp.isfinite(y)))
    return Pair(kernel.blocks(x - center), kernel.blocks(y - center), same)
