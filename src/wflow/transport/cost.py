"""The cost of carrying mass from one point to another."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from wflow.measures import nearest_image


def pair_cost(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    p: int,
    period: Float[Array, ""] | Float[Array, " d"] | None,
    *,
    own: Int[ArrayLike, ""] | None = None,
) -> Float[Array, "n m"]:
    """Powers of the distances of all pairs.

    $|x_i - y_j|^p / p$, with gradient zero at coinciding points.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        p: 1 or 2.
        period: of the coordinates, if any.
        own: where ``x`` are rows of ``y``, the number of the first of them.
    """
    if period is None:
        center = jax.lax.stop_gradient(jnp.mean(y, axis=0))
        x, y = x - center, y - center
        r2 = jnp.sum(x**2, 1)[:, None] + jnp.sum(y**2, 1) - 2 * x @ y.T
    else:
        image = nearest_image(x[:, None], y[None], period)
        r2 = jnp.sum((x[:, None] - image) ** 2, axis=-1)
    apart = r2 > 0
    if own is not None:
        apart = apart & (jnp.arange(len(x))[:, None] + own != jnp.arange(len(y)))
    # Written so that nan stays nan.
    r2 = jnp.where(apart | jnp.isnan(r2), r2, 0)
    if p == 2:
        return r2 / 2
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, r2, 1)), r2)
