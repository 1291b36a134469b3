"""The flat geometry of parameters."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.measures import Point, UnsupportedMeasureError
from wflow.measures.base import Differential, State, inner

from .base import AbstractGeometry


class Euclidean(AbstractGeometry[Point]):
    r"""Plain gradient descent of one parameter vector.

    $\dot\theta = -\nabla F(\theta)$ on a ``Point``.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> bowl = wf.Potential(lambda theta: theta @ theta / 2)
        >>> flow = wf.GradientFlow(bowl, wf.Euclidean())
        >>> end = wf.solve(flow, wf.Point(jnp.array([1.0, 2.0])), 0.0, 1.0)[-1]
        >>> print(f"{end.value[0]:.3f} {end.value[1]:.3f}")  # the start times exp(-1)
        0.368 0.736
    """

    def velocity(self, mu: Point, differential: Differential) -> State:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return jax.tree.map(jnp.negative, differential)

    def dissipation(self, mu: Point, differential: Differential) -> Float[Array, ""]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return inner(differential, differential)
