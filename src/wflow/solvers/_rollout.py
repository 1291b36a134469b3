"""The damped leapfrog as a scan, for training."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from wflow.checks import count, finite, instance, random_key, shape
from wflow.flows import AbstractKineticFlow
from wflow.flows.base import noise_kind
from wflow.flows.leapfrog import KineticState, check_state, check_step, leapfrog_substep
from wflow.flows.sums import SumFlow, split_growth
from wflow.measures import Particles, Phase


def start_rollout(
    flow: AbstractKineticFlow | SumFlow,
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
    law = instance(owner, "mu.measure", mu.measure, Particles, "Particles")
    instance(owner, "stop_gradient_force", stop_gradient_force, bool, "True or False")
    shape(owner, "t", t, ())
    finite(owner, "t", t)
    moving, growth = split_growth(flow)
    force = _force(moving, law, law.x, None, t, stop_gradient_force)
    logw = None if growth is None else law.logw
    return KineticState(law.x, mu.velocity, force, logw)


def rollout(
    flow: AbstractKineticFlow | SumFlow,
    law: Particles,
    state: KineticState,
    t: ArrayLike,
    h: ArrayLike,
    num_steps: int,
    *,
    consistent: bool = True,
    stop_gradient_force: bool = False,
    key: PRNGKeyArray | None = None,
) -> KineticState:
    """``num_steps`` damped leapfrog steps of length ``h`` from ``state`` at time ``t``.

    The same map as ``solve`` with ``DampedLeapfrog``, as a bare scan that keeps only
    the states in reverse mode and recomputes the rest: it compiles and runs several
    times faster, for training. ``flow`` is an ``AbstractKineticFlow`` such as a
    ``LagrangianFlow``, or the sum of one and a ``GrowthFlow``; ``law`` gives weights
    of particles that do not grow, ``key`` the noise where there is any. Whether the
    state stays finite is not checked: this is for compiled loops.

    ``stop_gradient_force=True`` drops the force's derivative in the positions, as the
    published training does: the gradient is then not that of the loss.

    Raises:
        TypeError: a part is not what it should be, or ``num_steps`` not whole.
        ValueError: it is negative; t or h, where known, is not finite.
    """
    _check_flow("rollout", flow)
    instance("rollout", "law", law, Particles, "Particles")
    instance("rollout", "state", state, KineticState, "a KineticState")
    check_state("rollout", state)
    count("rollout", "num_steps", num_steps, least=0)
    shape("rollout", "t", t, ())
    finite("rollout", "t", t)
    check_step("rollout", h)
    instance("rollout", "consistent", consistent, bool, "True or False")
    instance("rollout", "stop_gradient_force", stop_gradient_force, bool, "a bool")
    t, h = jnp.asarray(t, state.x.dtype), jnp.asarray(h, state.x.dtype)
    moving, growth = split_growth(flow)
    noisy = noise_kind(moving, Phase(law, state.v)) is not None
    key = random_key("rollout", "key", key) if noisy else None

    @jax.checkpoint
    def step(state: KineticState, k: Array) -> tuple[KineticState, None]:
        def force(x: Array, logw: Array | None) -> Array:
            return _force(moving, law, x, logw, t + (k + 1) * h, stop_gradient_force)

        rates = kicks = None
        if growth is not None:
            rates = functools.partial(growth.rates, t=t + (k + 0.5) * h)
        if key is not None:
            own = jax.random.fold_in(key, k.astype(jnp.int32))
            kicks = moving.kicks(Phase(law, state.v), t + k * h, h, own)
        return leapfrog_substep(
            force,
            rates,
            state,
            h,
            moving.friction,
            moving.force_scaling,
            consistent,
            kicks,
        ), None

    if num_steps == 1:
        return step(state, jnp.zeros((), state.x.dtype))[0]
    return jax.lax.scan(step, state, jnp.arange(num_steps, dtype=state.x.dtype))[0]


def _force(
    flow: AbstractKineticFlow,
    law: Particles,
    x: Array,
    logw: Array | None,
    t: ArrayLike,
    stop_gradient: bool,
) -> Array:
    x = jax.lax.stop_gradient(x) if stop_gradient else x
    logw = law.logw if logw is None else logw
    return flow.force(law.with_state((x, logw)), t)


def _check_flow(owner: str, flow: object) -> None:
    """Refuse what has no second-order motion of particles."""
    what = "a LagrangianFlow, LangevinFlow or AbstractKineticFlow, with growth or not"
    law = instance(owner, "flow", flow, AbstractKineticFlow | SumFlow, what)
    instance(owner, "flow", split_growth(law)[0], AbstractKineticFlow, what)
