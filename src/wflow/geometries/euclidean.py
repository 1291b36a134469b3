"""The flat geometry of parameters."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from wflow.measures import Point, UnsupportedMeasureError

from .base import AbstractGeometry


class Euclidean(AbstractGeometry):
    r"""$\dot\theta = -\nabla F(\theta)$ on a ``Point``."""

    def velocity(self, mu: Any, differential: Any) -> PyTree[Array]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return jax.tree.map(jnp.negative, differential)

    def dissipation(self, mu: Any, differential: Any) -> Float[Array, ""]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(differential))
