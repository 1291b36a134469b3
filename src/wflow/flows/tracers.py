"""Points carried by a field that they do not make."""

from typing import Any

from jaxtyping import Array, ArrayLike, PyTree

from wflow.checks import instance
from wflow.measures import Traced, UnsupportedMeasureError

from .base import AbstractCarryingFlow
from .gradient import GradientFlow


class TracerFlow(AbstractCarryingFlow):
    r"""``flow`` on a ``Traced`` measure: tracers q move as particles put there would,
    and are not felt.

    In Wasserstein's geometry $\dot q = -\nabla\frac{\delta F}{\delta\mu}(q)$.

    Raises:
        TypeError: ``flow`` is no ``GradientFlow``.
    """

    flow: GradientFlow

    def __check_init__(self) -> None:
        instance(self, "flow", self.flow, GradientFlow, "a GradientFlow")

    def inner(self, mu: Any) -> Any:
        if not isinstance(mu, Traced):
            raise UnsupportedMeasureError(self, mu, "Traced")
        return mu.measure

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        inner = self.inner(mu)
        carried = self.flow.velocity_at(inner, mu.tracers, t)
        return self.flow.velocity(inner, t), carried
