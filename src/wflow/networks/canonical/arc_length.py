"""The length of the path, accumulated inside the solve."""

from typing import Any

from jaxtyping import Array, ArrayLike, PyTree

from wflow.flows import AbstractContinuousFlow
from wflow.flows.base import AbstractCarryingFlow, check_flow
from wflow.measures import UnsupportedMeasureError

from .traveled import Traveled


class ArcLengthFlow(AbstractCarryingFlow):
    r"""A flow that also counts how far it has moved, on a ``Traveled`` measure.

    $\dot s = |\dot\mu|$ beside ``flow``. The speed is the flow's own: for a gradient
    flow $|\dot\mu| = \sqrt{\langle dF, K\,dF\rangle}$ in its geometry, so that twice
    the action is the energy lost; on a Point else the Euclidean norm. Length does not
    depend on how fast the path is run through.

    Raises:
        TypeError: the flow is none, or has noise, whose paths have no length.

    Reference: Ambrosio, Gigli, Savare, Gradient Flows (2008), theorem 1.1.2.
    """

    flow: AbstractContinuousFlow

    def __check_init__(self) -> None:
        check_flow(self, self.flow)

    def inner(self, mu: Any) -> Any:
        if not isinstance(mu, Traveled):
            raise UnsupportedMeasureError(self, mu, "Traveled (see there)")
        return mu.measure

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        inner = self.inner(mu)
        speed = self.flow.speed(inner, t)
        return self.flow.velocity(inner, t), speed, speed**2 / 2

    def noise(self, mu: Any, t: ArrayLike = 0.0) -> None:
        if self.flow.noise(self.inner(mu), t) is not None:
            raise TypeError(
                f"ArcLengthFlow: {type(self.flow).__name__} has noise, and the paths "
                "of noise have no length."
            )
