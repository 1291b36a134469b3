"""Kernels of several blocks of coordinates."""

import functools
import itertools
import operator

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks

from .base import AbstractKernel, AbstractRadialKernel


class ProductKernel(AbstractKernel):
    r"""A product of kernels, one for each block of coordinates.

    $k(u, u') = \prod_b k_b(u_b, u_b')$ over consecutive blocks of coordinates.

    On a joint space of states and observations, $k_x(x, x')\,k_y(y, y')$.

    Attributes:
        kernels: one per block, radial in it.
        dims: number of coordinates of each block; their sum is the dimension.

    Raises:
        TypeError: a part is no radial kernel, or a size no whole number.
        ValueError: not as many kernels as blocks, or an empty block.
    """

    kernels: tuple[AbstractRadialKernel, ...]
    dims: tuple[int, ...] = eqx.field(static=True)

    def __check_init__(self) -> None:
        for name, kind in (("kernels", "kernels"), ("dims", "whole numbers")):
            checks.instance(
                self, name, getattr(self, name), list | tuple, f"a tuple of {kind}"
            )
        for kernel in self.kernels:
            checks.instance(
                self, "kernels", kernel, AbstractRadialKernel, "radial kernels"
            )
        for dim in self.dims:
            checks.count(self, "dims", dim)
        if not self.kernels or len(self.kernels) != len(self.dims):
            raise ValueError(
                "ProductKernel: expected as many kernels as dims of blocks, at least "
                f"one, found {len(self.kernels)} kernels and {len(self.dims)} blocks."
            )

    def profile(self, *r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        factors = [k.profile(r2_b) for k, r2_b in zip(self.kernels, r2, strict=True)]
        return functools.reduce(operator.mul, factors)

    def blocks(self, x: Float[Array, "*n d"]) -> tuple[Array, ...]:
        if x.shape[-1] != sum(self.dims):
            raise ValueError(
                f"ProductKernel: expected points of dimension {sum(self.dims)}, found "
                f"{x.shape[-1]}."
            )
        ends = list(itertools.accumulate(self.dims))[:-1]
        parts = zip(self.kernels, jnp.split(x, ends, axis=-1), strict=True)
        return tuple(kernel.whiten(part) for kernel, part in parts)

    def unblock(self, gradients: tuple[Array, ...]) -> Array:
        parts = [
            k.whiten(gradient, adjoint=True)
            for k, gradient in zip(self.kernels, gradients, strict=True)
        ]
        return jnp.concatenate(parts, axis=-1)
