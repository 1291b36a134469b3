"""The contract of an energy, and sums and scalings of energies."""

import abc
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, Generic

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.measures import Grid, Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import AbstractMeasure, Differential, Mu
from wflow.measures.particles import ParticlesDifferential


class AbstractEnergy(eqx.Module, Generic[Mu]):
    r"""A scalar functional $F(\mu, t)$ of measures of type Mu that a flow lowers.

    A subclass writes ``value`` once, with ``mu.integrate(...)`` or the measure's
    fields; everything else is derived from it by differentiation. Energies add,
    subtract and scale.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> class Spread(wf.AbstractEnergy):
        ...     def value(self, mu, t=0.0):
        ...         return jnp.trace(mu.cov) / 2
        >>> cloud = wf.Particles.from_samples([[-1.0], [1.0]])
        >>> print(Spread().value(cloud), (Spread() + 3 * Spread()).value(cloud))
        0.5 2.0
    """

    @abc.abstractmethod
    def value(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        r"""$F(\mu, t)$.

        Raises:
            UnsupportedMeasureError: the energy has no meaning on this measure.
            ImplicitEntropyError: it holds the entropy of particles without a density.
        """

    def differential(self, mu: Mu | Phase, t: ArrayLike = 0.0) -> Differential:
        """The differential at ``mu``, in the coordinates of its type.

        Particles: ``ParticlesDifferential``; Grid: the first variation at cells;
        Gaussian: ``GaussianDifferential``; Point: the gradient; Phase: that of its
        measure.
        """
        return within(mu).differential(lambda nu: self.value(nu, t))[1]

    def first_variation(
        self, mu: Particles, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        r"""$(\delta F/\delta\mu)(y)$ at any points: the derivative in a mass put there.

        On a learned energy this is the landscape that a particle at y feels.
        """
        return mass_derivative(lambda nu: self.value(nu, t), mu, points)

    def __add__(self, other: "AbstractEnergy") -> "Sum":
        if not isinstance(other, AbstractEnergy):
            return NotImplemented
        return Sum((self, other))

    def __sub__(self, other: "AbstractEnergy") -> "Sum":
        if not isinstance(other, AbstractEnergy):
            return NotImplemented
        return Sum((self, Scaled(-1.0, other)))

    def __mul__(self, factor: ArrayLike) -> "Scaled":
        if isinstance(factor, AbstractEnergy):
            return NotImplemented
        return Scaled(factor, self)

    def __rmul__(self, factor: ArrayLike) -> "Scaled":
        return self.__mul__(factor)

    def __truediv__(self, factor: ArrayLike) -> "Scaled":
        return self * (1 / factor)

    def __neg__(self) -> "Scaled":
        return Scaled(-1.0, self)


class AbstractLinearEnergy(AbstractEnergy[Mu]):
    r"""An energy $\int V(x, t)\,d\mu(x)$: a particle's force looks at its place alone.

    The name is all that it adds: resets of particles that feel nothing else are exact
    (``ResettingFlow``).
    """


class Sum(AbstractEnergy[Mu]):
    r"""A sum of energies.

    $\sum_k F_k$.

    Raises:
        TypeError: a part is no energy.
        ValueError: there is none.
    """

    parts: tuple[AbstractEnergy[Mu], ...]

    def __check_init__(self) -> None:
        checks.instance(self, "parts", self.parts, list | tuple, "a tuple of energies")
        for part in self.parts:
            checks.instance(self, "parts", part, AbstractEnergy, "energies")
        if not self.parts:
            raise ValueError("Sum: expected parts to hold an energy, found none.")

    def value(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return _total(part.value(mu, t) for part in self.parts)

    def differential(self, mu: Mu | Phase, t: ArrayLike = 0.0) -> Differential:
        parts = [part.differential(mu, t) for part in self.parts]
        if not isinstance(parts[0], ParticlesDifferential):
            return jax.tree.map(lambda *leaves: _total(leaves), *parts)
        held = [part.entropy for part in parts if part.entropy is not None]
        return ParticlesDifferential(
            _total(part.x for part in parts),
            _total(part.w for part in parts),
            _total(held) if held else None,
        )

    def first_variation(
        self, mu: Particles, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        return _total(part.first_variation(mu, points, t) for part in self.parts)


def _total(parts: Iterable[Array]) -> Array:
    return functools.reduce(operator.add, parts)


class Scaled(AbstractEnergy[Mu]):
    """A multiple of an energy.

    $c F$.

    Raises:
        TypeError: what is scaled is no energy.
        ValueError: the factor is not one number; nan and infinity show in the energy.
    """

    factor: Float[Array, ""] = eqx.field(converter=real_field("factor"))
    energy: AbstractEnergy[Mu]

    def __check_init__(self) -> None:
        checks.shape(self, "factor", self.factor, ())
        checks.instance(self, "energy", self.energy, AbstractEnergy, "an energy")

    def value(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.factor * self.energy.value(mu, t)

    def differential(self, mu: Mu | Phase, t: ArrayLike = 0.0) -> Differential:
        return jax.tree.map(
            lambda leaf: jnp.asarray(self.factor, leaf.dtype) * leaf,
            self.energy.differential(mu, t),
        )

    def first_variation(
        self, mu: Particles, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        return self.factor * self.energy.first_variation(mu, points, t)


def within(mu: AbstractMeasure) -> Any:
    """The measure that an energy is differentiated in: that of a Phase, else itself."""
    return mu.measure if isinstance(mu, Phase) else mu


def mass_derivative(
    functional: Callable[[Any], Float[Array, ""]],
    mu: Particles,
    points: Float[Array, "m d"],
) -> Float[Array, " m"]:
    """Derivatives of ``functional`` at ``mu`` in masses that are put at ``points``."""
    signed = jnp.zeros_like(mu.logw) if mu.signed is None else mu.signed

    def with_mass(mass: Array) -> Array:
        nu = Particles(
            jnp.concatenate([mu.x, points]),
            jnp.concatenate([mu.logw, jnp.full_like(mass, -jnp.inf)]),
            mu.period,
            jnp.concatenate([signed, mass]),
        )
        return functional(nu)

    return jax.grad(with_mass)(jnp.zeros(points.shape[0], mu.dtype))


def atoms(
    energy: AbstractEnergy, mu: AbstractMeasure
) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    """Points and masses of a measure that is a sum of atoms.

    Raises:
        UnsupportedMeasureError: ``mu`` is neither Particles nor Grid.
    """
    if isinstance(mu, Particles | Grid):
        return mu.atoms
    raise UnsupportedMeasureError(energy, mu, "Particles and Grid")
