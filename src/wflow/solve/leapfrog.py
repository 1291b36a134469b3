"""The damped leapfrog: one step function, a Diffrax solver and a training scan."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import (
    count,
    finite,
    function,
    instance,
    non_negative,
    one_of,
    shape,
    to_real,
)
from wflow.flows import (
    ForceScaling,
    KineticTerm,
    LagrangianFlow,
    SumFlow,
    force_factor,
    particle_force,
    split_growth,
)
from wflow.flows.kinetic import FORCE_SCALINGS
from wflow.measures import Particles, Phase, mean_decay


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
    _check_step(owner, h)
    shape(owner, "friction", friction, ())
    non_negative(owner, "friction", friction)
    one_of(owner, "force_scaling", force_scaling, FORCE_SCALINGS)
    instance(owner, "consistent", consistent, bool, "True or False")
    friction = jnp.asarray(friction)
    _check_state(owner, state)
    if kicks is not None:
        kicks = to_real(kicks, "kicks")
        shape(owner, "kicks", kicks, (2, *np.shape(state.x)))
    return _step(
        lambda x, logw: force(x),
        None,
        state,
        h,
        friction,
        force_scaling,
        consistent,
        kicks,
    )


def _step(
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


class DampedLeapfrog(diffrax.AbstractSolver):
    """``leapfrog_step`` as a Diffrax solver for second-order flows of particles.

    With a ``GrowthFlow`` beside them their weights move in the middle of the drift.
    Fixed steps only. With ``consistent=False`` it is the published scheme.
    """

    consistent: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        instance(self, "consistent", self.consistent, bool, "True or False")

    term_structure: ClassVar = diffrax.AbstractTerm
    interpolation_cls: ClassVar = diffrax.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        """Order in the step of the noiseless solution."""
        del terms
        return 2 if self.consistent else 1

    @staticmethod
    def _unwrap(terms: Any) -> tuple[KineticTerm, Any]:
        """The kinetic term inside Diffrax's wrappers, and the direction of time."""
        direction = 1
        while not isinstance(terms, KineticTerm):
            direction = direction * getattr(terms, "direction", 1)
            terms = terms.term
        return terms, direction

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """Force at the start, and a count of steps for the noise."""
        term, direction = self._unwrap(terms)
        law = term.mu.with_state(y0).measure
        flow, _ = split_growth(term.flow)
        force = particle_force(flow.energy, law, term.origin + direction * t0)
        return force, jnp.zeros((), jnp.int32)

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Any,
        solver_state: Any,
        made_jump: Any,
    ) -> tuple:
        """One step; Diffrax's signature."""
        del args, made_jump
        term, direction = self._unwrap(terms)
        (flow, growth), (force, count) = split_growth(term.flow), solver_state
        if flow.force_scaling != "unified" and not self.consistent:
            raise ValueError(
                "DampedLeapfrog: consistent=False is defined for "
                "force_scaling='unified', found 'inertial'."
            )
        ((x, logw), v), h = y0, direction * (t1 - t0)
        phase = term.mu.with_state(y0)
        kicks = None
        if term.key is not None:
            kicks = flow.kicks(phase, h, jax.random.fold_in(term.key, count))
        middle = term.origin + direction * (t0 + t1) / 2
        end = term.origin + direction * t1
        state = _step(
            lambda x, logw: particle_force(
                flow.energy, phase.measure.with_state((x, logw)), end
            ),
            None if growth is None else lambda x: growth.rates(x, middle),
            KineticState(x, v, force, logw),
            h,
            flow.friction,
            flow.force_scaling,
            self.consistent,
            kicks,
        )
        y1 = ((state.x, state.logw), state.v)
        info = {"y0": y0, "y1": y1}
        solver_state = (state.force, count + 1)
        return y1, None, info, solver_state, diffrax.RESULTS.successful

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The vector field; Diffrax's signature."""
        return terms.vf(t0, y0, args)


def _force(
    flow: LagrangianFlow,
    law: Particles,
    x: Array,
    logw: Array | None,
    t: ArrayLike,
    stop_gradient: bool,
) -> Array:
    x = jax.lax.stop_gradient(x) if stop_gradient else x
    logw = law.logw if logw is None else logw
    return particle_force(flow.energy, law.with_state((x, logw)), t)


def _check_flow(owner: str, flow: Any) -> None:
    """Refuse what has no second-order motion of particles."""
    what = "a LagrangianFlow, or the sum of one and a GrowthFlow"
    instance(owner, "flow", flow, LagrangianFlow | SumFlow, what)
    instance(owner, "flow", split_growth(flow)[0], LagrangianFlow, what)


def _check_step(owner: str, h: Any) -> None:
    shape(owner, "h", h, ())
    finite(owner, "h", h)


def _check_state(owner: str, state: KineticState) -> None:
    """Refuse arrays of a state that do not go together."""
    shape(owner, "state.x", state.x, ("n", "d"))
    for name in ("v", "force"):
        shape(owner, f"state.{name}", getattr(state, name), np.shape(state.x))


def start_rollout(
    flow: LagrangianFlow | SumFlow,
    mu: Phase,
    t: ArrayLike,
    *,
    stop_gradient_force: bool = False,
) -> KineticState:
    """The state at the start of a rollout of Particles; see ``rollout``.

    Raises:
        TypeError: ``flow`` or ``mu`` is not what it should be.
        ValueError: t is not one finite number.
    """
    owner = "start_rollout"
    _check_flow(owner, flow)
    instance(owner, "mu", mu, Phase, "a Phase of Particles")
    instance(owner, "mu.measure", mu.measure, Particles, "Particles")
    instance(owner, "stop_gradient_force", stop_gradient_force, bool, "True or False")
    shape(owner, "t", t, ())
    finite(owner, "t", t)
    law = mu.measure
    moving, growth = split_growth(flow)
    force = _force(moving, law, law.x, None, t, stop_gradient_force)
    logw = None if growth is None else law.logw
    return KineticState(law.x, mu.velocity, force, logw)


def rollout(
    flow: LagrangianFlow | SumFlow,
    law: Particles,
    state: KineticState,
    t: ArrayLike,
    h: ArrayLike,
    num_steps: int,
    *,
    consistent: bool = True,
    stop_gradient_force: bool = False,
) -> KineticState:
    """``num_steps`` damped leapfrog steps of length ``h`` from ``state`` at time ``t``.

    The same map as ``solve`` with ``DampedLeapfrog``, as a bare scan that keeps only
    the states in reverse mode and recomputes the rest: it compiles and runs several
    times faster, for training. ``flow`` is a ``LagrangianFlow``, or the sum of one and
    a ``GrowthFlow``; ``law`` gives the weights of particles that do not grow. Whether
    the state stays finite is not checked: this is for compiled loops.

    ``stop_gradient_force=True`` drops the force's derivative in the positions, as the
    published training does: the gradient is then not that of the loss.

    Raises:
        TypeError: a part is not what it should be, or ``num_steps`` not whole.
        ValueError: it is negative; t or h, where known, is not finite.
    """
    _check_flow("rollout", flow)
    instance("rollout", "law", law, Particles, "Particles")
    instance("rollout", "state", state, KineticState, "a KineticState")
    _check_state("rollout", state)
    count("rollout", "num_steps", num_steps, least=0)
    shape("rollout", "t", t, ())
    finite("rollout", "t", t)
    _check_step("rollout", h)
    instance("rollout", "consistent", consistent, bool, "True or False")
    instance("rollout", "stop_gradient_force", stop_gradient_force, bool, "a bool")
    t, h = jnp.asarray(t, state.x.dtype), jnp.asarray(h, state.x.dtype)
    moving, growth = split_growth(flow)

    @jax.checkpoint
    def step(state: KineticState, k: Array) -> tuple[KineticState, None]:
        def force(x: Array, logw: Array | None) -> Array:
            return _force(moving, law, x, logw, t + (k + 1) * h, stop_gradient_force)

        def rates(x: Array) -> Array:
            return growth.rates(x, t + (k + 0.5) * h)

        return _step(
            force,
            None if growth is None else rates,
            state,
            h,
            moving.friction,
            moving.force_scaling,
            consistent,
        ), None

    if num_steps == 1:
        return step(state, jnp.zeros((), state.x.dtype))[0]
    return jax.lax.scan(step, state, jnp.arange(num_steps, dtype=state.x.dtype))[0]
