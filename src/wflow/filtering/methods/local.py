"""Kalman analyses of one state component at a time, each from observations near it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.filtering.base import AbstractMethod, check_number
from wflow.filtering.ensembles import inflated
from wflow.filtering.localization import Domain, check_domain
from wflow.filtering.observations import (
    AbstractObservation,
    GaussianObservation,
    require_gaussian,
    unless_missing,
)
from wflow.measures import Particles

from .enkf import perturbations
from .etkf import departures, rotated, transform


class LETKF(AbstractMethod):
    r"""The ETKF with observations that only count near by: for large systems.

    Every component s is corrected by the observations near it, tapered by distance.

    An observation of weight w has an error of its own added, of variance
    $(1/w - 1) R_{oo}$: the taper is on R, whose part of the local observations becomes
    $R + \mathrm{diag}((1/w - 1) R_{oo})$. Where errors are uncorrelated this is
    $R^{-1/2} \leftarrow \sqrt{w}\,R^{-1/2}$; where they are correlated, an observation
    out of reach still says nothing of the others' errors, and the order of observations
    does not matter.

    Components without a local observation keep their forecast.

    Attributes:
        domain: which observations are near which component.
        inflation: multiplies all anomalies after the analysis, 1 for none.
        rotate: mix the anomalies by one random rotation.

    Raises:
        ValueError: inflation is no number > 0, or rotate neither True nor False; in the
            analysis, a domain of another number of components or of observations.
        TypeError: domain is none.

    Reference: Hunt, Kostelich, Szunyogh, Physica D 230 (2007), section 2.3; tapering as
    in DAPPER.
    """

    domain: Domain
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )
    rotate: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        checks.instance(self, "domain", self.domain, Domain, "a Domain")
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
        check_domain(self, self.domain, x.shape[1], observed.shape[0])
        observation = require_gaussian(self, observation)
        dy, innovation, errors = _standardized(observation, x, observed)
        mean = jnp.mean(x, axis=0)

        def local(
            dx: Float[Array, " n"], near: Array, weights: Float[Array, " L"]
        ) -> Float[Array, " n"]:
            taper = jnp.sqrt(weights)
            rows = jnp.concatenate([dy[:, near], innovation[near][None]]) * taper
            rows = _whitened(rows, errors, near, taper)
            move, anomalies = transform(dx[:, None], rows[:-1], rows[-1])
            return (move + anomalies)[:, 0]

        domain = self.domain
        moved = jax.vmap(local, (1, 0, 0), 1)(
            x - mean, domain.observations, domain.weights.astype(x.dtype)
        )
        felt = _felt(domain, observed)
        analyzed = jnp.where(felt, mean + moved, x)
        if self.rotate:
            mean = jnp.mean(analyzed, axis=0)
            analyzed = mean + rotated(analyzed - mean, key)
        analyzed = inflated(analyzed, self.inflation)
        return measure.with_state((unless_missing(observed, analyzed, x), measure.logw))


class LocalEnKF(AbstractMethod):
    """The stochastic EnKF with observations that only count near by.

    R is tapered by distance for every component, as in ``LETKF``. All components share
    one draw of perturbations: members stay coherent in space.

    Attributes:
        domain: which observations are near which component.
        inflation: multiplies all anomalies after the analysis, 1 for none.

    Raises:
        ValueError: inflation is no number > 0; in the analysis, a domain of another
            number of components or of observations.
        TypeError: domain is none.

    Reference: Hunt, Kostelich, Szunyogh, Physica D 230 (2007), section 2.3, with the
    update of ``EnKF``.
    """

    domain: Domain
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        checks.instance(self, "domain", self.domain, Domain, "a Domain")
        check_number(self, "inflation", self.inflation)

    def analyze(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        x, n = measure.x, measure.n
        check_domain(self, self.domain, x.shape[1], observed.shape[0])
        observation = require_gaussian(self, observation)
        dy, innovation, errors = _standardized(observation, x, observed)
        root = jnp.linalg.cholesky(observation.cov.astype(x.dtype))
        noise = perturbations(observation, key, n).astype(x.dtype)
        noise = jax.scipy.linalg.solve_triangular(root, noise.T, lower=True).T

        def local(
            dx: Float[Array, " n"], near: Array, weights: Float[Array, " L"]
        ) -> Float[Array, " n"]:
            taper = jnp.sqrt(weights)
            seen = dy[:, near]
            rows = jnp.concatenate([seen, innovation[near] - seen]) * taper
            rows = _whitened(rows, errors, near, taper)
            y, apart = rows[:n], rows[n:] - noise[:, near]
            square = y.T @ y + (n - 1) * jnp.eye(near.size, dtype=x.dtype)
            factor = jax.scipy.linalg.cho_factor(square)
            return apart @ jax.scipy.linalg.cho_solve(factor, y.T @ dx)

        domain = self.domain
        weights = domain.weights.astype(x.dtype)
        moves = jax.vmap(local, (1, 0, 0), 1)(
            x - jnp.mean(x, axis=0), domain.observations, weights
        )
        analyzed = inflated(
            jnp.where(_felt(domain, observed), x + moves, x), self.inflation
        )
        return measure.with_state((unless_missing(observed, analyzed, x), measure.logw))


def _standardized(
    observation: GaussianObservation,
    x: Float[Array, "n d"],
    observed: Float[Array, " p"],
) -> tuple[Float[Array, "n p"], Float[Array, " p"], Float[Array, "p p"]]:
    """Anomalies and y less their mean in units of the errors, and their correlations.

    Zero where the observation is missing.
    """
    rows, cov = departures(observation, x, observed)
    deviations = jnp.sqrt(jnp.diagonal(cov))
    # A division, rounded as the triangular solve with correlated errors is.
    root = jnp.diag(deviations)
    rows = jax.scipy.linalg.solve_triangular(root, rows.T, lower=True).T
    return rows[:-1], rows[-1], cov / deviations / deviations[:, None]


def _whitened(
    rows: Float[Array, "n L"],
    errors: Float[Array, "p p"],
    near: Int[Array, " L"],
    taper: Float[Array, " L"],
) -> Float[Array, "n L"]:
    r"""Rows of tapered local observations, divided by a root of the errors' covariance.

    That is $\sqrt{w_o w_{o'}}$ times the correlation off the diagonal, one on it.
    """
    # In the order of the observations, not of their distances: components near each
    # other then take the same root, and perturbations fit together.
    order = jnp.argsort(near)
    own, w = near[order], taper[order]
    cov = w[:, None] * errors[own][:, own] * w
    cov = jnp.where(jnp.eye(near.size, dtype=bool), 1, cov)
    root = jnp.linalg.cholesky(cov)
    # One solve: on a CPU several factorizations, batched, can wait for each other.
    white = jax.scipy.linalg.solve_triangular(root, rows[:, order].T, lower=True)
    return white[jnp.argsort(order)].T


def _felt(domain: Domain, observed: Float[Array, " p"]) -> Array:
    """Which components have a local observation that is not missing."""
    present = ~jnp.isnan(observed)[domain.observations]
    return jnp.any(present & (domain.weights > 0), axis=1)
