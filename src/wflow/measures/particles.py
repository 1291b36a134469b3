"""Weighted particles."""

from collections.abc import Callable
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import real_field, to_real

from .base import AbstractMeasure


# log(0) as a finite number: -inf in an ODE state turns error norms into nan.
LOG_ZERO = -1e30


class ParticlesDifferential(NamedTuple):
    r"""Differential of a functional of particles in positions and weights.

    ``x``: $\partial F/\partial x_i = w_i \nabla(\delta F/\delta\mu)(x_i)$, shape
    ``(n, d)``; ``w``: $\partial F/\partial w_i = (\delta F/\delta\mu)(x_i)$, shape
    ``(n,)``; ``entropy``: coefficient of the entropy $\int\rho\log\rho$ that particles
    have no density for, or ``None``.
    """

    x: Float[Array, "n d"]
    w: Float[Array, " n"]
    entropy: Float[Array, ""] | None = None


def _log_weights(logw: ArrayLike) -> Array:
    logw = to_real(logw, "logw")
    return jnp.maximum(logw, jnp.asarray(LOG_ZERO, logw.dtype))


class Particles(AbstractMeasure):
    r"""$\mu = \sum_i w_i \delta_{x_i}$ with $w_i = e^{\mathrm{logw}_i}$.

    Log-weights need not be normalised; ``log_mass`` is the logarithm of the total mass.
    A weight may be zero (padding, tracers).
    """

    x: Float[Array, "n d"] = eqx.field(converter=real_field("x"))
    logw: Float[Array, " n"] = eqx.field(converter=_log_weights)
    # Zero perturbation of the weights, there only while a differential in w is taken.
    _dw: Float[Array, " n"] | None = None

    def __check_init__(self) -> None:
        if jnp.ndim(self.x) != 2 or jnp.shape(self.logw) != jnp.shape(self.x)[:1]:
            raise ValueError(
                "Particles: expected x of shape (n, d) and logw of shape (n,), found "
                f"{jnp.shape(self.x)} and {jnp.shape(self.logw)}."
            )

    @classmethod
    def from_samples(
        cls, x: Float[ArrayLike, "n d"], weights: Float[ArrayLike, " n"] | None = None
    ) -> Self:
        """Particles at samples; uniform weights 1/n unless ``weights`` (kept as given).

        Raises:
            ValueError: ``x`` is not ``(n, d)``, or weights are not ``(n,)``, finite and
                >= 0.
        """
        x = to_real(x, "x")
        if x.ndim != 2 or x.shape[0] == 0:
            raise ValueError(
                f"from_samples: expected x of shape (n, d), n >= 1, found {x.shape}."
            )
        if weights is None:
            return cls(x, jnp.full(x.shape[0], -jnp.log(x.shape[0]), x.dtype))
        weights = jnp.asarray(weights, x.dtype)
        if weights.shape != x.shape[:1]:
            raise ValueError(
                f"from_samples: expected weights of shape ({x.shape[0]},), found "
                f"{weights.shape}."
            )
        if not isinstance(weights, Tracer) and not bool(
            jnp.all((weights >= 0) & jnp.isfinite(weights))
        ):
            raise ValueError(
                "from_samples: expected weights >= 0 and finite, found negative ones, "
                "inf or nan."
            )
        # A subnormal weight counts as zero: compiled code flushes it to that, and the
        # derivative of its logarithm overflows.
        positive = weights >= jnp.finfo(x.dtype).tiny
        logw = jnp.where(
            positive,
            jnp.log(jnp.where(positive, weights, 1)),
            jnp.asarray(LOG_ZERO, x.dtype),
        )
        return cls(x, logw)

    @property
    def n(self) -> int:
        """Number of particles."""
        return self.x.shape[0]

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return self.x.shape[1]

    @property
    def w(self) -> Float[Array, " n"]:
        """Weights, not normalised."""
        w = jnp.exp(self.logw)
        return w if self._dw is None else w + self._dw

    @property
    def mass(self) -> Float[Array, ""]:
        """Total mass."""
        return jnp.sum(self.w)

    @property
    def log_mass(self) -> Float[Array, ""]:
        """Logarithm of the total mass."""
        log_mass = jax.nn.logsumexp(self.logw)
        if self._dw is None:
            return log_mass
        return log_mass + jnp.log1p(jnp.sum(self._dw) * jnp.exp(-log_mass))

    @property
    def ess(self) -> Float[Array, ""]:
        r"""Effective sample size $(\sum w)^2 / \sum w^2$."""
        if self._dw is None:
            return jnp.exp(2 * self.log_mass - jax.nn.logsumexp(2 * self.logw))
        return self.mass**2 / jnp.sum(self.w**2)

    @property
    def mean(self) -> Float[Array, " d"]:
        """Mean of the normalised measure."""
        return self.w @ self.x / self.mass

    @property
    def cov(self) -> Float[Array, "d d"]:
        """Covariance of the normalised measure (divisor: the mass)."""
        centred = self.x - self.mean
        return (self.w[:, None] * centred).T @ centred / self.mass

    def normalised(self) -> Self:
        """The same particles with total mass one."""
        logw = self.logw - jax.nn.logsumexp(self.logw)
        dw = None if self._dw is None else self.w / self.mass - jnp.exp(logw)
        return type(self)(self.x, logw, dw)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """``n`` independent draws from the normalised measure."""
        return self.x[jax.random.categorical(key, self.logw, shape=(n,))]

    def integrate(self, function: Callable[[Array], Array]) -> Array:
        values = jax.vmap(function)(self.x)
        return jnp.tensordot(self.w, values, axes=1)

    @property
    def atoms(self) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
        """Points and their masses."""
        return self.x, self.w

    @property
    def state(self) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
        return self.x, self.logw

    def with_state(self, state: tuple[Array, Array]) -> Self:
        return eqx.tree_at(lambda mu: (mu.x, mu.logw), self, state)

    def differential(
        self, functional: Callable[[Self], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], ParticlesDifferential]:
        # In w, not in logw: reactions then need no division by a vanishing weight.
        def perturbed(x: Array, dw: Array) -> Array:
            return functional(type(self)(x, self.logw, dw))

        value, (dx, dw) = jax.value_and_grad(perturbed, argnums=(0, 1))(
            self.x, jnp.zeros_like(self.logw)
        )
        return value, ParticlesDifferential(dx, dw)
