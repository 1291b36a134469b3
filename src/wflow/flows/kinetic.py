"""What second-order flows of particles share."""

import abc
from typing import TYPE_CHECKING

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import instance, non_negative, shape
from wflow.energies import AbstractEnergy
from wflow.geometries.wasserstein import per_mass
from wflow.measures import Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError, Mu, State
from wflow.measures.special import mean_decay

from .base import AbstractContinuousFlow, noise_kind, solver_of
from .damped_leapfrog import DampedLeapfrog
from .leapfrog import ForceScaling, force_factor


class AbstractKineticFlow(AbstractContinuousFlow[Mu]):
    r"""A law with inertia: a force and a friction, solved by the damped leapfrog.

    $\dot x = v,\quad \dot v = s(\gamma) f(x, t) - \gamma v$ on a Phase of
    Particles; noise, where there is any, is additive.

    A law of its own is a ``force`` and a ``friction``.
    """

    if TYPE_CHECKING:
        # Type checkers count a field here as the first argument of every subclass.
        @property
        def friction(self) -> Float[Array, ""]: ...
    else:
        friction: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def force(self, law: Particles, t: ArrayLike = 0.0) -> Float[Array, "n d"]:
        """The force f per mass on every particle (length per time squared)."""

    @property
    def force_scaling(self) -> ForceScaling:
        r"""The factor $s(\gamma)$ of the force; see ``force_factor``."""
        return "inertial"

    def velocity(self, mu: Mu, t: ArrayLike = 0.0) -> State:
        if not (isinstance(mu, Phase) and isinstance(mu.measure, Particles)):
            raise UnsupportedMeasureError(
                self, mu, "a Phase of Particles; see Phase.at_rest"
            )
        factor = force_factor(self.friction, self.force_scaling)
        acceleration = factor * self.force(mu.measure, t) - self.friction * mu.velocity
        return (mu.velocity, jnp.zeros_like(mu.measure.logw)), acceleration

    def default_solver(self, mu: Mu) -> diffrax.AbstractSolver:
        kind = noise_kind(self, mu)
        kinetic = isinstance(mu, Phase) and isinstance(mu.measure, Particles)
        if kinetic and kind in (None, "additive"):
            return DampedLeapfrog()
        return solver_of(kind)

    def kicks(
        self: "AbstractKineticFlow[Phase]",
        mu: Phase,
        t: ArrayLike,
        h: Array,
        key: PRNGKeyArray,
    ) -> Float[Array, "2 n d"]:
        r"""The noise of the two half-kicks of a leapfrog step of length h.

        Each is an Ornstein-Uhlenbeck process over h/2: of $\sigma\,dW$ it has variance
        $\sigma^2(1 - e^{-\gamma h})/(2\gamma)$.
        """
        noise = self.noise(mu, t)
        if noise is None:
            return jnp.zeros((2, *mu.velocity.shape), mu.dtype)
        spread = jnp.sqrt(h / 2 * mean_decay(self.friction * h))
        draws = spread * jax.random.normal(key, (2, *mu.velocity.shape), mu.dtype)
        still = jax.tree.map(jnp.zeros_like, mu.measure.state)
        operator = noise.operator(mu)
        return jnp.stack([operator.mv((still, draw))[1] for draw in draws])


def particle_force(
    energy: AbstractEnergy, mu: Particles, t: ArrayLike
) -> Float[Array, "n d"]:
    r"""The force of an energy on every particle.

    $f_i = -w_i^{-1}\,\partial F/\partial x_i$, the first variation's slope. What an
    estimated density does not differentiate, such as its bandwidth, is a constant here.

    Raises:
        ImplicitEntropyError: the energy holds an entropy that particles have no density
            for.
        TypeError: it is no energy, or ``mu`` are no Particles.
    """
    instance("particle_force", "energy", energy, AbstractEnergy, "an energy")
    instance("particle_force", "mu", mu, Particles, "Particles")
    differential = energy.differential(mu, t)
    if differential.entropy is not None:
        raise ImplicitEntropyError(energy)
    return -per_mass(differential.x, mu.w)


def check_scalar(owner: object, name: str, value: object) -> None:
    """Refuse what is known not to be one number >= 0."""
    shape(owner, name, value, ())
    non_negative(owner, name, value)
