"""The fixed steps of a law in training rollouts, by the law's own method."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wflow.flows import AbstractContinuousFlow, AbstractKineticFlow, LagrangianFlow
from wflow.flows.leapfrog import KineticState, leapfrog_step
from wflow.flows.sums import split_growth
from wflow.measures import Particles, Phase
from wflow.solvers._rollout import rollout, start_rollout
from wflow.solvers.fixed_step import fixed_step


class Leapfrog(eqx.Module):
    """Damped leapfrog steps, one force each, of a flow with a force on a ``Phase``."""

    flow: AbstractContinuousFlow
    law: Particles
    consistent: bool = eqx.field(static=True)
    stop_gradient_force: bool = eqx.field(static=True)

    def init(self, mu: Phase, t: Array) -> KineticState:
        """The state of ``mu`` at its time."""
        return start_rollout(
            self.flow, mu, t, stop_gradient_force=self.stop_gradient_force
        )

    def step(
        self, state: KineticState, t: Array, h: Array, key: PRNGKeyArray
    ) -> KineticState:
        """The state a step of length h later."""
        return rollout(
            self.flow,
            self.law,
            state,
            t,
            h,
            1,
            consistent=self.consistent,
            stop_gradient_force=self.stop_gradient_force,
            key=key,
        )

    def coast(self, state: KineticState, h: Array) -> KineticState:
        """The same positions without the force there, half a kick short."""
        moving, _ = split_growth(self.flow)
        return leapfrog_step(
            jnp.zeros_like,
            state,
            h,
            moving.friction,
            moving.force_scaling,
            self.consistent,
        )

    @property
    def coasts(self) -> bool:
        """Whether the force after the last step of a rollout can be saved."""
        moving, growth = split_growth(self.flow)
        return growth is None and isinstance(moving, LagrangianFlow)

    def parts(self, state: KineticState) -> tuple[Array, Array | None, Array | None]:
        """Positions, velocities, and log-weights where they change."""
        return state.x, state.v, state.logw


class Heun(eqx.Module):
    """Heun's steps of any flow, by ``fixed_step``; its state is the measure."""

    flow: AbstractContinuousFlow

    coasts = False

    def init(self, mu: Any, t: Array) -> Any:
        """The state of ``mu`` at its time."""
        del t
        return mu

    def step(self, state: Any, t: Array, h: Array, key: PRNGKeyArray) -> Any:
        """The state a step of length h later."""
        return fixed_step(self.flow, state, t, h, key)

    def parts(self, state: Any) -> tuple[Array, Array | None, Array | None]:
        """Positions, velocities if there are any, and log-weights."""
        law = state.measure if isinstance(state, Phase) else state
        return law.x, state.velocity if isinstance(state, Phase) else None, law.logw


def has_leapfrog(flow: AbstractContinuousFlow) -> bool:
    """Whether a flow, its growth apart, has a force and a friction on a ``Phase``."""
    return isinstance(split_growth(flow)[0], AbstractKineticFlow)


def stepper(
    flow: AbstractContinuousFlow,
    mu: Particles | Phase,
    consistent: bool,
    stop_gradient_force: bool,
) -> Leapfrog | Heun:
    """How ``flow`` is stepped on ``mu``."""
    if isinstance(mu, Phase) and has_leapfrog(flow):
        return Leapfrog(flow, mu.measure, consistent, stop_gradient_force)
    return Heun(flow)
