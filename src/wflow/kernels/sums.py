"""Sums of a kernel over pairs, never more than a block of pairs at a time."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks

from .base import AbstractKernel
from .blocks import add, block_size, coefficients, reduce_blocks
from .pairs import Pair, TorusPair, pair_of, points_of
from .radial import GaussianKernel


# Below this many pairs a dense sum is as fast as a streamed one.
_DENSE_PAIRS = 2_000_000
# A streamed block holds at most this many pairs: what stays near a processor core, and
# on an accelerator what keeps it busy.
_BLOCK_PAIRS = {"cpu": 2**20}
_BLOCK_PAIRS_ELSEWHERE = 2**22


def _kernel_block(owner: str, pair: Pair | TorusPair, block: int | None) -> int:
    pairs = _BLOCK_PAIRS.get(jax.default_backend(), _BLOCK_PAIRS_ELSEWHERE)
    return block_size(owner, *pair.shape, block, pairs, _DENSE_PAIRS)


def gram(
    kernel: AbstractKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None = None,
    *,
    period: ArrayLike | None = None,
) -> Float[Array, "n m"]:
    """The whole matrix of similarities between two clouds.

    $K_{ij} = k(x_i, y_j)$.

    Args:
        kernel: the kernel.
        x: points, ``(n, d)``.
        y: points, ``(m, d)``; None is ``x`` against itself.
        period: a length or one per axis, for the shortest displacement on a torus.

    Returns:
        The matrix, ``(n, m)``.

    Raises:
        ValueError: the clouds are not ``(n, d)`` and ``(m, d)``, or the period is not
            above zero.
        TypeError: they are no arrays of real numbers, or the kernel is none.
    """
    pair = pair_of("gram", kernel, x, y, period)
    return kernel.profile(*pair.squared_distances(pair.columns()))


def matvec(
    kernel: AbstractKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    b: Float[Array, " m"] | Float[Array, "m p"],
    block: int | None = None,
    *,
    period: ArrayLike | None = None,
) -> Float[Array, " n"] | Float[Array, "n p"]:
    r"""Kernel sums over a cloud, in blocks that fit into memory.

    $\sum_j k(x_i, y_j)\,b_j$.

    Streams over blocks of ``block`` columns, in reverse-mode differentiation too, so
    that memory is O(n block); None chooses (dense up to 2e6 pairs). A point that is nan
    makes nan of every sum that it is in. Clouds of less than single precision are
    summed in single precision.

    Args:
        kernel: the kernel.
        x: points, ``(n, d)``.
        y: points, ``(m, d)``. For a cloud against itself pass None or the very object
            ``x``: the distance of a point to itself is then exactly zero (else it is
            subject to rounding, and a kernel with a kink at 0 feels its square root).
        b: coefficients, ``(m,)`` or ``(m, p)``.
        block: columns held at a time.
        period: a length or one per axis, for the shortest displacement on a torus
            (memory is then O(n block d)).

    Returns:
        The sums, ``(n,)`` or ``(n, p)``.

    Raises:
        ValueError: the clouds are not ``(n, d)`` and ``(m, d)``, there are not as many
            coefficients as points y, ``block < 1``, or a period is not above zero.
        TypeError: they are no arrays of real numbers, the kernel is none, or ``block``
            is no whole number.
    """
    pair = pair_of("matvec", kernel, x, y, period)
    block = _kernel_block("matvec", pair, block)
    b = _summed("matvec", "b", b, pair.shape[1])

    def term(columns: tuple[Array, ...], b: Array) -> Array:
        return kernel.profile(*pair.squared_distances(columns)) @ b

    return reduce_blocks(term, pair.columns(), b, block)


def _summed(owner: str, name: str, b: ArrayLike, m: int) -> Array:
    """Coefficients of ``m`` points, one or several each."""
    b = points_of(b, name)
    if b.ndim not in (1, 2) or b.shape[0] != m:
        raise ValueError(
            f"{owner}: expected coefficients {name} of shape ({m},) or ({m}, p), one "
            f"for each point y, found {b.shape}."
        )
    return b


def gradient_matvec(
    kernel: AbstractKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    b: Float[Array, " m"],
    block: int | None = None,
    *,
    period: ArrayLike | None = None,
) -> Float[Array, "n d"]:
    r"""Slopes of kernel sums over a cloud, in blocks that fit into memory.

    $\sum_j \nabla_{x_i} k(x_i, y_j)\,b_j$.

    The kernel is translation invariant, so $\sum_j \nabla_{y_j} k(x_i, y_j)\,b_j$ is
    minus this. The gradient at coinciding points is zero. Arguments, memory and errors
    as in ``matvec``, with ``b`` of shape ``(m,)``.
    """
    return _slope("gradient_matvec", kernel, x, y, (), b, block, period)[1]


def matvec_and_slope(
    kernel: AbstractKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    g: Float[Array, " m"] | Float[Array, "m p"],
    b: Float[Array, " m"],
    block: int | None = None,
    *,
    period: ArrayLike | None = None,
) -> tuple[Float[Array, " n"] | Float[Array, "n p"], Float[Array, "n d"]]:
    r"""``matvec`` of g and ``gradient_matvec`` of b, in one pass over the pairs.

    $\sum_j k(x_i, y_j)\,g_j$ and $\sum_j \nabla_{x_i} k(x_i, y_j)\,b_j$.

    Arguments, memory and errors as there.
    """
    return _slope("matvec_and_slope", kernel, x, y, (g,), b, block, period)


def _slope(
    owner: str,
    kernel: AbstractKernel,
    x: Array,
    y: Array | None,
    given: tuple[Array, ...],
    b: Array,
    block: int | None,
    period: ArrayLike | None,
) -> tuple[Any, Float[Array, "n d"]]:
    """Kernel sums of what is given, if anything is, and slopes of those of b."""
    pair = pair_of(owner, kernel, x, y, period)
    n, m = pair.shape
    block = _kernel_block(owner, pair, block)
    b = coefficients(owner, "b", b, m)
    given = tuple(_summed(owner, "g", g, m) for g in given)
    # Coefficients go along in columns of one array.
    packed = jnp.concatenate([b[:, None], *(g.reshape(m, -1) for g in given)], axis=1)

    def term(columns: tuple[Array, ...], b: Array) -> Any:
        r2 = pair.squared_distances(columns)
        value, pull = jax.vjp(kernel.profile, *r2)
        moved = pair.moved(pull(jnp.ones_like(value)), columns, b[:, 0])
        return (value @ b[:, 1:] if given else None), moved

    sums, total = reduce_blocks(term, pair.columns(), packed, block, add)
    slope = 2 * kernel.unblock(total)
    return (sums.reshape(n, *given[0].shape[1:]) if given else None), slope


def log_matvec(
    kernel: GaussianKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    w: Float[Array, " m"],
    block: int | None = None,
    *,
    period: ArrayLike | None = None,
) -> Float[Array, " n"]:
    r"""Logarithms of Gaussian kernel sums, however far apart the points are.

    $\log \sum_j w_j k(x_i, y_j)$.

    Weights are >= 0; a point of weight zero does not count, and the derivative in its
    weight is the right one. Where all weights are zero the value is -inf. Arguments
    and memory as in ``matvec``.

    Raises:
        TypeError: the kernel is not ``Gaussian``; else as in ``matvec``.
        ValueError: a weight is negative, where its value is known; else as in
            ``matvec``.
    """
    owner = "log_matvec"
    checks.instance(owner, "kernel", kernel, GaussianKernel, "a Gaussian kernel")
    pair = pair_of(owner, kernel, x, y, period)
    block = _kernel_block(owner, pair, block)
    w = coefficients(owner, "w", w, pair.shape[1])
    checks.non_negative(owner, "w", w)
    columns = pair.columns()

    def largest(columns: tuple[Array, ...], w: Array) -> Array:
        exponents = jnp.log(w) - pair.squared_distances(columns)[0] / 2
        return jnp.max(exponents, axis=1)

    top = jax.lax.stop_gradient(reduce_blocks(largest, columns, w, block, jnp.maximum))
    top = jnp.where(jnp.isfinite(top), top, 0)
    # Weights of zero apart, exponents are at most -log(w): the bound acts only on
    # points of weight zero, whose exp would overflow and give inf * 0.
    bound = jnp.log(jnp.finfo(w.dtype).max) - 1

    def term(columns: tuple[Array, ...], w: Array) -> Array:
        exponent = -pair.squared_distances(columns)[0] / 2 - top[:, None]
        return jnp.exp(jnp.minimum(exponent, bound)) @ w

    return jnp.log(reduce_blocks(term, columns, w, block)) + top
