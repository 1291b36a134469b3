"""A measure that knows how far it has come."""

from typing import Any, Self

import equinox as eqx
from jaxtyping import Array, Float

from wflow import checks
from wflow.checks import real_field
from wflow.measures import AbstractMeasure
from wflow.measures.base import AbstractCarrier


class Traveled(AbstractCarrier):
    r"""A measure that counts how far it has moved.

    With the length $s = \int |\dot\mu|\,dt$ of its path and the action
    $\frac12 \int |\dot\mu|^2\,dt$, both of which ``ArcLengthFlow`` accumulates.
    $s^2 \le 2\,(t - t_0)\,$action, with equality at constant speed.

    Raises:
        TypeError: what travels is no measure.
        ValueError: a length or an action that is negative or not finite.
    """

    measure: Any
    length: Float[Array, ""] = eqx.field(converter=real_field("length"), default=0.0)
    action: Float[Array, ""] = eqx.field(converter=real_field("action"), default=0.0)

    def __check_init__(self) -> None:
        checks.instance(self, "measure", self.measure, AbstractMeasure, "a measure")
        for name in ("length", "action"):
            checks.shape(self, name, getattr(self, name), ())
            checks.non_negative(self, name, getattr(self, name))

    @property
    def state(self) -> tuple[Any, Array, Array]:
        dtype = self.measure.dtype
        return (
            self.measure.state,
            self.length.astype(dtype),
            self.action.astype(dtype),
        )

    def with_state(self, state: tuple[Any, Array, Array]) -> Self:
        measure, length, action = state
        return type(self)(self.measure.with_state(measure), length, action)
