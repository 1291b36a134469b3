"""Functions that cancel when written naively."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.checks import to_real


def _alternating(u: Array, shift: int, terms: int) -> Array:
    r"""An alternating exponential series with its first terms left out.

    $\sum_k (-u)^k / (k + \mathrm{shift})!$, by Horner's rule.
    """
    total = jnp.zeros_like(u)
    for k in reversed(range(terms)):
        total = 1 / math.factorial(k + shift) - u * total
    return total


def mean_decay(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""The mean over a step of what decays exponentially.

    $(1 - e^{-u})/u = \int_0^1 e^{-us}\,ds$, one at $u = 0$; with derivatives.

    It is the logarithmic mean of $1$ and $e^{-u}$, and the mean over a step of an
    exponential decay.
    """
    u = to_real(u, "u")
    # The quotient cancels in its derivatives near 0, where these terms are exact in
    # float64, second derivatives included.
    small = jnp.abs(u) < 1e-1
    safe = jnp.where(small, 1, u)
    return jnp.where(small, _alternating(u, 1, 12), -jnp.expm1(-safe) / safe)


def linear_decay(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""The mean over a step of a linear ramp that decays exponentially.

    $(u - 1 + e^{-u})/u^2 = \int_0^1 s\,e^{-u(1-s)}\,ds$, 1/2 at $u = 0$.

    The slope of the logarithmic mean in its first argument, at the logarithm u of the
    arguments' ratio. Its growth stops short of overflow.
    """
    u = to_real(u, "u")
    small = jnp.abs(u) < 0.5
    safe = jnp.where(small, 1, u)
    grown = jnp.exp(jnp.minimum(-safe, jnp.log(jnp.finfo(u.dtype).max) - 8))
    return jnp.where(small, _alternating(u, 2, 16), (safe - 1 + grown) / safe**2)


def quadratic_decay(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""The mean over a step of a parabola that decays exponentially.

    $\int_0^1 \frac{s^2}{2} e^{-u(1-s)}\,ds$, which is (1/2 - linear_decay(u))/u.

    The next after ``mean_decay`` and ``linear_decay``, for $u \geq 0$.

    Reference: Hochbruck, Ostermann, Acta Numerica 19 (2010), equation (2.10).
    """
    u = to_real(u, "u")
    small = jnp.abs(u) < 0.5
    safe = jnp.where(small, 1, u)
    return jnp.where(small, _alternating(u, 3, 16), (0.5 - linear_decay(safe)) / safe)
