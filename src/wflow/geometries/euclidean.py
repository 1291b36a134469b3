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
    """

    def velocity(self, mu: Point, differential: Differential) -> State:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return jax.tree.map(jnp.negative, differential)

    def dissipation(self, mu: Point, differential: Differential) -> Float[Array, ""]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return inner(differential, differential)
