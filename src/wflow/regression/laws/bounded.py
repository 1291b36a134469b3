"""Laws of bounded support."""

import dataclasses
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import known, real_field, shape
from wflow.flows.renewal import AbstractRenewalLaw, check_numbers
from wflow.measures.special import linear_decay, mean_decay, quadratic_decay


class Deterministic(AbstractRenewalLaw):
    r"""Resets at equal intervals: the least shrinkage of all laws with this mean.

    $T = \tau$. $h(\mu) = 1 - (1 - e^{-x})/x$, $x = \mu\tau$.

    Attributes:
        mean: $\tau$, a time.

    Raises:
        ValueError: a mean that is not positive and finite.
    """

    mean: Float[Array, ""] = eqx.field(converter=real_field("mean"))

    def __check_init__(self) -> None:
        check_numbers(self, mean=self.mean)

    @property
    def second_moment(self) -> Float[Array, ""]:
        return self.mean**2

    @property
    def kinks(self) -> Float[Array, " q"]:
        return self.mean[None]

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.where(jnp.asarray(a) < self.mean, 1, 0).astype(self.mean.dtype)

    def density(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        """There is none.

        Raises:
            TypeError: always.
        """
        raise TypeError("Deterministic: the law is an atom and has no density.")

    def laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-self.mean * s)

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return mean_decay(self.mean * s)

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        x = self.mean * mu
        return x * linear_decay(x)

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.broadcast_to(self.mean, jnp.shape(u))

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return self.mean * jax.random.uniform(key, shape, self.mean.dtype)


class Uniform(AbstractRenewalLaw):
    r"""Intervals between resets that are uniform between two bounds.

    $h(\mu) = \frac{\mu}{\tau(c - b)}(c^3q(\mu c) - b^3 q(\mu b))$ for bounds b, c and
    $q = $ ``quadratic_decay``; if $b = 0$, $1 - \frac2z(1 - \frac{1 - e^{-z}}{z})$ with
    $z = \mu c$.

    Attributes:
        low: the shortest interval.
        high: the longest interval.

    Raises:
        ValueError: not 0 <= low < high, or high not finite.
    """

    low: Float[Array, ""] = eqx.field(converter=real_field("low"))
    high: Float[Array, ""] = eqx.field(converter=real_field("high"))

    def __check_init__(self) -> None:
        shape(self, "low", self.low, ())
        check_numbers(self, high=self.high)
        low, high = known(self.low), known(self.high)
        if low is None or high is None:
            return
        if not ((low >= 0) & (low < high)).all():
            raise ValueError(
                f"Uniform: expected 0 <= low < high, found low = {low}, high = {high}."
            )

    @property
    def mean(self) -> Float[Array, ""]:
        """Half of the sum of the bounds."""
        return (self.low + self.high) / 2

    @property
    def second_moment(self) -> Float[Array, ""]:
        return (self.low**2 + self.low * self.high + self.high**2) / 3

    @property
    def kinks(self) -> Float[Array, " q"]:
        return jnp.stack([self.low, self.high])

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.clip((self.high - a) / (self.high - self.low), 0, 1)

    def laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-self.low * s) * mean_decay((self.high - self.low) * s)

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        low, high = self.low, self.high
        parts = high**2 * linear_decay(high * s) - low**2 * linear_decay(low * s)
        return parts / (self.mean * (high - low))

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        low, high = self.low, self.high
        parts = high**3 * quadratic_decay(high * mu) - low**3 * quadratic_decay(
            low * mu
        )
        return mu * parts / (self.mean * (high - low))

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return self.low + (self.high - self.low) * jnp.asarray(u)

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        u, v = jax.random.uniform(key, (2, *shape), self.high.dtype)
        # The interval that covers a time has density proportional to its length.
        return v * jnp.sqrt(self.low**2 + u * (self.high**2 - self.low**2))

    def with_mean(self, mean: ArrayLike) -> Self:
        factor = mean / self.mean
        return dataclasses.replace(self, low=self.low * factor, high=self.high * factor)
