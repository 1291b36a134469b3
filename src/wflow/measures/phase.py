"""A measure with inertia."""

from typing import Any, NamedTuple, Self, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from wflow import checks

from .base import AbstractCarrier, State, moving_field
from .gaussian import Gaussian
from .grid import Grid, logarithmic_mean
from .particles import Particles


# The measures in space, which have fields.
Law: TypeAlias = Particles | Gaussian | Grid


class AffineVelocity(NamedTuple):
    """A velocity field that is affine in space, for a Gaussian that moves.

    $v(x) = u + L (x - m)$ on a Gaussian with mean m; ``u (d,)``, ``L (d, d)``.
    """

    mean: Float[Array, " d"]
    slope: Float[Array, "d d"]


def _velocity(value: Any) -> Any:
    if isinstance(value, AffineVelocity):
        return AffineVelocity(*map(moving_field("velocity"), value))
    # A state that is no array belongs to a pytree of another measure, or a template.
    plain = checks.known(value) is not None or isinstance(value, list | tuple | str)
    return moving_field("velocity")(value) if plain else value


class Phase(AbstractCarrier):
    r"""A measure and the velocity that carries it.

    | measure   | velocity                                                     |
    |-----------|--------------------------------------------------------------|
    | Particles | ``(n, d)``, one per particle                                 |
    | Gaussian  | ``AffineVelocity``; slope symmetric for a gradient field     |
    | Grid      | ``(*cells)``, the velocity potential: $v = \nabla\varphi$    |

    Raises:
        TypeError: another measure, or a velocity that is no array of numbers.
        ValueError: a velocity of another shape than the measure needs.

    Examples:
        >>> import wflow as wf
        >>> cloud = wf.Particles.from_samples([[0.0], [1.0]])
        >>> moving = wf.Phase(cloud, [[2.0], [0.0]])
        >>> print(moving.kinetic_energy, wf.Phase.at_rest(cloud).kinetic_energy)
        1.0 0.0
    """

    measure: Law
    velocity: PyTree[Array] = eqx.field(converter=_velocity)

    def __check_init__(self) -> None:
        expected = jax.tree.map(jnp.shape, self._rest(self.measure))
        found = jax.tree.map(jnp.shape, self.velocity)
        if jax.tree.structure(expected) != jax.tree.structure(found):
            raise ValueError(
                f"Phase: a {type(self.measure).__name__} needs a velocity of shape "
                f"{expected}, found {found}."
            )
        if jax.tree.leaves(expected) != jax.tree.leaves(found):
            raise ValueError(
                f"Phase: expected a velocity of shape {expected}, found {found}."
            )

    @staticmethod
    def _rest(measure: Law) -> PyTree[Array]:
        match measure:
            case Particles():
                return jnp.zeros_like(measure.x)
            case Gaussian():
                return AffineVelocity(
                    jnp.zeros_like(measure.mean), jnp.zeros_like(measure.cov)
                )
            case Grid():
                return jnp.zeros_like(measure.density)
        raise TypeError(
            "Phase: expected measure to be Particles, Gaussian or Grid, found "
            f"{type(measure).__name__}."
        )

    @classmethod
    def at_rest(cls, measure: Law) -> Self:
        """``measure`` with velocity zero."""
        return cls(measure, cls._rest(measure))

    @property
    def kinetic_energy(self) -> Float[Array, ""]:
        r"""$\frac12 \int |v|^2 d\mu$; on a grid with the logarithmic mean at faces."""
        mu, v = self.measure, self.velocity
        match mu:
            case Particles():
                return jnp.sum(mu.w * jnp.sum(v**2, axis=1)) / 2
            case Gaussian():
                return (v.mean @ v.mean + jnp.sum((v.slope @ mu.cov) * v.slope)) / 2
            case Grid():
                faces = [
                    jnp.sum(
                        logarithmic_mean(*mu.face_values(mu.density, axis))
                        * mu.face_gradient(v, axis) ** 2
                    )
                    for axis in range(mu.dim)
                ]
                return mu.cell_volume * sum(faces) / 2

    @property
    def state(self) -> tuple[State, PyTree[Array]]:
        return self.measure.state, self.velocity

    def with_state(self, state: tuple[State, PyTree[Array]]) -> Self:
        measure, velocity = state
        return eqx.tree_at(
            lambda mu: (mu.measure, mu.velocity),
            self,
            (self.measure.with_state(measure), velocity),
        )
