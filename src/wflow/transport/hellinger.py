"""The Hellinger-Kantorovich distance: transport that may also create and destroy."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from wflow import checks
from wflow.measures import Particles
from wflow.measures.particles import refuse_period

from . import inputs
from .relaxed import sinkhorn_plan


# Sinkhorn contracts by 1 - 2 epsilon an iteration: this many over epsilon reach 1e-17.
_SWEEPS = 20.0
# Below, it would iterate for hours.
_LEAST_EPSILON = 1e-6


def hk_squared(mu: Particles, nu: Particles, epsilon: float = 1e-3) -> Float[Array, ""]:
    r"""A squared distance of populations of any size: mass may move, fade or grow.

    $\min_P \langle P, c\rangle + \mathrm{KL}(P_1|\mu) + \mathrm{KL}(P_2|\nu)$.

    $c = -2\log\cos\min(|x - y|, \frac\pi2)$ and $\mathrm{KL}(p|q) = \sum p\log\frac pq
    - p + q$: masses further apart than $\frac\pi2$ do not meet. The functional is taken
    without regularization at the plan that unbalanced Sinkhorn finds with ``epsilon``,
    and half of what it is between either measure and itself is taken off: it is 0
    between equal measures, and within $O(\epsilon)$ of the minimum. Dense,
    $O((n + m)^2)$.

    Gradients, in positions and weights, are those of the envelope theorem.

    Args:
        mu: particles, of any positive mass.
        nu: likewise, of the same dimension.
        epsilon: >= 1e-6; iterations grow as its inverse.

    Raises:
        TypeError: a measure that is not Particles.
        ValueError: no mass, points that are not finite, unlike dimensions, or an
            epsilon that is too small or not finite; Sinkhorn did not converge. Under
            ``jit`` the measures' numbers are not looked at.

    Reference: Liero, Mielke, Savare, Inventiones 211 (2018), equations (6.8), (7.2).
    """
    return _squared("hk_squared", mu, nu, epsilon)


def _squared(
    owner: str, mu: Particles, nu: Particles, epsilon: float
) -> Float[Array, ""]:
    _check(owner, mu, nu)
    checks.shape(owner, "epsilon", epsilon, ())
    checks.within(owner, "epsilon", epsilon, _LEAST_EPSILON, math.inf, closed="low")
    width = checks.known(epsilon)
    if width is None:
        raise TypeError(f"{owner}: expected epsilon to be a number, found a tracer.")
    dtype = jnp.promote_types(jnp.result_type(mu.x, nu.x), jnp.float32)
    (x, a), (y, b) = (
        (measure.x.astype(dtype), measure.w.astype(dtype)) for measure in (mu, nu)
    )
    value, converged = _debiased(x, a, y, b, width.item())
    return checks.require(
        value,
        converged,
        f"{owner}: Sinkhorn did not converge; take a larger epsilon than {epsilon}.",
    )


# Compiled here: run eagerly, OTT's loops would be compiled anew at every call.
@eqx.filter_jit
def _debiased(
    x: Array, a: Array, y: Array, b: Array, epsilon: float
) -> tuple[Float[Array, ""], Array]:
    across, one = _functional(x, a, y, b, epsilon)
    within_x, two = _functional(x, a, x, a, epsilon)
    within_y, three = _functional(y, b, y, b, epsilon)
    value = across - (within_x + within_y) / 2
    # Written so that nan stays nan.
    return jnp.where(value < 0, 0.0, value), one & two & three


def _functional(
    x: Array, a: Array, y: Array, b: Array, epsilon: float
) -> tuple[Float[Array, ""], Array]:
    cost = _cone_cost(x, y)
    plan, converged = jax.lax.stop_gradient(
        _plan(*jax.lax.stop_gradient((cost, a, b)), epsilon)
    )
    value = (
        jnp.sum(plan * cost)
        + _divergence(jnp.sum(plan, 1), a)
        + _divergence(jnp.sum(plan, 0), b)
    )
    return value, converged


def _root(value: Array) -> Array:
    """The square root, with slope zero at zero."""
    zero = value == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, value)))


def hk_distance(
    mu: Particles, nu: Particles, epsilon: float = 1e-3
) -> Float[Array, ""]:
    r"""A distance of populations whose mass may move, fade or grow.

    $\mathsf{HK}(\mu, \nu)$ is the root of ``hk_squared``.

    Two atoms: $\mathsf{HK}^2 = m_0 + m_1 - 2\sqrt{m_0 m_1}\cos\min(|x - y|,
    \frac\pi2)$. Length of paths $\partial_t\mu + \nabla\cdot(\mu\nabla\xi) = 4\xi\mu$
    in the norm $\int |\nabla\xi|^2 + 4\xi^2\,d\mu$.

    Args:
        mu: particles, of any positive mass.
        nu: likewise, of the same dimension.
        epsilon: >= 1e-6, how much the plan is smoothed; iterations grow as its inverse.

    What ``hk_squared`` refuses is refused here too.

    Reference: Liero, Mielke, Savare, Inventiones 211 (2018), section 7.
    """
    return _root(_squared("hk_distance", mu, nu, epsilon))


def shk_distance(
    mu: Particles, nu: Particles, epsilon: float = 1e-3
) -> Float[Array, ""]:
    r"""A distance of shapes, whose mass may move, fade here and grow there.

    $\arccos(1 - \frac12\mathsf{HK}^2)$ of the measures normalized to mass one.

    The length of the shortest path among probability measures, at most $\frac\pi2$.

    Args:
        mu: particles, of any positive mass.
        nu: likewise, of the same dimension.
        epsilon: >= 1e-6, how much the plan is smoothed; iterations grow as its inverse.

    What ``hk_squared`` refuses is refused here too.

    Reference: Laschos, Mielke, J. Funct. Anal. 276 (2019), theorem 2.2.
    """
    owner = "shk_distance"
    _check(owner, mu, nu)
    squared = _squared(owner, mu.normalized(), nu.normalized(), epsilon)
    # An arc is twice the arcsine of half its chord.
    return 2 * jnp.arcsin(_root(squared) / 2)


def _check(owner: str, *measures: Any) -> None:
    for name, measure in zip(("mu", "nu"), measures, strict=True):
        checks.instance(owner, name, measure, Particles, "Particles")
        refuse_period(owner, measure)
        if isinstance(measure.x, Tracer) or isinstance(measure.logw, Tracer):
            continue
        # By numpy: arrays that a transformation closes over are not traced by it.
        mass = float(np.exp(np.asarray(measure.logw, np.float64)).sum())
        if not 0 < mass < math.inf:
            raise ValueError(
                f"{owner}: expected {name} of positive mass, found {mass}."
            )
        checks.finite(owner, f"points of {name}", measure.x)
    inputs.check_dimensions(owner, measures[0].x, measures[1].x, "mu and nu")


def _cone_cost(x: Array, y: Array) -> Float[Array, "n m"]:
    """Cost of transport against growth, finite and smooth where it is used.

    $c$, finite where it is infinite, with derivatives where points meet.
    """
    r2 = jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)
    apart = r2 > 0
    r = jnp.where(apart, jnp.sqrt(jnp.where(apart, r2, 1)), 0)
    near = r < jnp.pi / 2
    # No mass goes at this cost: it could save a part of eps, the relative rounding.
    least = jnp.finfo(x.dtype).eps
    cosine = jnp.maximum(jnp.cos(jnp.where(near, r, 0)), least)
    return -2 * jnp.log(jnp.where(near, cosine, least))


def _plan(
    cost: Array, a: Array, b: Array, epsilon: float
) -> tuple[Float[Array, "n m"], Array]:
    return sinkhorn_plan(
        cost,
        a,
        b,
        epsilon,
        penalty=1.0,
        threshold=float(jnp.finfo(cost.dtype).eps) ** 0.5,
        max_iterations=2000 + math.ceil(_SWEEPS / epsilon),
    )


def _divergence(p: Array, q: Array) -> Float[Array, ""]:
    r"""The divergence of two arrays of masses.

    $\sum p\log(p/q) - p + q$, atoms of no mass left out.
    """
    held = (p > 0) & (q > 0)
    ratio = jnp.where(held, p, 1) / jnp.where(held, q, 1)
    return jnp.sum(jnp.where(held, p * jnp.log(ratio) - p, 0) + q)
