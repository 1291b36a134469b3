"""One step of the damped leapfrog."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wflow.checks import (
    finite,
    function,
    instance,
    non_negative,
    one_of,
    shape,
    to_real,
)
from wflow.measures.special import mean_decay


ForceScaling = Literal["inertial", "unified"]
FORCE_SCALINGS = ("inertial", "unified")


def force_factor(friction: Array, force_scaling: ForceScaling) -> Array:
    r"""What the force of a law with friction is multiplied by.

    $s(\gamma)$: 1 for the inertial force, $1 + \gamma$ for the unified one.

    Raises:
        ValueError: a negative friction, or an unknown ``force_scaling``.
    """
    one_of("force_factor", "force_scaling", force_scaling, FORCE_SCALINGS)
    non_negative("force_factor", "friction", friction)
    friction = jnp.asarray(friction)
    return 1 + friction if force_scaling == "unified" else jnp.ones_like(friction)


class KineticState(NamedTuple):
    """Positions, velocities and the force at the positions, each ``(n, d)``.

    ``logw`` are the log-weights where they change, by growth; else None.
    """

    x: Float[Array, "n d"]
    v: Float[Array, "n d"]
    force: Float[Array, "n d"]
    logw: Float[Array, " n"] | None = None


def leapfrog_step(
    force: Callable[[Array], Array],
    state: KineticState,
    h: Float[Array, ""],
    friction: Float[Array, ""],
    force_scaling: ForceScaling = "inertial",
    consistent: bool = True,
    kicks: Float[Array, "2 n d"] | None = None,
) -> KineticState:
    r"""One step of the damped leapfrog.

    $v_{1/2} = m v + c f(x)$, $x^+ = x + h v_{1/2}$, $v^+ = m v_{1/2} + c f(x^+)$ with
    $m = e^{-\gamma h/2}$. The consistent $c = s(\gamma)(1 - m)/\gamma$ makes
    both kicks exact for a constant force: order 2, stable at every friction, velocity
    Verlet at $\gamma = 0$ and, with the unified force, explicit Euler for
    $\dot x = f$ as $\gamma \to \infty$. ``consistent=False`` is the published
    $c = m h/2 + 1 - m$ (the unified force only), of order 1 for $\gamma > 0$.

    ``force`` is evaluated once, at the new positions. ``kicks`` are random increments
    of the velocity in the two halves (Langevin dynamics). Shapes are checked, and what
    is known outside ``jit`` of h and friction.

    Raises:
        TypeError: ``force`` is no function, ``state`` no ``KineticState``.
        ValueError: h is not finite, a negative friction, an unknown ``force_scaling``.

    Reference: Guan, Atanackovic, Neklyudov, arXiv:2605.08550 (integrator of its code).
    """
    owner = "leapfrog_step"
    function(owner, "force", force, "positions")
    instance(owner, "state", state, KineticState, "a KineticState")
    check_step(owner, h)
    shape(owner, "friction", friction, ())
    non_negative(owner, "friction", friction)
    one_of(owner, "force_scaling", force_scaling, FORCE_SCALINGS)
    instance(owner, "consistent", consistent, bool, "True or False")
    friction = jnp.asarray(friction)
    check_state(owner, state)
    if kicks is not None:
        kicks = to_real(kicks, "kicks")
        shape(owner, "kicks", kicks, (2, *np.shape(state.x)))
    return leapfrog_substep(
        lambda x, logw: force(x),
        None,
        state,
        h,
        friction,
        force_scaling,
        consistent,
        kicks,
    )


def leapfrog_substep(
    force: Callable[[Array, Array | None], Array],
    rates: Callable[[Array], Array] | None,
    state: KineticState,
    h: Float[Array, ""],
    friction: Float[Array, ""],
    force_scaling: ForceScaling,
    consistent: bool,
    kicks: Float[Array, "2 n d"] | None = None,
) -> KineticState:
    """``leapfrog_step`` with growth: ``rates`` at the middle of the step.

    Half the drift, all of the growth, half the drift: a symmetric splitting, order 2.
    """
    half = friction * h / 2
    m = jnp.exp(-half)
    if consistent:
        c = force_factor(friction, force_scaling) * mean_decay(half) * h / 2
    else:
        c = m * h / 2 + 1 - m
    first, second = (0, 0) if kicks is None else kicks
    v = m * state.v + c * state.force + first
    x = state.x + h * v
    logw = state.logw
    if rates is not None and logw is not None:
        logw = logw + h * rates(state.x + h * v / 2)
    f = force(x, logw)
    return KineticState(x, m * v + c * f + second, f, logw)


def check_step(owner: str, h: object) -> None:
    """Refuse steps that are not one finite number."""
    shape(owner, "h", h, ())
    finite(owner, "h", h)


def check_state(owner: str, state: KineticState) -> None:
    """Refuse arrays of a state that do not go together."""
    shape(owner, "state.x", state.x, ("n", "d"))
    for name in ("v", "force"):
        shape(owner, f"state.{name}", getattr(state, name), np.shape(state.x))
