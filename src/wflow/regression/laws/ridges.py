r"""Laws whose age is a mixture of exponentials: filters that are mixtures of ridges."""

import dataclasses
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import known, positive, real_field, shape
from wflow.flows.renewal import AbstractRenewalLaw, check_numbers, open_uniform

from .rules import average, gamma_rule


class HyperExponential(AbstractRenewalLaw):
    r"""Intervals of several exponential laws, one drawn each time: a mixture of ridges.

    $S(a) = \sum_j w_j e^{-r_j a}$: with chance $w_j$ exponential of rate $r_j$.
    $h(\mu) = \sum_j \pi_j\mu/(\mu + r_j)$ with $\pi_j = w_j/(r_j\tau)$.

    Attributes:
        weights: $w_j$, with sum 1, ``(m,)``.
        rates: $r_j$, per time, ``(m,)``.

    Raises:
        ValueError: shapes that differ, rates that are not positive, weights that are
            negative or do not sum to one.
    """

    weights: Float[Array, " m"] = eqx.field(converter=real_field("weights"))
    rates: Float[Array, " m"] = eqx.field(converter=real_field("rates"))

    def __check_init__(self) -> None:
        shape(self, "rates", self.rates, ("m",))
        positive(self, "rates", self.rates)
        weights, rates = known(self.weights), known(self.rates)
        if weights is None:
            return
        of_rates = weights.shape if rates is None else rates.shape
        if weights.ndim != 1 or of_rates != weights.shape:
            raise ValueError(
                "HyperExponential: expected weights and rates of one shape (m,), found "
                f"{weights.shape} and {of_rates}."
            )
        off = abs(weights.sum() - 1)
        if not ((weights >= 0).all() and off < 100 * np.finfo(weights.dtype).eps):
            raise ValueError(
                "HyperExponential: expected weights >= 0 that sum to 1, found "
                f"{weights.tolist()} with sum {weights.sum()}."
            )

    @property
    def mean(self) -> Float[Array, ""]:
        r"""Mean interval $\sum_j w_j/r_j$."""
        return jnp.sum(self.weights / self.rates)

    @property
    def second_moment(self) -> Float[Array, ""]:
        return 2 * jnp.sum(self.weights / self.rates**2)

    @property
    def age_weights(self) -> Float[Array, " m"]:
        r"""Shares of the time $\pi_j = w_j/(r_j\tau)$."""
        return self.weights / (self.rates * self.mean)

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-jnp.asarray(a)[..., None] * self.rates) @ self.weights

    def laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return (self.rates / (self.rates + jnp.asarray(s)[..., None])) @ self.weights

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return (
            self.rates / (self.rates + jnp.asarray(s)[..., None])
        ) @ self.age_weights

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        mu = jnp.asarray(mu)[..., None]
        return (mu / (self.rates + mu)) @ self.age_weights

    def _sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...], weights: Float[Array, " m"]
    ) -> Float[Array, "*shape"]:
        which_key, time_key = jax.random.split(key)
        which = jax.random.categorical(which_key, jnp.log(weights), shape=shape)
        return (
            jax.random.exponential(time_key, shape, weights.dtype) / self.rates[which]
        )

    def sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return self._sample(key, shape, self.weights)

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return self._sample(key, shape, self.age_weights)

    def with_mean(self, mean: ArrayLike) -> Self:
        return dataclasses.replace(self, rates=self.rates * (self.mean / mean))


class Lomax(AbstractRenewalLaw):
    r"""Intervals between resets with a heavy tail: Pareto from zero on.

    $S(a) = (1 + a/c)^{-\alpha}$ with $c = \tau(\alpha - 1)$. An exponential law whose
    rate is Gamma-distributed, so $h(\mu) = \mathbb{E}\,\mu/(\mu + G/c)$,
    $G \sim \mathrm{Gamma}(\alpha - 1)$, by quadrature (equal to
    $1 - (\alpha - 1)e^{\mu c}E_\alpha(\mu c)$, which overflows). The variance is
    infinite for $\alpha \leq 2$: h is not linear at zero then.

    Attributes:
        mean: $\tau$, a time.
        alpha: exponent of the tail, above 1.

    Raises:
        ValueError: a mean that is not positive and finite, or alpha of at most 1.
    """

    mean: Float[Array, ""] = eqx.field(converter=real_field("mean"))
    alpha: Float[Array, ""] = eqx.field(converter=real_field("alpha"))

    def __check_init__(self) -> None:
        check_numbers(self, mean=self.mean)
        shape(self, "alpha", self.alpha, ())
        alpha = known(self.alpha)
        if alpha is not None and not ((alpha > 1) & np.isfinite(alpha)).all():
            raise ValueError(
                "Lomax: expected alpha > 1 and finite (at alpha <= 1 the mean time "
                f"between resets is infinite: no stationary law), found {alpha}."
            )

    @property
    def _scale(self) -> Float[Array, ""]:
        return self.mean * (self.alpha - 1)

    @property
    def second_moment(self) -> Float[Array, ""]:
        finite = self.alpha > 2
        excess = jnp.where(finite, self.alpha - 2, 1)
        moment = 2 * self.mean**2 * (self.alpha - 1) / excess
        return jnp.where(finite, moment, jnp.inf)

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-self.alpha * jnp.log1p(a / self._scale))

    def _rates(self) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        logs, weights = gamma_rule(self.alpha - 1)
        # Their squares must not underflow: derivatives divide by them.
        floor = jnp.sqrt(jnp.finfo(logs.dtype).tiny)
        return jnp.maximum(jnp.exp(logs), floor) / self._scale, weights

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        rates, weights = self._rates()
        return average(lambda one: rates / (rates + one), weights, s)

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        rates, weights = self._rates()
        return average(lambda one: one / (rates + one), weights, mu)

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return self._scale * jnp.expm1(-jnp.log1p(-jnp.asarray(u)) / self.alpha)

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        # Pareto again, of exponent one less.
        u = open_uniform(key, shape, self.mean.dtype)
        return self._scale * jnp.expm1(-jnp.log(u) / (self.alpha - 1))
