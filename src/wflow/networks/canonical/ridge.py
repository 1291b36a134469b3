"""Standard and anchored ridge on the parameters of a model."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance
from wflow.energies import AbstractEnergy
from wflow.measures import Point, UnsupportedMeasureError

from .metric import displacement


class Ridge(AbstractEnergy):
    r"""Keep parameters near where they began: weight decay towards an origin.

    $\frac12|\theta - \theta_0|^2$ (anchored); without origin $\frac12|\theta|^2$.
    Energies add: ``Supervised(x, y) + lam * Ridge(origin)``. With the square loss and
    outputs that are linear in $\theta$ the anchored flow ends in kernel ridge
    regression, $f = f_0 + K(K + \lambda I)^{-1}(y - f_0)$; on a nonlinear model its
    force has a vertical part, which drifts along fibers of equal outputs however small
    $\lambda$ is.

    Attributes:
        origin: a ``Point`` of the model's shape, such as its pretrained weights.

    Raises:
        TypeError: an origin that is no Point.
        ValueError: parameters that are not shaped like the origin's.

    Reference: Li, Grandvalet, Davoine, ICML 2018, equation (2) (anchored).
    """

    origin: Point | None = None

    def __check_init__(self) -> None:
        if self.origin is not None:
            instance(self, "origin", self.origin, Point, "a Point")

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        away = mu.state if self.origin is None else displacement(mu, self.origin)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(away)) / 2
