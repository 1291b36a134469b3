"""The energy of an external potential."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.measures import AbstractMeasure

from .base import AbstractLinearEnergy


class Potential(AbstractLinearEnergy[AbstractMeasure]):
    r"""A landscape in which every particle rolls down by itself.

    $F(\mu) = \int V(x)\,d\mu(x)$ for a function V of one point.

    With ``with_time=True`` the function is V(x, t). On a ``Point`` it is V(value).

    Raises:
        TypeError: the potential is no function.
        ValueError: when evaluated, it does not return one real number.

    Examples:
        >>> import wflow as wf
        >>> bowl = wf.Potential(lambda x: x @ x / 2)
        >>> print(bowl.value(wf.Particles.from_samples([[0.0], [2.0]])))
        1.0
        >>> print(round(float(bowl.value(wf.Gaussian([0.0], [[1.0]]))), 3))
        0.5
    """

    potential: Callable[..., Array]
    with_time: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        checks.one_of(self, "with_time", self.with_time, (True, False))
        arguments = "x, t" if self.with_time else "x"
        checks.function(self, "potential", self.potential, arguments)

    def value(self, mu: AbstractMeasure, t: ArrayLike = 0.0) -> Float[Array, ""]:
        def at(x: Any) -> Float[Array, ""]:
            value = self.potential(x, t) if self.with_time else self.potential(x)
            return checks.one_number(self, "potential", value)

        return mu.integrate(at)
