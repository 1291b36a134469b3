"""Weighted particles."""

from collections.abc import Callable
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks.arrays import described

from .base import AbstractMeasure, moving_field
from .torus import check_period


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
    logw = moving_field("logw")(logw)
    seen = isinstance(logw, jax.Array) and not isinstance(logw, Tracer)
    seen = seen and logw.is_fully_addressable
    # NumPy is quicker with few numbers, and they are looked at below anyway.
    if seen and not logw.weak_type and not (np.asarray(logw) < LOG_ZERO).any():
        return logw
    return jnp.maximum(logw, jnp.asarray(LOG_ZERO, logw.dtype))


class Particles(AbstractMeasure):
    r"""A cloud of weighted points: cells, samples, ensemble members, neurons.

    $\mu = \sum_i w_i \delta_{x_i}$ with $w_i = e^{\mathrm{logw}_i}$.

    Log-weights need not be normalized; ``log_mass`` is the logarithm of the total mass.
    A weight may be zero (padding, tracers). Positions and log-weights are taken as they
    are, nan included, which a ``solve`` refuses; those of less than single precision
    are taken in single precision.

    With a ``period`` particles live on a torus: x and x + period are one place. The
    coordinates count turns (nothing wraps them), energies of pairs and distances take
    the shortest way, functions of one point are the caller's to make periodic, and what
    has no meaning there (a mean, a covariance) is refused.

    Attributes:
        x: positions, ``(n, d)``.
        logw: logarithms of the weights, ``(n,)``.
        period: a length or one per axis, ``(d,)``, infinite where an axis does not come
            round; None is the whole space. It does not move.
        signed: masses of any sign beside the weights, ``(n,)``: $w_i =
            e^{\mathrm{logw}_i} + s_i$; None is none. Rules of quadrature have them, and
            functionals are differentiated in them. They do not move.

    Raises:
        ValueError: other shapes, no particle, a log-weight of +inf, or a period that is
            not above zero.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> cloud = wf.Particles([[0.0], [1.0]], jnp.log(jnp.array([1.0, 3.0])))
        >>> print(cloud.mass, cloud.mean, jnp.round(cloud.ess, 3))
        4.0 [0.75] 1.6
    """

    x: Float[Array, "n d"] = eqx.field(converter=moving_field("x"))
    logw: Float[Array, " n"] = eqx.field(converter=_log_weights)
    period: Float[Array, ""] | Float[Array, " d"] | None = eqx.field(
        converter=checks.real_field("period", optional=True), default=None
    )
    signed: Float[Array, " n"] | None = eqx.field(
        converter=checks.real_field("signed", optional=True), default=None
    )

    def __check_init__(self) -> None:
        shape = jnp.shape(self.x)
        if len(shape) != 2 or 0 in shape or jnp.shape(self.logw) != shape[:1]:
            raise ValueError(
                "Particles: expected x of shape (n, d) and logw of shape (n,), n and d "
                f">= 1, found {shape} and {jnp.shape(self.logw)}."
            )
        if self.period is not None:
            check_period(self, self.period, shape[1])
        if self.signed is not None:
            checks.shape(self, "signed", self.signed, shape[:1])
        # Those of -inf have become finite.
        logw = checks.known(self.logw)
        if logw is not None and (logw == np.inf).any():
            raise ValueError(
                "Particles: expected logw below infinity, found a log-weight of inf at "
                f"index {int(np.argmax(np.isposinf(logw)))} of {logw.shape}."
            )

    @classmethod
    def from_samples(
        cls,
        x: Float[ArrayLike, "n d"],
        weights: Float[ArrayLike, " n"] | None = None,
        *,
        period: Float[ArrayLike, ""] | Float[ArrayLike, " d"] | None = None,
    ) -> Self:
        """Particles at samples; uniform weights 1/n unless ``weights`` (kept as given).

        Raises:
            ValueError: ``x`` is not ``(n, d)``, weights are not ``(n,)``, finite, >= 0
                and somewhere > 0, or the period is not above zero.
            TypeError: they are no arrays of numbers.
        """
        owner = f"{cls.__name__}.from_samples"
        x = moving_field("x")(x)
        if x.ndim != 2 or 0 in x.shape:
            raise ValueError(
                f"{owner}: expected x of shape (n, d), n >= 1, found {x.shape}."
            )
        if weights is None:
            return cls(x, jnp.full(x.shape[0], -jnp.log(x.shape[0]), x.dtype), period)
        weights = checks.to_real(weights, "weights")
        checks.shape(owner, "weights", weights, x.shape[:1])
        checks.weights(owner, "weights", weights)
        weights = weights.astype(x.dtype)
        # A subnormal weight counts as zero: compiled code flushes it to that, and the
        # derivative of its logarithm overflows.
        zero = weights < jnp.finfo(x.dtype).tiny
        logw = jnp.where(
            zero,
            jnp.asarray(LOG_ZERO, x.dtype),
            jnp.log(jnp.where(zero, 1, weights)),
        )
        return cls(x, logw, period)

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
        """Weights, not normalized."""
        w = jnp.exp(self.logw)
        return w if self.signed is None else w + self.signed

    @property
    def _shares(self) -> Float[Array, " n"]:
        """Weights up to a factor; one but where they would all overflow or vanish."""
        top = jax.lax.stop_gradient(jnp.max(self.logw))
        bound = jnp.log(jnp.finfo(self.logw.dtype).max) / 2
        extreme = (jnp.abs(top) > bound) & (top > LOG_ZERO / 2)
        shift = jnp.where(extreme, top, 0)
        w = jnp.exp(self.logw - shift)
        return w if self.signed is None else w + self.signed * jnp.exp(-shift)

    @property
    def mass(self) -> Float[Array, ""]:
        """Total mass."""
        return jnp.sum(self.w)

    @property
    def log_mass(self) -> Float[Array, ""]:
        """Logarithm of the total mass."""
        log_mass = jax.nn.logsumexp(self.logw)
        if self.signed is None:
            return log_mass
        signed, alone = jnp.sum(self.signed), log_mass < LOG_ZERO / 2
        log_mass = jnp.where(alone, 0, log_mass)
        both = log_mass + jnp.log1p(signed * jnp.exp(-log_mass))
        return jnp.where(alone, jnp.log(jnp.where(alone, signed, 1)), both)

    @property
    def ess(self) -> Float[Array, ""]:
        r"""Effective sample size $(\sum w)^2 / \sum w^2$."""
        if self.signed is None:
            return jnp.exp(2 * self.log_mass - jax.nn.logsumexp(2 * self.logw))
        return self.mass**2 / jnp.sum(self.w**2)

    @property
    def mean(self) -> Float[Array, " d"]:
        """Mean of the normalized measure.

        Raises:
            ValueError: the particles have a period.
        """
        refuse_period("Particles.mean", self)
        shares = self._shares
        return shares @ self.x / jnp.sum(shares)

    @property
    def cov(self) -> Float[Array, "d d"]:
        """Covariance of the normalized measure (divisor: the mass).

        Raises:
            ValueError: the particles have a period.
        """
        refuse_period("Particles.cov", self)
        centered, shares = self.x - self.mean, self._shares
        return (shares[:, None] * centered).T @ centered / jnp.sum(shares)

    def normalized(self) -> Self:
        """The same particles with total mass one."""
        logw = self.logw - jax.nn.logsumexp(self.logw)
        signed = None
        if self.signed is not None:
            shares = self._shares
            signed = shares / jnp.sum(shares) - jnp.exp(logw)
        return type(self)(self.x, logw, self.period, signed)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """``n`` independent draws from the normalized measure.

        Raises:
            ValueError: some masses are ``signed``.
        """
        checks.count(self, "n", n, 0)
        self.refuse_signed("Particles.sample")
        return self.x[jax.random.categorical(key, self.logw, shape=(n,))]

    def refuse_signed(self, owner: str) -> None:
        """Refuse masses of any sign, for what draws by the weights.

        Raises:
            ValueError: there are some.
        """
        if self.signed is not None:
            raise ValueError(
                f"{owner}: expected particles without signed masses, found "
                f"{self.n} of them, by which nothing can be drawn."
            )

    def integrate(self, function: Callable[[Array], Array]) -> Array:
        checks.function(self, "function", function, "x")
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
        def of(x: Array, signed: Array) -> Array:
            return functional(type(self)(x, self.logw, self.period, signed))

        still = jnp.zeros_like(self.logw) if self.signed is None else self.signed
        value, (dx, dw) = jax.value_and_grad(of, argnums=(0, 1))(self.x, still)
        return value, ParticlesDifferential(dx, dw)


def refuse_period(owner: object, mu: object) -> None:
    """Refuse particles on a torus, for what knows no shortest way round it.

    Raises:
        ValueError: the particles, or those of a Phase, have a period.
    """
    law = getattr(mu, "measure", mu)
    if isinstance(law, Particles) and law.period is not None:
        raise ValueError(
            f"{checks.named(owner)}: expected particles without period, found one of "
            f"{described(law.period)}; it has no meaning on a torus."
        )
