"""A single point: the parameters of a model."""

from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from wflow.checks import to_real

from .base import AbstractMeasure, Differential, State


def _value(value: PyTree) -> PyTree:
    """A value that is one array of NumPy's moves like JAX's."""
    return to_real(value, "value") if isinstance(value, np.ndarray) else value


class Point(AbstractMeasure):
    """All mass at one place, such as the parameters of one model.

    ``value`` is any pytree; its floating-point arrays move.

    Raises:
        ValueError: the value has no floating-point array, or a complex one.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> model = wf.Point({"slope": jnp.array(2.0), "name": "line"})
        >>> print(model.integrate(lambda p: p["slope"] ** 2))
        4.0
    """

    value: PyTree = eqx.field(converter=_value)

    def __check_init__(self) -> None:
        def moves(leaf: Any) -> bool:
            return eqx.is_inexact_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)

        leaves = jax.tree.leaves(self.value)
        if not any(map(moves, leaves)):
            raise ValueError(
                "Point: expected a value with a floating-point array, found none in "
                f"an object of type {type(self.value).__name__}."
            )
        for leaf in filter(eqx.is_array, leaves):
            if leaf.dtype.kind == "c":
                raise ValueError(
                    "Point: expected a value of real numbers, found an array of "
                    f"{leaf.dtype}; take real and imaginary parts apart."
                )

    @property
    def state(self) -> State:
        return eqx.filter(self.value, eqx.is_inexact_array)

    def with_state(self, state: State) -> Self:
        frozen = eqx.filter(self.value, eqx.is_inexact_array, inverse=True)
        return type(self)(eqx.combine(state, frozen))

    def integrate(self, function: Callable[[Any], Array]) -> Array:
        return function(self.value)

    def differential(
        self, functional: Callable[[Self], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], Differential]:
        return jax.value_and_grad(lambda state: functional(self.with_state(state)))(
            self.state
        )
