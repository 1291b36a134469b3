"""Any function of a measure."""

from collections.abc import Callable

from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.measures.base import Mu

from .base import AbstractEnergy


class Functional(AbstractEnergy[Mu]):
    r"""Any function of a measure as its energy.

    $F(\mu, t)$ given as a function of the measure itself.

    Raises:
        TypeError: it is no function.
        ValueError: when evaluated, it does not return one real number.
    """

    function: Callable[[Mu, ArrayLike], Float[Array, ""]]

    def __check_init__(self) -> None:
        checks.function(self, "function", self.function, "the measure and t")

    def value(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return checks.one_number(self, "function", self.function(mu, t))
