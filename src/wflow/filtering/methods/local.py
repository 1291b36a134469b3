"""Kalman analyses of one state component at a time, each from observations near it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import real_field
from wflow.filtering.base import AbstractMethod, check_inflation, inflated
from wflow.filtering.localisation import Domain
from wflow.filtering.observations import (
    AbstractObservation,
    require_gaussian,
    unless_missing,
)
from wflow.measures import Particles

from .enkf import perturbations
from .etkf import rotated, transform, whitened


class LETKF(AbstractMethod):
    r"""The ETKF of every component s with $R^{-1}$ tapered by distance,
    $R^{-1/2} \leftarrow \sqrt{w_s}\,R^{-1/2}$.

    Components without a local observation keep their forecast. ``inflation`` multiplies
    all anomalies after the analysis, ``rotate`` mixes them by one random rotation.

    Reference: Hunt, Kostelich, Szunyogh, Physica D 230 (2007), section 2.3; tapering as
    in DAPPER.
    """

    domain: Domain
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )
    rotate: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        check_inflation(self, self.inflation)

    def analyse(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        x = measure.x
        _check_domain(self, self.domain, x, observed)
        dy, innovation = whitened(require_gaussian(self, observation), x, observed)
        mean = jnp.mean(x, axis=0)

        def local(
            dx: Float[Array, " n"], near: Array, weights: Float[Array, " L"]
        ) -> Float[Array, " n"]:
            taper = jnp.sqrt(weights)
            move, anomalies = transform(
                dx[:, None], dy[:, near] * taper, innovation[near] * taper
            )
            return (move + anomalies)[:, 0]

        domain = self.domain
        moved = jax.vmap(local, (1, 0, 0), 1)(
            x - mean, domain.observations, domain.weights.astype(x.dtype)
        )
        felt = _felt(domain, observed)
        analysed = jnp.where(felt, mean + moved, x)
        if self.rotate:
            mean = jnp.mean(analysed, axis=0)
            analysed = mean + rotated(analysed - mean, key)
        analysed = inflated(analysed, self.inflation)
        return measure.with_state((unless_missing(observed, analysed, x), measure.logw))


class LocalEnKF(AbstractMethod):
    r"""The stochastic EnKF of every component with $R^{-1}$ tapered by distance.

    All components share one draw of perturbations: members stay coherent in space.
    ``inflation`` multiplies all anomalies after the analysis.

    Reference: Hunt, Kostelich, Szunyogh, Physica D 230 (2007), section 2.3, with the
    update of ``EnKF``; this combination is ours.
    """

    domain: Domain
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        check_inflation(self, self.inflation)

    def analyse(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        x, n = measure.x, measure.n
        _check_domain(self, self.domain, x, observed)
        observation = require_gaussian(self, observation)
        dy, innovation = whitened(observation, x, observed)
        root = jnp.linalg.cholesky(observation.cov.astype(x.dtype))
        noise = perturbations(observation, key, n).astype(x.dtype)
        noise = jax.scipy.linalg.solve_triangular(root, noise.T, lower=True).T

        def local(
            dx: Float[Array, " n"], near: Array, weights: Float[Array, " L"]
        ) -> Float[Array, " n"]:
            taper = jnp.sqrt(weights)
            y = dy[:, near] * taper
            apart = (innovation[near] - dy[:, near]) * taper - noise[:, near]
            square = y.T @ y + (n - 1) * jnp.eye(near.size, dtype=x.dtype)
            factor = jax.scipy.linalg.cho_factor(square)
            return apart @ jax.scipy.linalg.cho_solve(factor, y.T @ dx)

        domain = self.domain
        weights = domain.weights.astype(x.dtype)
        moves = jax.vmap(local, (1, 0, 0), 1)(
            x - jnp.mean(x, axis=0), domain.observations, weights
        )
        analysed = inflated(
            jnp.where(_felt(domain, observed), x + moves, x), self.inflation
        )
        return measure.with_state((unless_missing(observed, analysed, x), measure.logw))


def _felt(domain: Domain, observed: Float[Array, " p"]) -> Array:
    """Which components have a local observation that is not missing."""
    present = ~jnp.isnan(observed)[domain.observations]
    return jnp.any(present & (domain.weights > 0), axis=1)


def _check_domain(
    owner: object, domain: Domain, x: Float[Array, "n d"], observed: Array
) -> None:
    if domain.dim != x.shape[1]:
        raise ValueError(
            f"{type(owner).__name__}: expected a domain of {x.shape[1]} components, "
            f"found one of {domain.dim}."
        )
    if domain.observations.shape[1] > observed.shape[0]:
        raise ValueError(
            f"{type(owner).__name__}: the domain lists "
            f"{domain.observations.shape[1]} observations for a component, but "
            f"observed has {observed.shape[0]}."
        )
