"""Sums over pairs of points, never more than a block of pairs at a time."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .base import AbstractKernel
from .radial import Gaussian


# Below this many pairs a dense sum is as fast as a streamed one.
_DENSE_PAIRS = 2_000_000
# A streamed block holds at most this many pairs.
_BLOCK_PAIRS = 2**22
# Arbitrary pair functions may hold large intermediates (a network's hidden layers).
_FUNCTION_BLOCK_PAIRS = 2**18


class _Pair(eqx.Module):
    """Two clouds in the kernel's coordinates, centred so that little cancels."""

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
        other = True
        if self.same:
            other = jnp.arange(self.shape[0])[:, None] != index
        return tuple(
            _squared_distances(x, y, other) for x, y in zip(self.x, blocks, strict=True)
        )


def _squared_distances(x: Array, y: Array, other: Array | bool) -> Float[Array, "n b"]:
    # The default of GPUs has ten bits, of which the difference leaves none.
    products = jnp.matmul(x, y.T, precision="highest")
    r2 = jnp.sum(x**2, 1)[:, None] + jnp.sum(y**2, 1) - 2 * products
    return jnp.where((r2 > 0) & other, r2, 0)


def _pair(kernel: AbstractKernel, x: Array, y: Array | None) -> _Pair:
    same = y is None or y is x
    y = x if y is None else y
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            "expected clouds x (n, d) and y (m, d) of one dimension d, found "
            f"{x.shape} and {y.shape}."
        )
    # Distances do not depend on the centre, so neither do derivatives.
    centre = jax.lax.stop_gradient(jnp.mean(y, axis=0))
    return _Pair(kernel.blocks(x - centre), kernel.blocks(y - centre), same)


def _block_size(n: int, m: int, block: int | None, pairs: int, dense: int) -> int:
    if block is None:
        return m if n * m <= dense else min(m, max(64, pairs // n))
    if block < 1:
        raise ValueError(f"expected block >= 1, found {block}.")
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
    kernel: AbstractKernel, x: Float[Array, "n d"], y: Float[Array, "m d"] | None = None
) -> Float[Array, "n m"]:
    """$K_{ij} = k(x_i, y_j)$, the whole matrix; ``y=None`` is ``x`` against itself.

    Raises:
        ValueError: the clouds are not ``(n, d)`` and ``(m, d)``.
    """
    pair = _pair(kernel, x, y)
    return kernel.profile(*pair.squared_distances(pair.columns()))


def matvec(
    kernel: AbstractKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    b: Float[Array, " m"] | Float[Array, "m p"],
    block: int | None = None,
) -> Float[Array, " n"] | Float[Array, "n p"]:
    r"""$\sum_j k(x_i, y_j)\,b_j$.

    Streams over blocks of ``block`` columns, in reverse-mode differentiation too, so
    that memory is O(n block); None chooses (dense up to 2e6 pairs).

    Args:
        kernel: the kernel.
        x: points, ``(n, d)``.
        y: points, ``(m, d)``. For a cloud against itself pass None or the very object
            ``x``: the distance of a point to itself is then exactly zero (else it is
            subject to rounding, and a kernel with a kink at 0 feels its square root).
        b: coefficients, ``(m,)`` or ``(m, p)``.
        block: columns held at a time.

    Returns:
        The sums, ``(n,)`` or ``(n, p)``.

    Raises:
        ValueError: the clouds are not ``(n, d)`` and ``(m, d)``, or ``block < 1``.
    """
    pair = _pair(kernel, x, y)
    block = _block_size(*pair.shape, block, _BLOCK_PAIRS, _DENSE_PAIRS)

    def term(columns: tuple[Array, ...], b: Array) -> Array:
        return kernel.profile(*pair.squared_distances(columns)) @ b

    return _reduce_blocks(term, pair.columns(), b, block)


def gradient_matvec(
    kernel: AbstractKernel,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    b: Float[Array, " m"],
    block: int | None = None,
) -> Float[Array, "n d"]:
    r"""$\sum_j \nabla_{x_i} k(x_i, y_j)\,b_j$.

    The kernel is translation invariant, so $\sum_j \nabla_{y_j} k(x_i, y_j)\,b_j$ is
    minus this. The gradient at coinciding points is zero. Arguments, memory and errors
    as in ``matvec``, with ``b`` of shape ``(m,)``.
    """
    pair = _pair(kernel, x, y)
    block = _block_size(*pair.shape, block, _BLOCK_PAIRS, _DENSE_PAIRS)

    def term(columns: tuple[Array, ...], b: Array) -> tuple[Array, ...]:
        r2 = pair.squared_distances(columns)
        value, pull = jax.vjp(kernel.profile, *r2)
        slopes = [slope * b for slope in pull(jnp.ones_like(value))]
        return tuple(
            jnp.sum(slope, 1)[:, None] * x - slope @ y
            for slope, x, y in zip(slopes, pair.x, columns[1:], strict=True)
        )

    total = _reduce_blocks(term, pair.columns(), b, block, _add)
    return 2 * kernel.unblock(total)


def _add(a: tuple[Array, ...], b: tuple[Array, ...]) -> tuple[Array, ...]:
    return jax.tree.map(jnp.add, a, b)


def log_matvec(
    kernel: Gaussian,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"] | None,
    w: Float[Array, " m"],
    block: int | None = None,
) -> Float[Array, " n"]:
    r"""$\log \sum_j w_j k(x_i, y_j)$ of the Gaussian kernel, however far the points.

    Weights are >= 0; a point of weight zero does not count, and the derivative in its
    weight is the right one. Where all weights are zero the value is -inf. Arguments
    and memory as in ``matvec``.

    Raises:
        TypeError: the kernel is not ``Gaussian``.
        ValueError: the clouds are not ``(n, d)`` and ``(m, d)``, or ``block < 1``.
    """
    if not isinstance(kernel, Gaussian):
        raise TypeError(
            f"log_matvec: expected a Gaussian kernel, found {type(kernel).__name__}."
        )
    pair = _pair(kernel, x, y)
    block = _block_size(*pair.shape, block, _BLOCK_PAIRS, _DENSE_PAIRS)
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
) -> Float[Array, ""]:
    r"""$\sum_{ij} w_i v_j f(x_i, y_j)$ for any scalar function of two points.

    Memory is O(n block) values of the function, in reverse-mode differentiation too.

    Args:
        function: takes points ``(a,)`` and ``(b,)``, returns a scalar.
        x: points, ``(n, a)``.
        w: weights, ``(n,)``.
        y: points, ``(m, b)``.
        v: weights, ``(m,)``.
        block: columns held at a time; None holds about 2.6e5 pairs.

    Raises:
        ValueError: ``block < 1``.
    """
    pairs = _FUNCTION_BLOCK_PAIRS
    if block is None:
        block = min(len(y), max(1, pairs // len(x)))
    block = _block_size(len(x), len(y), block, pairs, pairs)

    def term(columns: tuple[Array, ...], v: Array) -> Array:
        (y,) = columns
        values = jax.vmap(jax.vmap(function, (None, 0)), (0, None))(x, y)
        return w @ values @ v

    return _reduce_blocks(term, (y,), v, block)
