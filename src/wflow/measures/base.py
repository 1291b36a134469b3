"""The contract of a measure: what moves, and how its functionals are differentiated."""

import abc
import operator
from collections.abc import Callable
from typing import Any, Self, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from wflow.checks import at_least_single, to_real


# What moves of a measure, and the differential of a functional of it.
State: TypeAlias = PyTree[Array]
Differential: TypeAlias = PyTree[Array]


class UnsupportedMeasureError(TypeError):
    """An energy, geometry or flow met a measure that it does not act on."""

    def __init__(self, owner: object, measure: object, supported: str):
        super().__init__(
            f"{type(owner).__name__} does not act on {type(measure).__name__}; "
            f"it acts on {supported}."
        )


class ImplicitEntropyError(TypeError):
    """The entropy of a measure without a density was asked for as a number."""

    def __init__(self, owner: object):
        super().__init__(
            f"{type(owner).__name__}: particles have no density, so this differential "
            "is (dx, dw, entropy) with the entropy left as a coefficient. Use it with "
            "Stein (which integrates it by parts), with LangevinFlow (which turns it "
            "into noise), or give the energy a density: density=KDE(...) or "
            "density=GaussianClosure()."
        )


def moving_field(name: str) -> Callable[[Any], Array]:
    """The converter of a field that moves: real numbers of single precision or more."""
    return lambda value: at_least_single(to_real(value, name))


class AbstractMeasure(eqx.Module):
    """A measure that can be put into a flow.

    A measure separates what moves (``state``, the pytree that a solver integrates)
    from what is frozen (axes, spacing, labels). A functional of it is differentiated
    by ``differential``, in the coordinates named there.
    """

    @property
    @abc.abstractmethod
    def state(self) -> State:
        """What moves."""

    @abc.abstractmethod
    def with_state(self, state: State) -> Self:
        """The same measure with another ``state``."""

    @abc.abstractmethod
    def integrate(self, function: Callable[[Any], Array]) -> Array:
        """The integral of ``function`` (of one point) against the measure."""

    @abc.abstractmethod
    def differential(
        self, functional: Callable[[Self], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], Differential]:
        """Value and differential of ``functional`` at this measure."""

    @property
    def dtype(self) -> jnp.dtype:
        """Floating dtype of the state."""
        leaves = jax.tree.leaves(self.state)
        found = {leaf.dtype for leaf in leaves}
        if len(found) == 1:
            return jax.dtypes.canonicalize_dtype(found.pop())
        return jnp.result_type(*leaves)


# The measures that an energy, a geometry or a law of motion acts on: one that acts on
# many serves where few are asked for. A jump or a solve also gives back what it takes.
Mu = TypeVar("Mu", bound=AbstractMeasure, contravariant=True)
Moving = TypeVar("Moving", bound=AbstractMeasure)


class AbstractCarrier(AbstractMeasure):
    """A measure and something beside it, which no functional of it feels."""

    measure: eqx.AbstractVar[AbstractMeasure]

    def integrate(self, function: Callable[[Any], Array]) -> Array:
        return self.measure.integrate(function)

    def differential(
        self, functional: Callable[[Any], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], Differential]:
        return self.measure.differential(functional)


def inner(a: State, b: State) -> Float[Array, ""]:
    """The sum of the products of all entries of two states of one structure."""
    products = jax.tree.map(lambda one, other: jnp.sum(one * other), a, b)
    return jax.tree.reduce(operator.add, products)


class AbstractDensity(eqx.Module):
    """A probability law known through its density."""

    @abc.abstractmethod
    def log_density(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        """Logarithm of the density at one point."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """``n`` independent draws."""
