"""Moments of a process that is reset at a constant rate."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import finite, real_field, shape
from wflow.flows import AbstractContinuousFlow
from wflow.flows.base import check_flow
from wflow.flows.kinetic import check_scalar
from wflow.measures import (
    Gaussian,
    UnsupportedMeasureError,
)


class PoissonMomentFlow(AbstractContinuousFlow):
    r"""Mean and covariance of a process that is reset at random, at every time.

    Of a flow under Poisson resetting, on a Gaussian: $\dot m = \dot m_0 + r(o - m)$,
    $\dot C = \dot C_0 - rC + r(m - o)(m - o)^T$, where $\dot m_0, \dot C_0$ are those
    of ``flow``. Exact at every time for linear ``flow`` (the law itself is not
    Gaussian). For a quadratic energy the stationary mean is ridge regression anchored
    at o with penalty r.

    Attributes:
        flow: the motion between resets, without jumps.
        rate: r, resets per unit of time.
        origin: o, ``(d,)``.

    Raises:
        TypeError: ``flow`` is none without jumps.
        ValueError: a negative rate, or an origin that is not finite or no ``(d,)``.

    Reference: Evans, Majumdar, PRL 106 (2011), equation (2), moments of it.
    """

    flow: AbstractContinuousFlow
    rate: Float[Array, ""] = eqx.field(converter=real_field("rate"))
    origin: Float[Array, " d"] = eqx.field(converter=real_field("origin"))

    def __check_init__(self) -> None:
        check_flow(self, self.flow)
        check_scalar(self, "rate", self.rate)
        shape(self, "origin", self.origin, ("d",))
        finite(self, "origin", self.origin)

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        if not isinstance(mu, Gaussian):
            raise UnsupportedMeasureError(self, mu, "Gaussian")
        shape(self, "origin", self.origin, (mu.dim,))
        mean, cov = self.flow.velocity(mu, t)
        away = mu.mean - self.origin
        return (
            mean - self.rate * away,
            cov - self.rate * (mu.cov - jnp.outer(away, away)),
        )
