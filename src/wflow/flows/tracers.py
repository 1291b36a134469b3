"""Points carried by a field that they do not make."""

from jaxtyping import ArrayLike

from wflow.checks import instance
from wflow.measures import Particles, Traced, UnsupportedMeasureError
from wflow.measures.base import State

from .base import AbstractCarryingFlow
from .gradient import GradientFlow


class TracerFlow(AbstractCarryingFlow[Traced]):
    r"""A flow that also carries tracers along, which are not felt.

    Tracers q of a ``Traced`` measure move as particles put there would.

    In Wasserstein's geometry $\dot q = -\nabla\frac{\delta F}{\delta\mu}(q)$.

    Raises:
        TypeError: ``flow`` is no ``GradientFlow``.
    """

    flow: GradientFlow[Particles]

    def __check_init__(self) -> None:
        instance(self, "flow", self.flow, GradientFlow, "a GradientFlow")

    def inner(self, mu: Traced) -> Particles:
        if not isinstance(mu, Traced):
            raise UnsupportedMeasureError(self, mu, "Traced")
        return mu.measure

    def velocity(self, mu: Traced, t: ArrayLike = 0.0) -> State:
        inner = self.inner(mu)
        carried = self.flow.velocity_at(inner, mu.tracers, t)
        return self.flow.velocity(inner, t), carried
