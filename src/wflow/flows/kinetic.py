"""What second-order flows of particles share."""

from typing import Any, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from wflow.energies import AbstractEnergy
from wflow.geometries import per_mass
from wflow.measures import ImplicitEntropyError, Particles, Phase
from wflow.parameters import Learnable

from .base import AbstractContinuousFlow, scale


ForceScaling = Literal["inertial", "unified"]


def force_factor(friction: Array, force_scaling: ForceScaling) -> Array:
    r"""$s(\gamma)$: 1 for the inertial force, $1 + \gamma$ for the unified one."""
    return 1 + friction if force_scaling == "unified" else jnp.ones_like(friction)


def particle_force(
    energy: AbstractEnergy, mu: Particles, t: ArrayLike
) -> Float[Array, "n d"]:
    r"""$f_i = -w_i^{-1}\,\partial F/\partial x_i$, from the first variation's slope.

    Raises:
        ImplicitEntropyError: the energy holds an entropy that particles have no density
            for.
    """
    if energy.implicit_entropy(mu) is not None:
        raise ImplicitEntropyError(energy)
    # Only positions are differentiated: the weights' derivative costs a third more.
    gradient = jax.grad(lambda x: energy.value(mu.with_state((x, mu.logw)), t))(mu.x)
    return -per_mass(gradient, mu.w)


class KineticTerm(diffrax.AbstractTerm):
    """The vector field of a second-order flow on particles, open to the leapfrog."""

    flow: AbstractContinuousFlow
    mu: Phase
    key: PRNGKeyArray | None = None

    def vf(self, t: Any, y: PyTree[Array], args: Any) -> PyTree[Array]:
        del args
        return self.flow.velocity(self.mu.with_state(y), t)

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        del kwargs
        return t1 - t0

    def prod(self, vf: PyTree[Array], control: Any) -> PyTree[Array]:
        return scale(control, vf)


def check_friction(owner: object, friction: Any) -> None:
    """Refuse a friction that is known to be negative."""
    if isinstance(friction, jax.core.Tracer | Learnable | jax.ShapeDtypeStruct):
        return
    if eqx.is_array(friction) and not bool(jnp.all(friction >= 0)):
        raise ValueError(
            f"{type(owner).__name__}: expected friction >= 0, found {friction}."
        )
