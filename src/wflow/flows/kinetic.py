"""What second-order flows of particles share."""

from typing import Any, Literal

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from wflow.checks import instance, non_negative, one_of, shape
from wflow.energies import AbstractEnergy
from wflow.geometries import per_mass
from wflow.measures import ImplicitEntropyError, Particles, Phase

from .base import AbstractContinuousFlow, check_flow, scale


ForceScaling = Literal["inertial", "unified"]
FORCE_SCALINGS = ("inertial", "unified")


def force_factor(friction: Array, force_scaling: ForceScaling) -> Array:
    r"""$s(\gamma)$: 1 for the inertial force, $1 + \gamma$ for the unified one.

    Raises:
        ValueError: a negative friction, or an unknown ``force_scaling``.
    """
    one_of("force_factor", "force_scaling", force_scaling, FORCE_SCALINGS)
    non_negative("force_factor", "friction", friction)
    friction = jnp.asarray(friction)
    return 1 + friction if force_scaling == "unified" else jnp.ones_like(friction)


def particle_force(
    energy: AbstractEnergy, mu: Particles, t: ArrayLike
) -> Float[Array, "n d"]:
    r"""$f_i = -w_i^{-1}\,\partial F/\partial x_i$, from the first variation's slope.

    Raises:
        ImplicitEntropyError: the energy holds an entropy that particles have no density
            for.
        TypeError: it is no energy, or ``mu`` are no Particles.
    """
    instance("particle_force", "energy", energy, AbstractEnergy, "an energy")
    instance("particle_force", "mu", mu, Particles, "Particles")
    if energy.implicit_entropy(mu) is not None:
        raise ImplicitEntropyError(energy)
    # Only positions are differentiated: the weights' derivative costs a third more.
    gradient = jax.grad(lambda x: energy.value(mu.with_state((x, mu.logw)), t))(mu.x)
    return -per_mass(gradient, mu.w)


class KineticTerm(diffrax.AbstractTerm):
    """The vector field of a second-order flow on particles, open to the leapfrog.

    Its time is counted from ``origin``.
    """

    flow: AbstractContinuousFlow
    mu: Phase
    key: PRNGKeyArray | None = None
    origin: ArrayLike = 0.0

    def __check_init__(self) -> None:
        check_flow(self, self.flow)
        instance(self, "mu", self.mu, Phase, "a Phase")

    def vf(self, t: Any, y: PyTree[Array], args: Any) -> PyTree[Array]:
        del args
        return self.flow.velocity(self.mu.with_state(y), self.origin + t)

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        del kwargs
        return t1 - t0

    def prod(self, vf: PyTree[Array], control: Any) -> PyTree[Array]:
        return scale(control, vf)


def check_scalar(owner: object, name: str, value: Any) -> None:
    """Refuse what is known not to be one number >= 0."""
    shape(owner, name, value, ())
    non_negative(owner, name, value)
