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

    Chains start at the first particles. Draws, their statistics and every ``thin``-th
    step of the warm-up are recorded.

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
        x, statistics, early, gradients = _chains(
            log_density, initial.x[:chains], keys, self.warmup, self.thin, each
        )
        draws = jnp.moveaxis(x, 0, 1).reshape(-1, initial.dim)[: initial.n]
        end = Particles.from_samples(draws)
        measures = jax.tree.map(lambda leaf: leaf[None], end)
        energy = energies(kl_estimate(log_density), measures)
        times = jnp.asarray([self.warmup + each * self.thin], initial.dtype)
        whole = initial.n // chains  # draws that every chain has
        return Run(
            measures,
            times,
            energy,
            int(gradients),
            acceptance=jnp.mean(statistics["acceptance_rate"]),
            warmup=early,
            statistics={name: one[:, :whole] for name, one in statistics.items()},
        )


class _Chains(eqx.Module):
    """Adapted chains: BlackJAX's states and parameters, a leading axis of chains."""

    log_density: LogDensity
    states: Any
    parameters: Any


def _warm(
    log_density: LogDensity, x: Array, key: PRNGKeyArray, warmup: int
) -> tuple[Any, Any, Array, Array]:
    """A chain's state and parameters after adaptation, its way, and its evaluations."""
    blackjax = bayes("blackjax", "NUTS")
    adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
    adapted, warm = adaptation.run(key, x, num_steps=warmup)
    counts = jnp.sum(warm.info.num_integration_steps)
    return adapted.state, adapted.parameters, warm.state.position, counts


def _thinned(
    log_density: LogDensity, parameters: Any, state: Any, key: PRNGKeyArray, thin: int
) -> tuple[Any, dict[str, Array]]:
    """A chain's state ``thin`` transitions later, and what they were like."""
    transition = bayes("blackjax", "NUTS").nuts(log_density, **parameters).step

    def once(state: Any, key: PRNGKeyArray) -> tuple[Any, Any]:
        state, info = transition(key, state)
        kept = info.num_integration_steps, info.acceptance_rate, info.is_divergent
        return state, (*kept, info.energy)

    keys = jax.random.split(key, thin)
    state, (counts, rates, diverged, energy) = jax.lax.scan(once, state, keys)
    return state, {
        "n_steps": jnp.sum(counts),
        "acceptance_rate": jnp.mean(rates),
        "diverging": jnp.any(diverged),
        "energy": energy[-1],
    }


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
) -> tuple[Array, dict[str, Array], Array, Array]:
    """Draws, their statistics, every ``thin``-th adapted state, and evaluations."""

    def chain(x: Array, key: PRNGKeyArray) -> Any:
        adapt_key, key = jax.random.split(key)
        state, parameters, early, warm = _warm(log_density, x, adapt_key, warmup)

        def draw(state: Any, key: PRNGKeyArray) -> tuple[Any, Any]:
            state, found = _thinned(log_density, parameters, state, key, thin)
            return state, (state.position, found)

        _, (draws, found) = jax.lax.scan(draw, state, jax.random.split(key, each))
        return draws, found, early[thin - 1 :: thin], jnp.sum(found["n_steps"]) + warm

    draws, found, early, counts = jax.vmap(chain)(starts, keys)
    return draws, found, early, jnp.sum(counts)
