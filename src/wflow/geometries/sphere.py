"""The unit sphere of parameters."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import known, to_real
from wflow.measures import Point, UnsupportedMeasureError
from wflow.measures.base import Differential, State, inner

from .base import AbstractGeometry


class Sphere(AbstractGeometry[Point]):
    r"""Gradient descent of vectors that keep their length.

    $\dot u = -(I - \hat u\hat u^\top)\nabla F(u)$ on a ``Point``, $\hat u = u/|u|$.

    Every array of the Point ``(d, ...)`` is a bundle of columns, each on its own
    sphere. The direction is normalized in the field, so that motion is tangent and
    norms are kept to the solver's tolerance; ``point`` makes a start of unit norm.

    Raises:
        ValueError: a column is zero, where its value is known.

    Reference: Absil, Mahony, Sepulchre, Optimization Algorithms on Matrix Manifolds
    (2008), equation (3.37).
    """

    def point(self, value: Float[ArrayLike, "d ..."]) -> Point:
        """The point of the sphere in the direction of ``value``, column by column.

        Raises:
            ValueError: a column is zero or not finite, where its value is known.
        """
        return Point(_unit(to_real(value, "value")))

    def _tangent(self, mu: Point, differential: Differential) -> State:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")

        def project(leaf: Array, covector: Array) -> Array:
            unit = _unit(leaf)
            return covector - unit * jnp.sum(unit * covector, axis=0)

        return jax.tree.map(project, mu.state, differential)

    def velocity(self, mu: Point, differential: Differential) -> State:
        return jax.tree.map(jnp.negative, self._tangent(mu, differential))

    def dissipation(self, mu: Point, differential: Differential) -> Float[Array, ""]:
        tangent = self._tangent(mu, differential)
        return inner(tangent, tangent)


def _unit(value: Array) -> Array:
    if jnp.ndim(value) == 0:
        raise ValueError(
            "Sphere: expected a value of shape (d,) or (d, ...), found a number."
        )
    norm = jnp.linalg.norm(value, axis=0)
    found = known(norm)
    if found is not None:
        wrong = np.ravel(found)[~(np.isfinite(found) & (found > 0)).ravel()]
        if wrong.size or not found.size:
            raise ValueError(
                "Sphere: expected a value whose columns have a direction, found norms "
                f"{wrong[:3].tolist()}."
            )
    return value / norm
