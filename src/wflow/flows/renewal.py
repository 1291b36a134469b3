"""Renewal laws of the time T between two resets, and the one of Poisson's process."""

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray, PyTree

from wflow.checks import positive, real_field, shape


# Halvings of a bracket of e^{+-50} around the mean: to the last bit.
_HALVINGS = 64
_LOG_RANGE = 50.0


def check_numbers(owner: object, **values: object) -> None:
    """Refuse parameters that are not one positive, finite number each.

    Raises:
        ValueError: one is not.
    """
    for name, value in values.items():
        shape(owner, name, value, ())
        positive(owner, name, value)


class AbstractResetTimes(eqx.Module):
    """When the clocks of a resetting flow ring."""

    @abc.abstractmethod
    def last_resets(
        self, key: PRNGKeyArray, ends: Float[Array, " K+1"], shape: tuple[int, ...]
    ) -> Float[Array, "K ..."]:
        """The last reset in each interval ``(ends[k], ends[k + 1]]``, -inf where none.

        Independent clocks of ``shape``, all of age zero at ``ends[0]``. Draws carry no
        gradient.
        """

    def since(self, t0: ArrayLike) -> "AbstractResetTimes":
        """The same where times are counted from ``t0``; clocks start there anyway."""
        del t0
        return self


class AbstractRenewalLaw(AbstractResetTimes):
    r"""The law of the time $T > 0$ between resets, independent from one to the next.

    Survival $S(a) = P(T > a)$, mean $\tau$, Laplace transform
    $\phi(s) = \mathbb{E} e^{-sT}$. Far from the start the age (the time since the last
    reset) has density $S(a)/\tau$ and Laplace transform
    $\ell(s) = (1 - \phi(s))/(s\tau)$, and the mean of a linear flow has moved towards
    its rest by $h(\mu) = 1 - \ell(\mu)$ in a direction of curvature $\mu$. (For a
    periodic law: at a uniform phase, or averaged over time.)

    Arguments $s, \mu, a \geq 0$ and $u \in (0, 1)$ are arrays, elementwise, and not
    checked, since they come from inside of compiled loops; parameters may be swept and
    differentiated.

    Reference: Asmussen, Applied Probability and Queues (2003), V.3 (stationary age);
    the filter is derived from it.
    """

    if TYPE_CHECKING:  # to a checker a variable is an argument of every law

        @property
        def mean(self) -> Float[Array, ""]:
            """The mean time between resets."""
            ...
    else:
        mean: eqx.AbstractVar[Float[Array, ""]]

    @property
    @abc.abstractmethod
    def second_moment(self) -> Float[Array, ""]:
        r"""$\mathbb{E}T^2$, possibly infinite."""

    @abc.abstractmethod
    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$S(a) = P(T > a)$."""

    @abc.abstractmethod
    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$\ell(s)$, the Laplace transform of the stationary age."""

    @abc.abstractmethod
    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$h(\mu) = 1 - \ell(\mu)$, with all its digits near zero too."""

    @abc.abstractmethod
    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        r"""Draws of the stationary age, reparametrized."""

    @property
    def cv2(self) -> Float[Array, ""]:
        r"""Squared coefficient of variation, $\mathrm{Var}\,T/\tau^2$."""
        return self.second_moment / self.mean**2 - 1

    @property
    def mean_age(self) -> Float[Array, ""]:
        r"""$\mathbb{E}T^2/(2\tau)$, the slope of the filter at zero."""
        return self.second_moment / (2 * self.mean)

    @property
    def kinks(self) -> Float[Array, " q"]:
        """Ages at which the survival is not smooth."""
        return jnp.zeros((0,), jnp.asarray(self.mean).dtype)

    def density(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""Density of T, $-S'(a)$."""
        at = jnp.asarray(a, jnp.result_type(self.mean))
        return -jax.jvp(self.survival, (at,), (jnp.ones_like(at),))[1]

    def age_density(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$S(a)/\tau$."""
        return self.survival(a) / self.mean

    def laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$\phi(s) = \mathbb{E}e^{-sT} = 1 - s\tau\ell(s)$."""
        return 1 - jnp.multiply(s, self.mean) * self.age_laplace(s)

    def filter_ratio(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$h(\mu)/\mu$, and the mean age at zero."""
        mu = jnp.asarray(mu, jnp.result_type(self.mean))
        positive = mu > 0
        safe = jnp.where(positive, mu, 1)
        return jnp.where(positive, self.filter(safe) / safe, self.mean_age)

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""The time t with $P(T \leq t) = u$, by bisection."""
        u = jnp.asarray(u, jnp.result_type(self.mean))
        return inverse_survival(self.survival, 1 - u, self.mean)

    def sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        """Draws of T, reparametrized."""
        return self.quantile(open_uniform(key, shape, jnp.result_type(self.mean)))

    def with_mean(self, mean: ArrayLike) -> Self:
        """The same law on another scale of time."""
        return dataclasses.replace(self, mean=mean)

    def last_resets(
        self, key: PRNGKeyArray, ends: Float[Array, " K+1"], shape: tuple[int, ...]
    ) -> Float[Array, "K ..."]:
        law, ends = stopped((self, ends))
        clocks = math.prod(shape)
        none = jnp.full((ends.shape[0] - 1, clocks), -jnp.inf, ends.dtype)

        def ring(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            number, epoch, last = carry
            draws = law.sample(jax.random.fold_in(key, number), (clocks,))
            epoch = epoch + draws.astype(ends.dtype)
            # Beyond the last end: the index is out of range, and dropped.
            interval = jnp.searchsorted(ends, epoch, side="left") - 1
            last = last.at[interval, jnp.arange(clocks)].max(epoch, mode="drop")
            return number + 1, epoch, last

        start = jnp.zeros((), int), jnp.full((clocks,), ends[0]), none
        last = jax.lax.while_loop(lambda c: jnp.any(c[1] <= ends[-1]), ring, start)[2]
        return last.reshape((-1, *shape))


class Exponential(AbstractRenewalLaw):
    r"""Resets at random times without memory, at a constant rate.

    $S(a) = e^{-ra}$: resets at the points of a Poisson process of rate r.

    $h(\mu) = \mu/(\mu + r)$, ridge regression, and the only law with such a filter.

    Raises:
        ValueError: a rate that is not positive.
    """

    rate: Float[Array, ""] = eqx.field(converter=real_field("rate"))

    def __check_init__(self) -> None:
        check_numbers(self, rate=self.rate)

    @property
    def mean(self) -> Float[Array, ""]:
        """One over the rate."""
        return 1 / self.rate

    @property
    def second_moment(self) -> Float[Array, ""]:
        return 2 / self.rate**2

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-self.rate * a)

    def laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return self.rate / (self.rate + s)

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return self.rate / (self.rate + s)

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.divide(mu, self.rate + mu)

    def quantile(self, u: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return -jnp.log1p(-jnp.asarray(u)) / self.rate

    def sample(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return jax.random.exponential(key, shape, self.rate.dtype) / self.rate

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        return self.sample(key, shape)

    def with_mean(self, mean: ArrayLike) -> Self:
        return dataclasses.replace(self, rate=1 / jnp.asarray(mean))

    def last_resets(
        self, key: PRNGKeyArray, ends: Float[Array, " K+1"], shape: tuple[int, ...]
    ) -> Float[Array, "K ..."]:
        law, ends = stopped((self, ends))
        # Looking back from any time, a Poisson process is one too.
        back = law.sample(key, (ends.shape[0] - 1, *shape)).astype(ends.dtype)
        column = (slice(None),) + (None,) * len(shape)
        last = ends[1:][column] - back
        return jnp.where(last > ends[:-1][column], last, -jnp.inf)


def open_uniform(
    key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike
) -> Float[Array, "*shape"]:
    """Uniform draws of the open interval (0, 1)."""
    tiny = jnp.finfo(dtype).tiny
    return jax.random.uniform(key, shape, dtype, minval=tiny)


def stopped(tree: PyTree) -> PyTree:
    """``tree`` without gradient, whatever else it holds."""
    return jax.tree.map(
        lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_array(leaf) else leaf, tree
    )


def inverse_survival(
    survival: Callable[[Array], Array],
    level: Float[Array, "..."],
    scale: Float[Array, ""],
) -> Float[Array, "..."]:
    """The time at which a survival falls to ``level``, by bisection in its logarithm.

    It is sought within factors of e^50 of ``scale``.
    """
    here = stopped(survival)

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        beyond = here(jnp.exp(middle)) < target
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    target, center = stopped((level, jnp.log(scale)))
    ends = tuple(
        jnp.broadcast_to(center + side, jnp.shape(level))
        for side in (-_LOG_RANGE, _LOG_RANGE)
    )
    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, ends)
    t = jnp.exp((low + high) / 2)
    # A step of Newton that does not move: the derivative of an inverse.
    slope = -jax.jvp(here, (t,), (jnp.ones_like(t),))[1]
    steep = slope > 0
    gap = survival(t) - level
    return t + jnp.where(steep, gap - stopped(gap), 0) / jnp.where(steep, slope, 1)
