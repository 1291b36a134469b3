"""A single point: the parameters of a model."""

from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
from jaxtyping import Array, Float, PyTree

from .base import AbstractMeasure


class Point(AbstractMeasure):
    """A Dirac mass at ``value``, any pytree; its floating-point arrays move."""

    value: PyTree

    def __check_init__(self) -> None:
        def moves(leaf: Any) -> bool:
            return eqx.is_inexact_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)

        if not any(map(moves, jax.tree.leaves(self.value))):
            raise ValueError(
                "Point: expected a value with a floating-point array, found none in "
                f"{self.value}."
            )

    @property
    def state(self) -> PyTree[Array]:
        return eqx.filter(self.value, eqx.is_inexact_array)

    def with_state(self, state: PyTree[Array]) -> Self:
        frozen = eqx.filter(self.value, eqx.is_inexact_array, inverse=True)
        return type(self)(eqx.combine(state, frozen))

    def integrate(self, function: Callable[[Any], Array]) -> Array:
        return function(self.value)

    def differential(
        self, functional: Callable[[Self], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], PyTree[Array]]:
        return jax.value_and_grad(lambda state: functional(self.with_state(state)))(
            self.state
        )
