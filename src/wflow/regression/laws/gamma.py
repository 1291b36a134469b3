"""Infinitely divisible laws with a closed Laplace transform."""

import abc
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import gammaincc, log_ndtr, ndtr
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import real_field
from wflow.flows.renewal import AbstractRenewalLaw, check_numbers
from wflow.measures.special import linear_decay, mean_decay


class AbstractDivisibleLaw(AbstractRenewalLaw):
    r"""A law whose Laplace transform is an exponential of a known function.

    $\phi(s) = e^{-y(s)}$, and with the gap $g = 1 - y/(s\tau)$,
    $\ell(s) = (1 - g)\frac{1 - e^{-y}}{y}$,
    $h(\mu) = g + (1 - g)(1 - \frac{1 - e^{-y}}{y})$.
    """

    @abc.abstractmethod
    def _exponent(
        self, s: Float[ArrayLike, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """y, g and 1 - g, with all their digits."""

    def laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-self._exponent(s)[0])

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        y, _, rest = self._exponent(s)
        return rest * mean_decay(y)

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        y, gap, rest = self._exponent(mu)
        # A sum of what is positive: no digit is lost near zero.
        return gap + rest * y * linear_decay(y)


class Gamma(AbstractDivisibleLaw):
    r"""Intervals between resets of a Gamma law, from irregular to equal ones.

    Of mean $\tau$ and shape k (Erlang's for whole k). $\phi(s) = (1 + s\tau/k)^{-k}$,
    $h(\mu) = 1 - (1 - (1 + x/k)^{-k})/x$ with $x = \mu\tau$; exponential at $k = 1$,
    deterministic as $k \to \infty$.

    Attributes:
        mean: $\tau$, a time.
        shape: k.

    Raises:
        ValueError: a mean or shape that is not positive and finite.
    """

    mean: Float[Array, ""] = eqx.field(converter=real_field("mean"))
    shape: Float[Array, ""] = eqx.field(converter=real_field("shape"))

    def __check_init__(self) -> None:
        check_numbers(self, mean=self.mean, shape=self.shape)

    @property
    def second_moment(self) -> Float[Array, ""]:
        return self.mean**2 * (1 + 1 / self.shape)

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return gammaincc(self.shape, self.shape * a / self.mean)

    def _exponent(
        self, s: Float[ArrayLike, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        z = jnp.asarray(s) * self.mean / self.shape
        gap = log1p_gap(z)
        return self.shape * jnp.log1p(z), gap, 1 - gap

    def _sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...], more: int
    ) -> Float[Array, "*shape"]:
        draws = jax.random.gamma(key, self.shape + more, shape, self.shape.dtype)
        return draws * self.mean / self.shape

    def sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return self._sample(key, shape, 0)

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        share_key, time_key = jax.random.split(key)
        share = jax.random.uniform(share_key, shape, self.mean.dtype)
        return share * self._sample(time_key, shape, 1)


class InverseGaussian(AbstractDivisibleLaw):
    r"""Intervals between resets as first passages of a Brownian motion with drift.

    Of mean $\tau$, shape $\kappa$ and variance $\tau^3/\kappa$. $\phi(s) = e^{-y}$,
    $y = \frac\kappa\tau(r - 1)$, $r = \sqrt{1 + 2\tau^2 s/\kappa}$, and $h = \frac{r -
    1}{r + 1} + \frac{2}{r + 1}(1 - \frac{1 - e^{-y}}{y})$.

    Attributes:
        mean: $\tau$, a time.
        shape: $\kappa$, a time.

    Raises:
        ValueError: a mean or shape that is not positive and finite.
    """

    mean: Float[Array, ""] = eqx.field(converter=real_field("mean"))
    shape: Float[Array, ""] = eqx.field(converter=real_field("shape"))

    def __check_init__(self) -> None:
        check_numbers(self, mean=self.mean, shape=self.shape)

    @property
    def second_moment(self) -> Float[Array, ""]:
        return self.mean**2 * (1 + self.mean / self.shape)

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        a = jnp.asarray(a, self.mean.dtype)
        positive = a > 0
        root = jnp.sqrt(self.shape / jnp.where(positive, a, 1))
        later = a / self.mean
        mirrored = 2 * self.shape / self.mean + log_ndtr(-root * (later + 1))
        tail = ndtr(-root * (later - 1)) - jnp.exp(mirrored)
        return jnp.where(positive, jnp.maximum(tail, 0), 1)

    def _exponent(
        self, s: Float[ArrayLike, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        z = 2 * self.mean**2 * jnp.asarray(s) / self.shape
        root = jnp.sqrt(1 + z)
        y = self.shape / self.mean * z / (root + 1)
        return y, z / (root + 1) ** 2, 2 / (root + 1)

    def sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        normal_key, uniform_key = jax.random.split(key)
        chi = jax.random.normal(normal_key, shape, self.mean.dtype) ** 2
        # The smaller root of Michael, Schucany, Haas (1976), without cancellation.
        half = self.mean * chi / (2 * self.shape)
        low = self.mean / (1 + half + jnp.sqrt(half * (half + 2)))
        u = jax.random.uniform(uniform_key, shape, self.mean.dtype)
        return jnp.where(u * (self.mean + low) <= self.mean, low, self.mean**2 / low)

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        share_key, time_key = jax.random.split(key)
        share = jax.random.uniform(share_key, shape, self.mean.dtype)
        # Weighted by its length, the law is that of mean^2 / T.
        return share * self.mean**2 / self.sample(time_key, shape)

    def with_mean(self, mean: ArrayLike) -> Self:
        # Both parameters are times.
        return type(self)(mean, self.shape * (mean / self.mean))


def log1p_gap(z: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""The gap $1 - \log(1 + z)/z$ for $z \geq 0$, exact at small z."""
    near = z < 0.1
    small = jnp.where(near, z, 0)
    series = jnp.zeros_like(z)
    # The sixteenth power of a tenth is beyond double precision.
    for k in reversed(range(1, 17)):
        series = small * (1 / (k + 1) - series)
    large = jnp.where(near, 1, z)
    return jnp.where(near, series, 1 - jnp.log1p(large) / large)
