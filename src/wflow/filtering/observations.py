"""What is observed of a state: a simulator, and where there is one its likelihood."""

import abc
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wflow.checks import real_field
from wflow.parameters import Learnable


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
        r"""$\log p(y|x)$; entries of ``y`` that are nan are missing and do not count.

        A constant in x may be left out.
        """


class SimulatedObservation(AbstractObservation):
    """A law of observations given by ``simulator(x, key)`` alone.

    Shapes: state ``(d,)`` to observation ``(p,)``.
    """

    simulator: Callable[[Float[Array, " d"], PRNGKeyArray], Float[Array, " p"]]

    def simulate(self, x: Float[Array, " d"], key: PRNGKeyArray) -> Float[Array, " p"]:
        return self.simulator(x, key)


class GaussianObservation(AbstractLikelihood):
    r"""$y = h(x) + \eta$, $\eta \sim N(0, R)$.

    Attributes:
        operator: h, from states ``(d,)`` to observations ``(p,)``.
        cov: R, ``(p, p)``, symmetric and positive definite.

    Raises:
        ValueError: cov is not such a matrix.
    """

    operator: Callable[[Float[Array, " d"]], Float[Array, " p"]]
    cov: Float[Array, "p p"] = eqx.field(converter=real_field("cov"))

    def __check_init__(self) -> None:
        if isinstance(self.cov, Learnable):
            return
        shape = jnp.shape(self.cov)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(
                f"GaussianObservation: expected cov of shape (p, p), found {shape}."
            )
        if not isinstance(self.cov, Tracer | jax.ShapeDtypeStruct):
            cov = np.asarray(self.cov)
            if not (
                np.isfinite(cov).all()
                and np.allclose(cov, cov.T)
                and np.linalg.eigvalsh(cov)[0] > 0
            ):
                raise ValueError(
                    "GaussianObservation: expected cov symmetric and positive "
                    f"definite, found {cov.tolist()}."
                )

    @property
    def dim(self) -> int:
        """Number of observed components, p."""
        return self.cov.shape[0]

    def mean(self, x: Float[Array, " d"]) -> Float[Array, " p"]:
        """Expected observation of the state ``x``."""
        return self.operator(x)

    def noise(self, key: PRNGKeyArray) -> Float[Array, " p"]:
        r"""One draw of $\eta$."""
        root = jnp.linalg.cholesky(self.cov)
        return root @ jax.random.normal(key, (self.dim,), root.dtype)

    def simulate(self, x: Float[Array, " d"], key: PRNGKeyArray) -> Float[Array, " p"]:
        mean = self.operator(x)
        return mean + self.noise(key).astype(mean.dtype)

    def log_likelihood(
        self, y: Float[Array, " p"], x: Float[Array, " d"]
    ) -> Float[Array, ""]:
        return gaussian_log_density(y, self.operator(x), self.cov)


def gaussian_log_density(
    y: Float[Array, " p"], mean: Float[Array, " p"], cov: Float[Array, "p p"]
) -> Float[Array, ""]:
    r"""$\log N(y; m, C)$ of the entries of ``y`` that are not nan."""
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


def unless_missing(observed: Float[Array, " p"], analysed: Any, forecast: Any) -> Any:
    """``analysed``, but ``forecast`` bit for bit where nothing was observed."""
    anything = jnp.any(~jnp.isnan(observed))
    return jax.tree.map(lambda a, f: jnp.where(anything, a, f), analysed, forecast)


def require_gaussian(owner: object, observation: Any) -> GaussianObservation:
    """The observation, if its errors are Gaussian.

    Raises:
        TypeError: they are not.
    """
    if not isinstance(observation, GaussianObservation):
        raise TypeError(
            f"{type(owner).__name__} needs observations with Gaussian errors "
            f"(GaussianObservation), found {type(observation).__name__}."
        )
    return observation


def require_likelihood(owner: object, observation: Any) -> AbstractLikelihood:
    """The observation, if it has a likelihood.

    Raises:
        TypeError: it has none.
    """
    if not isinstance(observation, AbstractLikelihood):
        raise TypeError(
            f"{type(owner).__name__} needs observations with a likelihood "
            f"(AbstractLikelihood), found {type(observation).__name__}."
        )
    return observation
