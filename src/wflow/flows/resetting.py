"""Renewal resetting of a flow."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray, PyTree

from wflow.measures import (
    Gaussian,
    Particles,
    Point,
    UnsupportedMeasureError,
    inexact,
)
from wflow.parameters import Learnable

from .base import AbstractContinuousFlow, AbstractJumpFlow


class AbstractMemorylessLaw(eqx.Module):
    """A law of the time between resets that does not depend on the age."""

    @abc.abstractmethod
    def age(
        self, key: PRNGKeyArray, elapsed: ArrayLike, shape: tuple[int, ...]
    ) -> tuple[Float[Array, "*shape"], Bool[Array, "*shape"]]:
        """Time since the last reset, at most ``elapsed``, and whether there was one."""


class Exponential(AbstractMemorylessLaw):
    r"""$P(T > a) = e^{-ra}$: resets at the points of a Poisson process of rate r.

    Draws carry no gradient in the rate.

    Raises:
        ValueError: a rate that is not positive.
    """

    rate: Float[Array, ""] = eqx.field(converter=inexact)

    def __check_init__(self) -> None:
        rate = self.rate
        if isinstance(rate, jax.core.Tracer | Learnable | jax.ShapeDtypeStruct):
            return
        if eqx.is_array(rate) and not bool(jnp.all(rate > 0)):
            raise ValueError(f"Exponential: expected rate > 0, found {rate}.")

    def age(
        self, key: PRNGKeyArray, elapsed: ArrayLike, shape: tuple[int, ...]
    ) -> tuple[Float[Array, "*shape"], Bool[Array, "*shape"]]:
        rate = jax.lax.stop_gradient(self.rate)
        # Looking back from now, a Poisson process is one too.
        back = jax.random.exponential(key, shape, rate.dtype) / rate
        was_reset = back < elapsed
        return jnp.where(was_reset, back, elapsed), was_reset


class ResettingFlow(AbstractJumpFlow):
    r"""``flow``, each particle put back to ``origin`` at renewal times of its own.

    Where particles move as if alone (``flow.separable``), the solution at the saved
    times is exact in law without simulating a jump: over an interval each particle's
    last reset is drawn, and the flow runs from there for its age, all ages in one solve
    on $s \in [0, 1]$ with velocity times age and noise times its root. Interacting
    particles are reset between the steps of a Strang splitting.

    On Particles ``origin`` is a point ``(d,)``; on a Point it has the structure of its
    moving part. Positions are differentiated, ages are not.

    Reference: Evans, Majumdar, PRL 106 (2011), equations (1), (2).
    """

    flow: AbstractContinuousFlow
    law: AbstractMemorylessLaw
    origin: PyTree[Array] = eqx.field(
        converter=lambda tree: jax.tree.map(inexact, tree)
    )

    def separable(self, mu: Any) -> bool:
        return self.flow.separable(mu)

    def shape(self, mu: Any) -> tuple[int, ...]:
        """One clock for every particle: ``(n,)``, or ``()`` for a Point."""
        match mu:
            case Particles():
                return (mu.n,)
            case Point():
                return ()
        raise UnsupportedMeasureError(self, mu, "Particles and Point")

    def reset(self, mu: Any, where: Bool[Array, "*shape"]) -> Any:
        """``mu`` with the particles of ``where`` put back to the origin."""
        if isinstance(mu, Particles):
            x = jnp.where(where[:, None], jnp.asarray(self.origin, mu.dtype), mu.x)
            return mu.with_state((x, mu.logw))
        return mu.with_state(
            jax.tree.map(
                lambda now, start: jnp.where(where, jnp.asarray(start, now.dtype), now),
                mu.state,
                self.origin,
            )
        )

    def jump(self, mu: Any, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray) -> Any:
        del t
        _, was_reset = self.law.age(key, dt, self.shape(mu))
        return self.reset(mu, was_reset)


class PoissonMomentFlow(AbstractContinuousFlow):
    r"""Mean and covariance of a flow under Poisson resetting, on a Gaussian.

    $\dot m = \dot m_0 + r(o - m)$, $\dot C = \dot C_0 - rC + r(m - o)(m - o)^T$, where
    $\dot m_0, \dot C_0$ are those of ``flow`` and o is the ``origin`` ``(d,)``. Exact
    at every time for linear ``flow`` (the law itself is not Gaussian). For a quadratic
    energy the stationary mean is ridge regression anchored at o with penalty r.

    Reference: Evans, Majumdar, PRL 106 (2011), equation (2), moments of it.
    """

    flow: AbstractContinuousFlow
    rate: Float[Array, ""] = eqx.field(converter=inexact)
    origin: Float[Array, " d"] = eqx.field(converter=inexact)

    def separable(self, mu: Any) -> bool:
        return self.flow.separable(mu)

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        if not isinstance(mu, Gaussian):
            raise UnsupportedMeasureError(self, mu, "Gaussian")
        mean, cov = self.flow.velocity(mu, t)
        away = mu.mean - self.origin
        return (
            mean - self.rate * away,
            cov - self.rate * (mu.cov - jnp.outer(away, away)),
        )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.flow.value(mu, t)

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        raise TypeError("PoissonMomentFlow: resets do not dissipate the energy.")


class AgedFlow(AbstractContinuousFlow):
    r"""``flow`` for a time of its own for every particle, on $s \in [0, 1]$."""

    flow: AbstractContinuousFlow
    ages: Float[Array, "*shape"]

    def separable(self, mu: Any) -> bool:
        return self.flow.separable(mu)

    def _times(self, factor: Array, rate: Array) -> Array:
        return factor.reshape(factor.shape + (1,) * (rate.ndim - factor.ndim)) * rate

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        rates = self.flow.velocity(mu, t)
        return jax.tree.map(lambda rate: self._times(self.ages, rate), rates)

    def noise(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array] | None:
        noise = self.flow.noise(mu, t)
        if noise is None:
            return None
        return jax.tree.map(lambda std: self._times(jnp.sqrt(self.ages), std), noise)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.flow.value(mu, t)

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.flow.dissipation(mu, t)
