"""Numbers of pairs of potentials that a guarantee is made of."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array
from scipy.optimize import brentq

from .conversions import (
    delta_from_pure,
)


@eqx.filter_jit
def derivatives(
    log_density: Callable[[Array], Array], neighbor: Callable[[Array], Array], x: Array
) -> tuple[Array, Array, Array]:
    """Gradient of delta, its image under the generator, least curvature of V'."""
    difference = lambda y: neighbor(y) - log_density(y)
    slope = jax.vmap(jax.grad(difference))(x)
    curve = jax.vmap(jax.hessian(difference))(x)
    pull = jax.vmap(jax.grad(neighbor))(x)  # minus the gradient of V'
    generator = jnp.trace(curve, axis1=1, axis2=2) + jnp.sum(pull * slope, axis=1)
    hessian = -jax.vmap(jax.hessian(neighbor))(x)
    return slope, generator, jnp.min(jnp.linalg.eigvalsh(hessian))


def potential_of(name: str, log_density: Callable[[Array], Array], x: Array) -> Array:
    """Minus the log-density at the points; the name begins a refusal."""
    v = -jax.vmap(log_density)(x)
    bad = jnp.isnan(v) | (v == -jnp.inf)
    if bool(bad.any()):
        at = x[int(jnp.argmax(bad))].tolist()
        raise ValueError(
            f"PrivacyAccountant.on_grid: expected {name} below +inf and not nan, found "
            f"{-float(v[int(jnp.argmax(bad))])} at {at}."
        )
    return v


def bounded(value: Array) -> float:
    """A supremum; what autodiff or a difference could not say is infinite."""
    found = float(value)
    return math.inf if math.isnan(found) else found


def budget_of(epsilon: float, delta: float, draws: int) -> float:
    """The largest pure level of one draw that guarantees (epsilon, delta)."""
    if delta == 0:
        return epsilon / draws
    excess = lambda pure: delta_from_pure(pure, epsilon, draws=draws) - delta
    if excess(epsilon / draws) >= 0:
        return epsilon / draws
    high = epsilon + 1.0
    while excess(high) < 0:
        high *= 2
        if high > 700:
            return high
    # A hair less than the root: the guarantee is never overstated.
    root: Any = brentq(excess, epsilon / draws, high, xtol=1e-12)
    return root * (1 - 1e-9)


def crossing(
    gap: Callable[[float], float], low: float, high: float, late: bool
) -> float:
    """The sign change between two times, on the side where the guarantee holds."""
    root: Any = brentq(gap, low, high, xtol=1e-14 * high, rtol=1e-12)
    step = 1e-12 * high
    for _ in range(60):
        if gap(max(root, 0.0)) <= 0:
            break
        root, step = root + (step if late else -step), 2 * step
    return min(max(root, low), high)
