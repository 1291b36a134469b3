"""Reference draws by a library: the no-U-turn sampler."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wflow.checks import count
from wflow.measures import Particles
from wflow.sampling.extras import bayes

from .base import (
    AbstractMethod,
    LogDensity,
    MethodState,
    Run,
    check_initial,
    energies,
    kl_estimate,
    start_state,
)


class NUTS(AbstractMethod):
    """Reference draws by BlackJAX's adapted no-U-turn sampler, as many as particles.

    Chains start at the first particles. Only the end is recorded.

    Attributes:
        warmup: steps in which step size and mass matrix are adapted.
        thin: steps for each draw that is kept.
        chains: independent chains; the draws are shared out among them.

    Raises:
        ValueError: a number below one.
        ModuleNotFoundError: BlackJAX is not installed (the extra ``bayes``).

    Reference: Hoffman, Gelman, JMLR 15 (2014).
    """

    warmup: int = eqx.field(static=True, default=500)
    thin: int = eqx.field(static=True, default=10)
    chains: int = eqx.field(static=True, default=4)

    def __check_init__(self) -> None:
        for name in ("warmup", "thin", "chains"):
            count(self, name, getattr(self, name))

    def chain_count(self, n: int) -> int:
        return min(self.chains, n)

    def init(
        self, log_density: LogDensity, initial: Particles, *, key: PRNGKeyArray
    ) -> MethodState:
        """Adapted chains, at the first particles; each is one particle of the state."""
        initial = check_initial(self, log_density, initial)
        chains = self.chain_count(initial.n)
        keys = jax.random.split(key, chains)
        states, parameters = _adapted(
            log_density, initial.x[:chains], keys, self.warmup
        )
        motion = _Chains(log_density, states, parameters)
        return start_state(Particles.from_samples(states.position), motion)

    def step(self, state: MethodState, key: PRNGKeyArray) -> MethodState:
        """Every chain ``thin`` transitions on."""
        motion = state.motion

        def chain(own: Any, parameters: Any, key: PRNGKeyArray) -> Any:
            return _thinned(motion.log_density, parameters, own, key, self.thin)[0]

        keys = jax.random.split(key, state.particles.n)
        states = jax.vmap(chain)(motion.states, motion.parameters, keys)
        moved = Particles.from_samples(states.position)
        return state.moved(moved, dataclasses.replace(motion, states=states))

    def run(
        self,
        log_density: LogDensity,
        initial: Particles,
        key: PRNGKeyArray,
        saves: int,
    ) -> Run:
        chains = self.chain_count(initial.n)
        each = -(-initial.n // chains)
        keys = jax.random.split(key, chains)
        x, gradients = _chains(
            log_density, initial.x[:chains], keys, self.warmup, self.thin, each
        )
        draws = jnp.moveaxis(x, 0, 1).reshape(-1, initial.dim)[: initial.n]
        end = Particles.from_samples(draws)
        measures = jax.tree.map(lambda leaf: leaf[None], end)
        energy = energies(kl_estimate(log_density), measures)
        times = jnp.asarray([self.warmup + each * self.thin], initial.dtype)
        return Run(measures, times, energy, int(gradients))


class _Chains(eqx.Module):
    """Adapted chains: BlackJAX's states and parameters, a leading axis of chains."""

    log_density: LogDensity
    states: Any
    parameters: Any


def _warm(
    log_density: LogDensity, x: Array, key: PRNGKeyArray, warmup: int
) -> tuple[Any, Any, Array]:
    """A chain's state and parameters after adaptation, and its evaluations."""
    blackjax = bayes("blackjax", "NUTS")
    adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
    adapted, warm = adaptation.run(key, x, num_steps=warmup)
    counts = jnp.sum(warm.info.num_integration_steps)
    return adapted.state, adapted.parameters, counts


def _thinned(
    log_density: LogDensity, parameters: Any, state: Any, key: PRNGKeyArray, thin: int
) -> tuple[Any, Array]:
    """A chain's state ``thin`` transitions later, and its evaluations."""
    transition = bayes("blackjax", "NUTS").nuts(log_density, **parameters).step

    def once(state: Any, key: PRNGKeyArray) -> tuple[Any, Array]:
        state, info = transition(key, state)
        return state, info.num_integration_steps

    state, counts = jax.lax.scan(once, state, jax.random.split(key, thin))
    return state, jnp.sum(counts)


@eqx.filter_jit
def _adapted(
    log_density: LogDensity, starts: Array, keys: PRNGKeyArray, warmup: int
) -> tuple[Any, Any]:
    def chain(x: Array, key: PRNGKeyArray) -> tuple[Any, Any]:
        return _warm(log_density, x, key, warmup)[:2]

    return jax.vmap(chain)(starts, keys)


@eqx.filter_jit
def _chains(
    log_density: LogDensity,
    starts: Array,
    keys: PRNGKeyArray,
    warmup: int,
    thin: int,
    each: int,
) -> tuple[Array, Array]:
    def chain(x: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        adapt_key, key = jax.random.split(key)
        state, parameters, warm = _warm(log_density, x, adapt_key, warmup)

        def draw(state: Any, key: PRNGKeyArray) -> tuple[Any, tuple[Array, Array]]:
            state, counts = _thinned(log_density, parameters, state, key, thin)
            return state, (state.position, counts)

        _, (draws, counts) = jax.lax.scan(draw, state, jax.random.split(key, each))
        return draws, jnp.sum(counts) + warm

    draws, counts = jax.vmap(chain)(starts, keys)
    return draws, jnp.sum(counts)
