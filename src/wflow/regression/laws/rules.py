"""Quadrature rules for averages over positive times."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float


# Values of an argument that are averaged at once.
_BATCH = 4096


def gamma_rule(
    shape: Float[Array, ""],
) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    r"""Logarithms of nodes, and weights, of the Gamma(shape, 1) law.

    Trapezoids in y with $\log g = y - e^{-y}$, which decays at both ends whatever the
    shape: exponentially convergent for what is analytic around the positive axis.

    Reference: Takahasi, Mori, Publ. RIMS 9 (1974).
    """
    y = jnp.linspace(-9.0, 6.0, 361, dtype=jnp.result_type(shape))
    logs = y - jnp.exp(-y)
    return logs, jax.nn.softmax(shape * logs - jnp.exp(logs) + jnp.log1p(jnp.exp(-y)))


def normal_rule(dtype: jnp.dtype) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """Nodes and weights of the standard normal law: trapezoids."""
    z = jnp.linspace(-12.0, 12.0, 241, dtype=dtype)
    return z, jax.nn.softmax(-(z**2) / 2)


def average(
    kernel: Callable[[Array], Array],
    weights: Float[Array, " m"],
    s: Float[ArrayLike, "..."],
) -> Float[Array, "..."]:
    r"""Weighted sum of functions, $\sum_k w_k f_k(s)$ elementwise in s.

    The $f_k$ ``(m,)`` by ``kernel``.
    """
    s = jnp.asarray(s, weights.dtype)
    flat = jax.lax.map(
        lambda one: weights @ kernel(one), s.ravel(), batch_size=min(_BATCH, s.size)
    )
    return flat.reshape(s.shape)
