"""Sums of any function of two points over all pairs, in blocks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks

from .blocks import add, block_size, coefficients, reduce_blocks, scan_blocks
from .pairs import points_of


# Functions of two points may hold large intermediates (a network's hidden layers).
_BLOCK_PAIRS = 2**18


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
    checks.one_of(owner, "diagonal", diagonal, (True, False))
    value, (x, y), (w, v) = _function_of_points(owner, function, (x, y), (w, v))
    (n, _), (m, _) = x.shape, y.shape
    if not diagonal and n != m:
        raise ValueError(
            f"{owner}: expected points x and y, as many of each where the diagonal is "
            f"left out, found {n} and {m}."
        )
    block = _function_block(owner, n, m, block)
    if not diagonal and n == 1:
        return jnp.zeros((), jnp.result_type(x, y, w, v))

    def term(columns: tuple[Array, ...], v: Array) -> Array:
        if diagonal:
            values = jax.vmap(jax.vmap(value, (None, 0)), (0, None))(x, *columns)
        else:
            inner = jax.vmap(_apart(value), (None, None, 0, 0, 0))
            rows = jax.vmap(inner, (0, 0, None, None, None))
            values = rows(jnp.arange(n), x, *columns)
        return w @ values @ v

    columns = (y,) if diagonal else (jnp.arange(m), y, jnp.roll(y, -1, axis=0))
    return reduce_blocks(term, columns, v, block)


def pair_field(
    function: Callable[[Array, Array], Array],
    x: Float[Array, "n d"],
    w: Float[Array, " n"],
    block: int | None = None,
    *,
    diagonal: bool = True,
    symmetric: bool = False,
) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
    r"""What every point of a cloud feels of the others, and its slope, in one pass.

    $\frac12 \sum_j w_j \bigl(f(x_i, x_j) + f(x_j, x_i)\bigr)$ and its gradient in $x_i$
    where the others are held: the derivatives of half of ``pair_sum`` of a cloud with
    itself in the weights, and in the positions over the weights.

    Args:
        function: f, as in ``pair_sum``.
        x: points, ``(n, d)``.
        w: weights, ``(n,)``.
        block: columns held at a time; None holds about 2.6e5 pairs.
        diagonal: False leaves out every point with itself.
        symmetric: whether f(x, y) = f(y, x), so that one of the two is enough.

    Returns:
        The sums, ``(n,)``, and their slopes, ``(n, d)``.

    Raises:
        ValueError: as in ``pair_sum``.
        TypeError: as in ``pair_sum``.
    """
    owner = "pair_field"
    value, (x, _), (w, _) = _function_of_points(owner, function, (x, x), (w, w))
    n, d = x.shape
    block = _function_block(owner, n, n, block)
    if not diagonal and n == 1:
        return jnp.zeros_like(w), jnp.zeros_like(x)
    sides = (0,) if symmetric else (0, 1)

    def slopes(i: Array, x: Array, j: Array, y: Array, other: Array) -> Any:
        both = value if diagonal else lambda x, y: _apart(value)(i, x, j, y, other)
        return jax.value_and_grad(both, sides)(x, y)

    # Coordinates come first and pairs last, which is what a processor's vectors run
    # along: with two or three coordinates last it takes them one by one.
    inner = jax.vmap(slopes, (None, 1, 0, 1, 1), (0, 1))
    rows = jax.vmap(inner, (0, 1, None, 1, 1), (0, 1))

    def term(columns: tuple[Array, ...], v: Array) -> Any:
        j, y, other = columns
        shape = (d, n, len(j))
        x_, y_, other_ = (
            jnp.broadcast_to(part, shape)
            for part in (x.T[:, :, None], y.T[:, None], other.T[:, None])
        )
        values, (of_x, *of_y) = rows(jnp.arange(n), x_, j, y_, other_)
        # In one array: where values are not asked for, XLA would sum over coordinates
        # anew within every slope, at five times the cost.
        mine = jnp.concatenate([values[None], of_x])
        theirs = [jnp.concatenate([values[None], part]) for part in of_y]
        return mine @ v, [jnp.einsum("n,dnb->db", w, part) for part in theirs]

    columns = (jnp.arange(n), x, jnp.roll(x, -1, axis=0))
    total, others = scan_blocks(term, columns, w, block, add)
    if not symmetric:
        total = (total + others[0]) / 2
    field, slope = total[0], total[1:].T
    if symmetric and diagonal:
        # Where f has a kink at x = y the derivatives that are taken of its two sides
        # differ, though not their mean: that of |x - y| may be 1 and -1 there.
        of_x, of_y = jax.vmap(jax.grad(value, (0, 1)))(x, x)
        slope = slope + w[:, None] * (of_y - of_x) / 2
    return field, slope


def _function_of_points(
    owner: str,
    function: Callable[[Array, Array], Array],
    points: tuple[Array, Array],
    weights: tuple[Array, Array],
) -> tuple[Callable[[Array, Array], Array], list[Array], list[Array]]:
    """A function of two points that returns one number, clouds and their weights.

    Raises:
        ValueError: points, weights or the function's values have another shape.
        TypeError: they are no arrays of real numbers, or no function.
    """
    checks.function(owner, "function", function, "two points")
    clouds = [points_of(cloud, name) for cloud, name in zip(points, "xy", strict=True)]
    for cloud, name, dim in zip(clouds, "xy", "ab", strict=True):
        checks.shape(owner, name, cloud, ("nm"["xy".index(name)], dim))
    given = zip("wv", weights, clouds, strict=True)
    numbers = [coefficients(owner, name, w, len(cloud)) for name, w, cloud in given]
    if 0 in (len(cloud) for cloud in clouds):
        n, m = map(len, clouds)
        raise ValueError(
            f"{owner}: expected clouds x and y with a point each, found {n} and {m}."
        )

    def value(x: Array, y: Array) -> Array:
        return checks.one_number(owner, "function", function(x, y))

    return value, clouds, numbers


def _function_block(owner: str, n: int, m: int, block: int | None) -> int:
    pairs = _BLOCK_PAIRS
    if block is None:
        block = min(m, max(1, pairs // n))
    return block_size(owner, n, m, block, pairs, pairs)


def _apart(value: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """The function of two points of a cloud, zero where they are one."""

    def apart(i: Array, x: Array, j: Array, y: Array, other: Array) -> Array:
        # In place of a pair that is left out one that is evaluated anyway: neither its
        # value nor its derivatives can be worse than those of the sum.
        return jnp.where(i == j, 0, value(x, jnp.where(i == j, other, y)))

    return apart
