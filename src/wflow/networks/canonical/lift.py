"""Curves of outputs, lifted to the parameters."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import function, instance, shape
from wflow.flows import AbstractContinuousFlow
from wflow.flows.base import safe_sqrt
from wflow.measures import Point, UnsupportedMeasureError

from .metric import NTKMetric


class LiftFlow(AbstractContinuousFlow):
    r"""The shortest way of parameters to make the outputs move as wanted.

    $\dot\theta = G^{-1}J^T K^{-1} v(\theta, t)$, the horizontal lift: of all parameter
    velocities that move the outputs with v it is the shortest, of speed
    $\sqrt{v^T K^{-1} v}$.

    Attributes:
        metric: whose lift it is.
        rate: v, a function of the measure and the time, ``(n,)``.

    Raises:
        TypeError: a metric that is none, or a rate that is no function.
        ValueError: a rate of another shape than that of the outputs.
    """

    metric: NTKMetric
    rate: Callable[[Point, ArrayLike], Float[Array, " n"]]

    def __check_init__(self) -> None:
        instance(self, "metric", self.metric, NTKMetric, "an NTKMetric")
        function(self, "rate", self.rate, "the measure and the time")

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        return self.metric.lift(mu, self._rate(mu, t))

    def speed(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return safe_sqrt(self.metric.norm_squared(mu, self._rate(mu, t)))

    def _rate(self, mu: Point, t: ArrayLike) -> Float[Array, " n"]:
        rate = self.rate(mu, t)
        shape(self, "rate", rate, jax.eval_shape(lambda: self.metric.outputs(mu)).shape)
        return rate
