"""Laws without a closed Laplace transform, averaged by quadrature."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, ndtr, ndtri
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import real_field
from wflow.flows.renewal import AbstractRenewalLaw, check_numbers
from wflow.measures.special import linear_decay, mean_decay

from .rules import average, gamma_rule, normal_rule


class AbstractAveragedLaw(AbstractRenewalLaw):
    r"""A law whose filter is a mean over the interval that covers the present.

    Given that interval $\hat T$, the age is uniform on it:
    $\ell(s) = \mathbb{E}\frac{1 - e^{-x}}{x}$ with $x = s\hat T$, and $\hat T$ has
    density $t f(t)/\tau$.
    """

    @abc.abstractmethod
    def covering(self) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        r"""Nodes and weights of the law of $\hat T$."""

    @abc.abstractmethod
    def sample_covering(
        self, key: PRNGKeyArray, shape: tuple[int, ...]
    ) -> Float[Array, "*shape"]:
        r"""Draws of $\hat T$."""

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        times, weights = self.covering()
        return average(lambda one: mean_decay(one * times), weights, s)

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        times, weights = self.covering()
        return average(lambda one: one * times * linear_decay(one * times), weights, mu)

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        share_key, time_key = jax.random.split(key)
        share = jax.random.uniform(share_key, shape, jnp.result_type(self.mean))
        return share * self.sample_covering(time_key, shape)


class Weibull(AbstractAveragedLaw):
    r"""Intervals between resets of a Weibull law: a reset may grow likelier with age.

    $S(a) = e^{-(a/c)^k}$ with mean $\tau = c\,\Gamma(1 + 1/k)$.

    Attributes:
        mean: $\tau$, a time.
        shape: k; above 1 the chance of a reset grows with the age.

    Raises:
        ValueError: a mean or shape that is not positive and finite.
    """

    mean: Float[Array, ""] = eqx.field(converter=real_field("mean"))
    shape: Float[Array, ""] = eqx.field(converter=real_field("shape"))

    def __check_init__(self) -> None:
        check_numbers(self, mean=self.mean, shape=self.shape)

    @property
    def _scale(self) -> Float[Array, ""]:
        return self.mean * jnp.exp(-gammaln(1 + 1 / self.shape))

    @property
    def second_moment(self) -> Float[Array, ""]:
        return self._scale**2 * jnp.exp(gammaln(1 + 2 / self.shape))

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        a = jnp.asarray(a, self.mean.dtype)
        positive = a > 0
        power = (jnp.where(positive, a, 1) / self._scale) ** self.shape
        return jnp.where(positive, jnp.exp(-power), 1)

    def covering(self) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        logs, weights = gamma_rule(1 + 1 / self.shape)
        return self._scale * jnp.exp(logs / self.shape), weights

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return self._scale * (-jnp.log1p(-jnp.asarray(u))) ** (1 / self.shape)

    def sample_covering(
        self, key: PRNGKeyArray, shape: tuple[int, ...]
    ) -> Float[Array, "*shape"]:
        draws = jax.random.gamma(key, 1 + 1 / self.shape, shape, self.mean.dtype)
        return self._scale * draws ** (1 / self.shape)


class LogNormal(AbstractAveragedLaw):
    r"""Intervals between resets whose logarithm is Gaussian.

    $\log T \sim N(\log\tau - \sigma^2/2, \sigma^2)$.

    Attributes:
        mean: $\tau$, a time.
        sigma: standard deviation of the logarithm.

    Raises:
        ValueError: a mean or sigma that is not positive and finite.
    """

    mean: Float[Array, ""] = eqx.field(converter=real_field("mean"))
    sigma: Float[Array, ""] = eqx.field(converter=real_field("sigma"))

    def __check_init__(self) -> None:
        check_numbers(self, mean=self.mean, sigma=self.sigma)

    def _time(self, z: Float[Array, "..."], shift: float) -> Float[Array, "..."]:
        """With the logarithm's mean moved by ``shift`` variances from log mean."""
        return self.mean * jnp.exp(self.sigma * z + shift * self.sigma**2)

    @property
    def second_moment(self) -> Float[Array, ""]:
        return self.mean**2 * jnp.exp(self.sigma**2)

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        a = jnp.asarray(a, self.mean.dtype)
        positive = a > 0
        log = jnp.log(jnp.where(positive, a, 1) / self.mean)
        return jnp.where(positive, ndtr(-log / self.sigma - self.sigma / 2), 1)

    def covering(self) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        z, weights = normal_rule(self.mean.dtype)
        return self._time(z, 0.5), weights

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return self._time(ndtri(jnp.asarray(u)), -0.5)

    def sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return self._time(jax.random.normal(key, shape, self.mean.dtype), -0.5)

    def sample_covering(
        self, key: PRNGKeyArray, shape: tuple[int, ...]
    ) -> Float[Array, "*shape"]:
        return self._time(jax.random.normal(key, shape, self.mean.dtype), 0.5)
