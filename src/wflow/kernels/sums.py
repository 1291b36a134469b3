"""Sums over pairs of points, never more than a block of pairs at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks

from .base import AbstractKernel
from .pairs import pair_of, points_of
from .radial import GaussianKernel


# Below this many pairs a dense sum is as fast as a streamed one.
_DENSE_PAIRS = 2_000_000
# A streamed block holds at most this many pairs.
_BLOCK_PAIRS = 2**22
# Arbitrary pair functions may hold large intermediates (a network's hidden layers).
_FUNCTION_BLOCK_PAIRS = 2**18


def _coefficients(owner: str, name: str, value: ArrayLike, m: int) -> Array:
    """One number for each of ``m`` points."""
    value = points_of(value, name)
    checks.shape(owner, name, value, (m,))
    return value


def _block_size(
    owner: str, n: int, m: int, block: int | None, pairs: int, dense: int
) -> int:
    if block is None:
        return m if n * m <= dense else min(m, max(64, pairs // n))
    checks.count(owner, "block", block)
    return min(m, block)


def _split(columns: Array, block: int, mode: str) -> Array:
    """``columns`` (m, ...) as blocks (m / block, block, ...), the last one padded."""
    excess = -columns.shape[0] % block
    widths = [(0, excess)] + [(0, 0)] * (columns.ndim - 1)
    padded = jnp.pad(columns, widths, mode=mode)
    return padded.reshape(-1, block, *columns.shape[1:])


def _reduce_blocks(
    term: Callable[[tuple[Array, ...], Array], Any],
    columns: tuple[Array, ...],
    b: Array,
    block: int,
    combine: Callable[[Any, Any], Any] = jnp.add,
) -> Any:
    """``combine`` of ``term(columns, b)`` over blocks, recomputed in reverse mode."""
    if block >= b.shape[0]:
        return term(columns, b)
    # Padding repeats the last point, where every function is evaluated anyway, with
    # weight zero.
    points = tuple(_split(column, block, "edge") for column in columns)
    blocks = (points, _split(b, block, "constant"))
    first, rest = (
        jax.tree.map(lambda leaf: leaf[0], blocks),
        jax.tree.map(lambda leaf: leaf[1:], blocks),
    )
    term = jax.checkpoint(term)

    def step(total: Any, xs: tuple) -> tuple[Any, None]:
        return combine(total, term(*xs)), None

    return jax.lax.scan(step, term(*first), rest)[0]


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
    block = _block_size("matvec", *pair.shape, block, _BLOCK_PAIRS, _DENSE_PAIRS)
    b = points_of(b, "b")
    if b.ndim not in (1, 2) or b.shape[0] != pair.shape[1]:
        m = pair.shape[1]
        raise ValueError(
            f"matvec: expected coefficients b of shape ({m},) or ({m}, p), one for "
            f"each point y, found {b.shape}."
        )

    def term(columns: tuple[Array, ...], b: Array) -> Array:
        return kernel.profile(*pair.squared_distances(columns)) @ b

    return _reduce_blocks(term, pair.columns(), b, block)


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
    owner = "gradient_matvec"
    pair = pair_of(owner, kernel, x, y, period)
    block = _block_size(owner, *pair.shape, block, _BLOCK_PAIRS, _DENSE_PAIRS)
    b = _coefficients(owner, "b", b, pair.shape[1])

    def term(columns: tuple[Array, ...], b: Array) -> tuple[Array, ...]:
        r2 = pair.squared_distances(columns)
        value, pull = jax.vjp(kernel.profile, *r2)
        slopes = tuple(slope * b for slope in pull(jnp.ones_like(value)))
        return pair.moved(slopes, columns)

    total = _reduce_blocks(term, pair.columns(), b, block, _add)
    return 2 * kernel.unblock(total)


def _add(a: tuple[Array, ...], b: tuple[Array, ...]) -> tuple[Array, ...]:
    return jax.tree.map(jnp.add, a, b)


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
    block = _block_size(owner, *pair.shape, block, _BLOCK_PAIRS, _DENSE_PAIRS)
    w = _coefficients(owner, "w", w, pair.shape[1])
    checks.non_negative(owner, "w", w)
    columns = pair.columns()

    def largest(columns: tuple[Array, ...], w: Array) -> Array:
        exponents = jnp.log(w) - pair.squared_distances(columns)[0] / 2
        return jnp.max(exponents, axis=1)

    top = jax.lax.stop_gradient(_reduce_blocks(largest, columns, w, block, jnp.maximum))
    top = jnp.where(jnp.isfinite(top), top, 0)
    # Weights of zero apart, exponents are at most -log(w): the bound acts only on
    # points of weight zero, whose exp would overflow and give inf * 0.
    bound = jnp.log(jnp.finfo(w.dtype).max) - 1

    def term(columns: tuple[Array, ...], w: Array) -> Array:
        exponent = -pair.squared_distances(columns)[0] / 2 - top[:, None]
        return jnp.exp(jnp.minimum(exponent, bound)) @ w

    return jnp.log(_reduce_blocks(term, columns, w, block)) + top


def pair_sum(
    function: Callable[[Array, Array], Array],
    x: Float[Array, "n a"],
    w: Float[Array, " n"],
    y: Float[Array, "m b"],
    v: Float[Array, " m"],
    block: int | None = None,
    *,
    diagonal: bool = True,
) -> Float[Array, ""]:
    r"""A double sum over two clouds of any function of two points.

    $\sum_{ij} w_i v_j f(x_i, y_j)$ for a scalar function f.

    Memory is O(n block) values of the function, in reverse-mode differentiation too.

    Args:
        function: takes points ``(a,)`` and ``(b,)``, returns a scalar.
        x: points, ``(n, a)``.
        w: weights, ``(n,)``.
        y: points, ``(m, b)``.
        v: weights, ``(m,)``.
        block: columns held at a time; None holds about 2.6e5 pairs.
        diagonal: False leaves out i = j, where the function need not be defined: x and
            y are then as many. Derivatives are those of the sum without.

    Raises:
        ValueError: points, weights or the function's values have another shape,
            ``block < 1``, or there are not as many x as y without the diagonal.
        TypeError: they are no arrays of real numbers, or no function.
    """
    owner = "pair_sum"
    checks.function(owner, "function", function, "two points")
    checks.one_of(owner, "diagonal", diagonal, (True, False))
    x, y = points_of(x, "x"), points_of(y, "y")
    checks.shape(owner, "x", x, ("n", "a"))
    checks.shape(owner, "y", y, ("m", "b"))
    (n, _), (m, _) = x.shape, y.shape
    w, v = _coefficients(owner, "w", w, n), _coefficients(owner, "v", v, m)
    if 0 in (n, m) or (not diagonal and n != m):
        raise ValueError(
            f"{owner}: expected points x and y, as many of each where the diagonal is "
            f"left out, found {n} and {m}."
        )
    pairs = _FUNCTION_BLOCK_PAIRS
    if block is None:
        block = min(m, max(1, pairs // n))
    block = _block_size(owner, n, m, block, pairs, pairs)
    if not diagonal and n == 1:
        return jnp.zeros((), jnp.result_type(x, y, w, v))

    def value(x: Array, y: Array) -> Array:
        return checks.one_number(owner, "function", function(x, y))

    def apart(i: Array, x: Array, j: Array, y: Array, other: Array) -> Array:
        # In place of a pair that is left out one that is evaluated anyway: neither its
        # value nor its derivatives can be worse than those of the sum.
        return jnp.where(i == j, 0, value(x, jnp.where(i == j, other, y)))

    def term(columns: tuple[Array, ...], v: Array) -> Array:
        if diagonal:
            values = jax.vmap(jax.vmap(value, (None, 0)), (0, None))(x, *columns)
        else:
            inner = jax.vmap(apart, (None, None, 0, 0, 0))
            rows = jax.vmap(inner, (0, 0, None, None, None))
            values = rows(jnp.arange(n), x, *columns)
        return w @ values @ v

    columns = (y,) if diagonal else (jnp.arange(m), y, jnp.roll(y, -1, axis=0))
    return _reduce_blocks(term, columns, v, block)
