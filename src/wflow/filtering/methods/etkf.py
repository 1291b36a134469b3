"""The ensemble transform Kalman filter."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.filtering.base import AbstractMethod, check_number
from wflow.filtering.ensembles import inflated
from wflow.filtering.observations import (
    AbstractObservation,
    GaussianObservation,
    require_gaussian,
    unless_missing,
    without_missing,
)
from wflow.measures import Particles


class ETKF(AbstractMethod):
    r"""Ensemble transform Kalman filter: a correction without random errors.

    $X \leftarrow (I + Y Y^\top/(n - 1))^{-1/2} X$ of the anomalies, in observations
    whitened by R. The mean moves by the Kalman gain of the ensemble, and so does the
    covariance, exactly; the root is the symmetric one.

    Attributes:
        inflation: multiplies the anomalies after the analysis, 1 for none.
        rotate: mix the anomalies by a random rotation that keeps mean and covariance.

    Raises:
        ValueError: inflation is no number > 0, or rotate neither True nor False.

    Reference: Bishop, Etherton, Majumdar, Mon. Weather Rev. 129 (2001); Sakov, Oke,
    Mon. Weather Rev. 136 (2008), equation (17) and section 4.
    """

    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )
    rotate: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        check_number(self, "inflation", self.inflation)
        checks.one_of(self, "rotate", self.rotate, (True, False))

    def analyze(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        x = measure.x
        dy, innovation = whitened(require_gaussian(self, observation), x, observed)
        mean = jnp.mean(x, axis=0)
        dx = x - mean
        move, anomalies = transform(dx, dy, innovation)
        if self.rotate:
            anomalies = rotated(anomalies, key)
        analyzed = inflated(mean + move + anomalies, self.inflation)
        return measure.with_state((unless_missing(observed, analyzed, x), measure.logw))


def whitened(
    observation: GaussianObservation,
    x: Float[Array, "n d"],
    observed: Float[Array, " p"],
) -> tuple[Float[Array, "n p"], Float[Array, " p"]]:
    r"""Anomalies of the expected observations and of y, in units of the errors.

    $L^{-1}$ of the anomalies of $h(x_i)$ and of $y$ less their mean, $LL^\top = R$.
    Zero where the observation is missing.
    """
    rows, cov = departures(observation, x, observed)
    root = jnp.linalg.cholesky(cov)
    rows = jax.scipy.linalg.solve_triangular(root, rows.T, lower=True).T
    return rows[:-1], rows[-1]


def departures(
    observation: GaussianObservation,
    x: Float[Array, "n d"],
    observed: Float[Array, " p"],
) -> tuple[Float[Array, "n+1 p"], Float[Array, "p p"]]:
    """Expected observations and, last, y, less the mean of the former; and R.

    Zero where the observation is missing; R is the identity there.
    """
    present = ~jnp.isnan(observed)
    seen = jnp.where(present, jax.vmap(observation.mean)(x), 0)
    center = jnp.mean(seen, axis=0)
    cov = without_missing(observation.cov.astype(x.dtype), present)
    innovation = jnp.where(present, observed, 0) - center
    return jnp.concatenate([seen - center, innovation[None]]), cov


def transform(
    dx: Float[Array, "n d"], dy: Float[Array, "n p"], innovation: Float[Array, " p"]
) -> tuple[Float[Array, " d"], Float[Array, "n d"]]:
    """The move of the mean and the new anomalies, by the smaller of two matrices.

    ``dx``, ``dy`` are anomalies, ``dy`` and ``innovation`` whitened.
    """
    n, p = dy.shape
    if n <= p:
        root = inverse_root(jnp.eye(n, dtype=dx.dtype) + dy @ dy.T / (n - 1))
        anomalies = root @ dx
        return (dy @ innovation) @ (root @ anomalies) / (n - 1), anomalies
    # With B = (I + Y'Y/(n-1))^(1/2): the root is I - Y (B + B^2)^(-1) Y'/(n-1).
    square = jnp.eye(p, dtype=dx.dtype) + dy.T @ dy / (n - 1)
    root = inverse_root(square)
    cross = dy.T @ dx / (n - 1)
    move = innovation @ (root @ (root @ cross))
    eye = jnp.eye(p, dtype=dx.dtype)
    inner = jnp.linalg.solve(eye + root, root @ (root @ cross))
    return move, dx - dy @ inner


def rotated(anomalies: Float[Array, "n d"], key: PRNGKeyArray) -> Float[Array, "n d"]:
    r"""Anomalies mixed by a random rotation, $Q A$, that keeps $(1, \dots, 1)$.

    Reference: Sakov, Oke, Mon. Weather Rev. 136 (2008), section 4.
    """
    n, dtype = anomalies.shape[0], anomalies.dtype
    # A reflection that swaps the first axis and the diagonal.
    normal = jnp.full(n, n**-0.5, dtype).at[0].add(-1)
    normal = normal / jnp.linalg.norm(normal)
    reflect = lambda a: a - 2 * jnp.outer(normal, normal @ a)
    inner = reflect(anomalies)
    mixed = jax.random.orthogonal(key, n - 1, dtype=dtype) @ inner[1:]
    return reflect(inner.at[1:].set(mixed))


@jax.custom_jvp
def inverse_root(matrix: Float[Array, "m m"]) -> Float[Array, "m m"]:
    """The inverse square root $C^{-1/2}$, symmetric, of a symmetric positive matrix.

    Its derivative is that of the function of the matrix (Daleckii-Krein), which exists
    where eigenvalues meet, though that of the eigenvectors does not.
    """
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors / jnp.sqrt(values)) @ vectors.T


@inverse_root.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    values, vectors = jnp.linalg.eigh(primals[0])
    roots = jnp.sqrt(values)
    # The divided difference of s -> s^(-1/2).
    slope = -1 / (jnp.outer(roots, roots) * (roots[:, None] + roots))
    inner = slope * (vectors.T @ tangents[0] @ vectors)
    return (vectors / roots) @ vectors.T, vectors @ inner @ vectors.T
