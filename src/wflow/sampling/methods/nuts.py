"""Reference draws by a library: the no-U-turn sampler."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wflow.checks import count
from wflow.measures import Particles
from wflow.sampling.extras import bayes

from .base import AbstractMethod, LogDensity, Run, energies, kl_estimate


class NUTS(AbstractMethod):
    """As many draws as there are particles, by BlackJAX's adapted no-U-turn sampler.

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


@eqx.filter_jit
def _chains(
    log_density: LogDensity,
    starts: Array,
    keys: PRNGKeyArray,
    warmup: int,
    thin: int,
    each: int,
) -> tuple[Array, Array]:
    blackjax = bayes("blackjax", "NUTS")

    def chain(x: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        adapt_key, key = jax.random.split(key)
        adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
        adapted, warm = adaptation.run(adapt_key, x, num_steps=warmup)
        step = blackjax.nuts(log_density, **adapted.parameters).step

        def draw(state, key):
            def once(state, key):
                state, info = step(key, state)
                return state, info.num_integration_steps

            state, counts = jax.lax.scan(once, state, jax.random.split(key, thin))
            return state, (state.position, jnp.sum(counts))

        _, (draws, counts) = jax.lax.scan(
            draw, adapted.state, jax.random.split(key, each)
        )
        return draws, jnp.sum(counts) + jnp.sum(warm.info.num_integration_steps)

    draws, counts = jax.vmap(chain)(starts, keys)
    return draws, jnp.sum(counts)
