"""What is observed of a state: a simulator, and where there is one its likelihood."""

import abc
import math
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field, to_real


Law = TypeVar("Law")


class AbstractObservation(eqx.Module):
    """A law of observations given the state, known through its simulator."""

    @abc.abstractmethod
    def simulate(self, x: Float[Array, " d"], key: PRNGKeyArray) -> Float[Array, " p"]:
        """One draw of the observation of the state ``x``."""


class AbstractLikelihood(AbstractObservation):
    """A law of observations with a density."""

    @abc.abstractmethod
    def log_likelihood(
        self, y: Float[Array, " p"], x: Float[Array, " d"]
    ) -> Float[Array, ""]:
        r"""How well a state explains an observation, $\log p(y|x)$.

        Entries of ``y`` that are nan are missing and do not count. A constant in x may
        be left out.
        """


class SimulatedObservation(AbstractObservation):
    """Observations that can only be simulated: no likelihood is known.

    The law is that of ``simulator(x, key)``, from states ``(d,)`` to observations
    ``(p,)``; one number is an observation of one component.

    Raises:
        TypeError: simulator is no function.
        ValueError: at the call, an observation that is no vector, or complex.
    """

    simulator: Callable[[Float[Array, " d"], PRNGKeyArray], Float[Array, " p"]]

    def __check_init__(self) -> None:
        checks.function(self, "simulator", self.simulator, "x, key")

    def simulate(self, x: Float[Array, " d"], key: PRNGKeyArray) -> Float[Array, " p"]:
        y = self.simulator(x, key)
        return checks.returned(self, "simulator", y, (np.size(y),), x.dtype)


class GaussianObservation(AbstractLikelihood):
    r"""Observations with Gaussian errors around a function of the state.

    $y = h(x) + \eta$, $\eta \sim N(0, R)$.

    Attributes:
        operator: h, from states ``(d,)`` to observations ``(p,)``; one number is an
            observation of one component.
        cov: R, ``(p, p)``, symmetric and positive definite.

    Raises:
        ValueError: cov is not such a matrix; at the call, an operator that returns
            another number of components than cov has, or complex numbers.
        TypeError: operator is no function.
    """

    operator: Callable[[Float[Array, " d"]], Float[Array, " p"]]
    cov: Float[Array, "p p"] = eqx.field(converter=real_field("cov"))

    def __check_init__(self) -> None:
        checks.function(self, "operator", self.operator, "x")
        checks.shape(self, "cov", self.cov, ("p", "p"))
        checks.covariance(self, "cov", self.cov)

    @property
    def dim(self) -> int:
        """Number of observed components, p."""
        return self.cov.shape[0]

    def mean(self, x: Float[Array, " d"]) -> Float[Array, " p"]:
        """Expected observation of the state ``x``."""
        name = "operator, with the size of cov,"
        return checks.returned(self, name, self.operator(x), (self.dim,), x.dtype)

    def noise(self, key: PRNGKeyArray) -> Float[Array, " p"]:
        r"""One draw of $\eta$."""
        root = jnp.linalg.cholesky(self.cov)
        return root @ jax.random.normal(key, (self.dim,), root.dtype)

    def simulate(self, x: Float[Array, " d"], key: PRNGKeyArray) -> Float[Array, " p"]:
        mean = self.mean(x)
        return mean + self.noise(key).astype(mean.dtype)

    def log_likelihood(
        self, y: Float[Array, " p"], x: Float[Array, " d"]
    ) -> Float[Array, ""]:
        y = to_real(y, "y")
        checks.shape(self, "y", y, (self.dim,))
        return gaussian_log_density(y, self.mean(x), self.cov)


def log_likelihoods(
    observation: AbstractLikelihood, y: Float[Array, " p"], x: Float[Array, "n d"]
) -> Float[Array, " n"]:
    r"""How well each member explains an observation, $\log p(y|x_i)$.

    Args:
        observation: the law of an observation given the state.
        y: the observation, ``(p,)``.
        x: members, ``(n, d)``.

    Raises:
        ValueError: it is not one real number.
    """

    def one(state: Float[Array, " d"]) -> Float[Array, ""]:
        value = observation.log_likelihood(y, state)
        return checks.returned(observation, "log_likelihood", value, (), state.dtype)

    return jax.vmap(one)(x)


def check_observed(owner: object, name: str, observed: Float[Array, "T p"]) -> None:
    """Refuse observations that are infinite; nan is a missing one.

    Raises:
        ValueError: one is.
        TypeError: they are no real numbers.
    """
    found = checks.known(observed)
    if found is not None and found.dtype.kind == "f":
        found = np.where(np.isnan(found), 0, found)
    if found is not None:
        checks.finite(owner, name, found)


def gaussian_log_density(
    y: Float[Array, " p"], mean: Float[Array, " p"], cov: Float[Array, "p p"]
) -> Float[Array, ""]:
    r"""Log-density $\log N(y; m, C)$ of the entries of ``y`` that are not nan.

    Args:
        y: the observation, ``(p,)``.
        mean: m, ``(p,)``.
        cov: C, ``(p, p)``.
    """
    present = ~jnp.isnan(y)
    residual = jnp.where(present, y, 0) - jnp.where(present, mean, 0)
    root = jnp.linalg.cholesky(without_missing(cov.astype(residual.dtype), present))
    z = jax.scipy.linalg.solve_triangular(root, residual, lower=True)
    log_det = jnp.sum(jnp.log(jnp.diagonal(root)))
    return -(z @ z) / 2 - log_det - jnp.sum(present) * math.log(2 * math.pi) / 2


def without_missing(
    cov: Float[Array, "p p"], present: Bool[Array, " p"]
) -> Float[Array, "p p"]:
    """``cov`` with the rows and columns of missing entries replaced by the identity's.

    Its inverse and its determinant restricted to the present entries are those of the
    smaller matrix.
    """
    eye = jnp.eye(cov.shape[0], dtype=cov.dtype)
    return jnp.where(present[:, None] & present[None, :], cov, eye)


def unless_missing(observed: Float[Array, " p"], analyzed: Any, forecast: Any) -> Any:
    """``analyzed``, but ``forecast`` bit for bit where nothing was observed."""
    anything = jnp.any(~jnp.isnan(observed))
    return jax.tree.map(lambda a, f: jnp.where(anything, a, f), analyzed, forecast)


def require_gaussian(owner: object, observation: Any) -> GaussianObservation:
    """The observation, if its errors are Gaussian.

    Raises:
        TypeError: they are not.
    """
    return _required(owner, observation, GaussianObservation, "Gaussian errors")


def require_likelihood(owner: object, observation: Any) -> AbstractLikelihood:
    """The observation, if it has a likelihood.

    Raises:
        TypeError: it has none.
    """
    return _required(owner, observation, AbstractLikelihood, "a likelihood")


def _required(owner: object, observation: Any, kind: type[Law], what: str) -> Law:
    if not isinstance(observation, kind):
        raise TypeError(
            f"{type(owner).__name__} needs observations with {what} "
            f"({kind.__name__}), found {type(observation).__name__}."
        )
    return observation
