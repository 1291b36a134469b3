"""The jump version of the Fisher-Rao reaction."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from wflow.checks import instance
from wflow.energies import AbstractEnergy
from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError

from .base import (
    AbstractJumpFlow,
    Strength,
    check_strength,
    strength_at,
    strength_field,
)


class BirthDeathFlow(AbstractJumpFlow[Particles]):
    r"""Particles die where the energy is high and are copied where it is low.

    The rate is $\beta |e_i|$, $e = \frac{\delta F}{\delta\mu} -$ mean.

    In a step of length h, particle i is active with probability
    $1 - e^{-\beta h |e_i|}$; in random order an active one with $e_i > 0$ is replaced
    by a copy of another, chosen uniformly, and one with $e_i < 0$ replaces another.
    Their number is constant; weights must be equal and stay so. As n grows the law
    follows the Fisher-Rao flow of F at rate $\beta$. Jumps carry no gradient.

    The energy needs a first variation at particles, hence a density for an entropy:
    ``KLDivergence(log_density, density=KDE(form="plug_in"))``. ``rate`` $\beta$ is a
    number or a schedule, a function of time.

    Raises:
        ValueError: a negative rate, or fewer than two particles.
        TypeError: ``energy`` is none.

    Reference: Lu, Lu, Nolen, arXiv:1905.09863, algorithm 1.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> hill = wf.Potential(lambda x: x[0])
        >>> cloud = wf.Particles.from_samples(jnp.linspace(-1, 1, 8)[:, None])
        >>> flow = wf.BirthDeathFlow(hill, rate=2.0)
        >>> end = wf.solve(flow, cloud, 0.0, 1.0, key=jax.random.key(0))[-1]
        >>> bool(end.mean[0] < -0.5)  # copies of low ones in place of high ones
        True
    """

    energy: AbstractEnergy[Particles]
    rate: Strength = strength_field("rate", default=1.0)

    def __check_init__(self) -> None:
        instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        check_strength(self, "rate", self.rate)

    def log_density_at(self, mu: Particles, t: ArrayLike) -> Array | None:
        return self.energy.differential(mu, t).w

    def jump(
        self, mu: Particles, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        if mu.n < 2:
            raise ValueError("BirthDeathFlow: expected at least 2 particles, found 1.")
        differential = self.energy.differential(mu, t)
        if differential.entropy is not None:
            raise ImplicitEntropyError(self)
        first_variation = differential.w
        excess = first_variation - jnp.mean(first_variation)
        rate = strength_at(self.rate, t, mu.dtype)
        active_key, order_key, other_key = jax.random.split(key, 3)
        probability = -jnp.expm1(-rate * dt * jnp.abs(excess))
        active = jax.random.uniform(active_key, (mu.n,), mu.dtype) < probability
        order = jax.random.permutation(order_key, mu.n)
        # Another particle, uniformly: a shift by 1 .. n - 1 slots.
        shift = jax.random.randint(other_key, (mu.n,), 1, max(mu.n, 2))
        other = (jnp.arange(mu.n) + shift) % mu.n

        def visit(source: Array, i: Array) -> tuple[Array, None]:
            dying = excess[i] > 0
            slot = jnp.where(dying, i, other[i])
            copied = jnp.where(dying, source[other[i]], source[i])
            return source.at[slot].set(jnp.where(active[i], copied, source[slot])), None

        source, _ = jax.lax.scan(visit, jnp.arange(mu.n), order)
        # A particle whose excess is nan would never be active, and be kept in silence.
        lost = jnp.any(jnp.isnan(excess))
        return mu.with_state((jnp.where(lost, jnp.nan, mu.x[source]), mu.logw))
