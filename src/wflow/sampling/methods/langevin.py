"""Independent chains: unadjusted and adjusted Langevin steps."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.energies import KLDivergence
from wflow.flows import LangevinFlow
from wflow.flows.base import AbstractFlow
from wflow.measures import Particles
from wflow.sampling.metropolis import MetropolisLangevinFlow

from .base import AbstractFlowMethod, LogDensity, Run


class ULA(AbstractFlowMethod):
    r"""Unadjusted Langevin: the simplest chains, one for each particle, slightly off.

    $x \leftarrow x + h\nabla\log\pi(x) + \sqrt{2h}\,\xi$; its law at rest is off by
    order h. Steps do not see the edge of a support: densities that are zero somewhere
    need ``supports=``, or ``MALA``.

    Raises:
        ValueError: a step or number of steps that is not positive.

    Reference: Roberts, Tweedie, Bernoulli 2 (1996), section 1.4.
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)

    def chain_count(self, n: int) -> int:
        return n

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        return 1

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        return LangevinFlow(KLDivergence(log_density))


class MALA(AbstractFlowMethod):
    """Metropolis-adjusted Langevin: one chain for each particle, exact at any step.

    Langevin proposals of step h are accepted so that the target stays. Steps are best
    where about 0.57 of the proposals are accepted (``acceptance``).

    Raises:
        ValueError: a step or number of steps that is not positive.

    Reference: Roberts, Tweedie, Bernoulli 2 (1996), section 1.4.
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)

    def chain_count(self, n: int) -> int:
        return n

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        return 2

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        return MetropolisLangevinFlow(log_density)

    def finish(self, run: Run, log_density: LogDensity) -> Run:
        rate = mean_acceptance(run.particles, log_density, self.step_size)
        return dataclasses.replace(run, acceptance=rate)


@eqx.filter_jit
def mean_acceptance(
    mu: Particles, log_density: LogDensity, step: ArrayLike
) -> Float[Array, ""]:
    """Mean probability with which the particles' next proposals would be accepted."""
    flow = MetropolisLangevinFlow(log_density)
    _, logs = flow.propose(mu.x, jnp.asarray(step, mu.dtype), jax.random.key(0))
    return mu.normalized().w @ jnp.exp(logs)
