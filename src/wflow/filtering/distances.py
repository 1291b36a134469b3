"""How far two samples are apart, such as an ensemble and a reference posterior."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real
from wflow.kernels import AbstractKernel
from wflow.kernels.sums import matvec

from .metrics import normalized, not_empty


def mmd_squared(
    kernel: AbstractKernel, x: Float[Array, "n d"], y: Float[Array, "m d"]
) -> Float[Array, ""]:
    """Squared maximum mean discrepancy between two clouds, estimated without bias.

    Pairs of a point with itself are left out; the estimate may be negative.

    Args:
        kernel: of points ``(d,)``.
        x: the first cloud, ``(n, d)``.
        y: the second cloud, ``(m, d)``.

    Raises:
        ValueError: fewer than two points in a cloud, or clouds of two dimensions.
        TypeError: kernel is none.

    Reference: Gretton et al., JMLR 13 (2012), equation (3).
    """
    checks.instance("mmd_squared", "kernel", kernel, AbstractKernel, "a kernel")
    x, y = _clouds("mmd_squared", x, y)
    n, m = x.shape[0], y.shape[0]
    for name, size in (("x", n), ("y", m)):
        if size < 2:
            raise ValueError(
                f"mmd_squared: expected at least 2 points in {name}, found {size}."
            )
    ones_x, ones_y = jnp.ones(n, x.dtype), jnp.ones(m, x.dtype)

    def within(a: Array, ones: Array) -> Array:
        diagonal = jnp.sum(jax.vmap(kernel)(a, a))
        size = a.shape[0]
        return (ones @ matvec(kernel, a, a, ones) - diagonal) / (size * (size - 1))

    across = ones_x @ matvec(kernel, x, y, ones_y) / (n * m)
    return within(x, ones_x) + within(y, ones_y) - 2 * across


def w1_of_line(
    x: Float[Array, " n"],
    y: Float[Array, " m"],
    weights_x: Float[Array, " n"] | None = None,
    weights_y: Float[Array, " m"] | None = None,
) -> Float[Array, ""]:
    r"""Wasserstein distance between two weighted samples of the real line, exactly.

    $W_1 = \int |F(s) - G(s)|\,ds$ by sorting; weights are normalized here. A Grid is
    its ``atoms``.

    Args:
        x: the first sample, ``(n,)``.
        y: the second sample, ``(m,)``.
        weights_x: of the first, ``(n,)``; None is uniform.
        weights_y: of the second, ``(m,)``; None is uniform.

    Raises:
        ValueError: shapes that do not fit together, or weights that are negative, not
            finite or of sum 0.
    """
    x, y = to_real(x, "x"), to_real(y, "y")
    for name, value in (("x", x), ("y", y)):
        checks.shape("w1_of_line", name, value, ("n",))
        not_empty("w1_of_line", name, value)
    w_x = normalized("w1_of_line", x, weights_x, "weights_x")
    w_y = normalized("w1_of_line", y, weights_y, "weights_y")
    signed = jnp.concatenate([w_x, -w_y])
    points = jnp.concatenate([x, y])
    order = jnp.argsort(points)
    difference = jnp.cumsum(signed[order])[:-1]
    return jnp.sum(jnp.abs(difference) * jnp.diff(points[order]))


def sliced_w1(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    weights_x: Float[Array, " n"] | None = None,
    weights_y: Float[Array, " m"] | None = None,
    *,
    key: PRNGKeyArray,
    directions: int = 100,
) -> Float[Array, ""]:
    r"""The mean of $W_1$ of the projections onto random directions.

    Raises:
        ValueError: shapes that do not fit together, directions below 1, or weights that
            are negative, not finite or of sum 0.
        TypeError: directions is no whole number.

    Reference: Bonneel et al., J. Math. Imaging Vis. 51 (2015), section 3.
    """
    x, y = _clouds("sliced_w1", x, y)
    checks.count("sliced_w1", "directions", directions)
    checks.random_key("sliced_w1", "key", key)
    for name, cloud, weights in (("x", x, weights_x), ("y", y, weights_y)):
        normalized("sliced_w1", cloud, weights, f"weights_{name}")
    z = jax.random.normal(key, (directions, x.shape[1]), x.dtype)
    z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
    along = lambda e: w1_of_line(x @ e, y @ e, weights_x, weights_y)
    return jnp.mean(jax.lax.map(along, z))


def _clouds(owner: str, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    x, y = to_real(x, "x"), to_real(y, "y")
    checks.shape(owner, "x", x, ("n", "d"))
    checks.shape(owner, "y", y, ("m", x.shape[1]))
    for name, cloud in (("x", x), ("y", y)):
        not_empty(owner, name, cloud)
    return x, y
