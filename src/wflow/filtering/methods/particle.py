"""The bootstrap particle filter."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.filtering.base import AbstractMethod, Model
from wflow.filtering.ensembles import ensemble
from wflow.filtering.observations import (
    AbstractObservation,
    log_likelihoods,
    require_likelihood,
    unless_missing,
)
from wflow.measures import Particles
from wflow.measures.resampling import systematic_ancestors


class ParticleFilter(AbstractMethod):
    r"""Bootstrap particle filter: members are weighted by how well they explain y.

    $w_i \leftarrow w_i\,p(y|x_i)$, resampled when the weights rest on few. The analysis
    is the weighted sample. Where its effective size is at most ``threshold`` times n,
    the next forecast begins with systematic resampling, and every particle that was
    chosen more than once is moved by a draw of $N(0, h^2 \Sigma)$, $h =$ ``jitter``
    $n^{-1/(d + 4)}$, with the (unbiased) covariance of the weighted sample. Under a
    motion without noise a jitter of 0 ends in a single trajectory. Gradients do not
    pass the choice nor the jitter.

    Attributes:
        jitter: width of the moves after resampling, in standard deviations of the
            sample.
        threshold: share of the number of particles below which they are resampled.

    Raises:
        ValueError: jitter or threshold is no number >= 0.

    Reference: Gordon, Salmond, Smith, IEE Proc. F 140 (1993); the rule of the jitter
    is that of DAPPER, ``da_methods.particle.PartFilt``.
    """

    jitter: Float[Array, ""] = eqx.field(converter=real_field("jitter"), default=1.0)
    threshold: Float[Array, ""] = eqx.field(
        converter=real_field("threshold"), default=0.5
    )

    def __check_init__(self) -> None:
        for name in ("jitter", "threshold"):
            checks.non_negative(self, name, getattr(self, name))
            checks.shape(self, name, getattr(self, name), ())

    def init(self, initial: Any, key: PRNGKeyArray) -> Particles:
        del key
        return ensemble(self, initial).normalized()

    def forecast(
        self,
        model: Model,
        measure: Particles,
        t: Float[ArrayLike, ""],
        key: PRNGKeyArray,
    ) -> Particles:
        resampling_key, key = jax.random.split(key)
        few = measure.ess <= self.threshold * measure.n
        measure = jax.lax.cond(
            few, lambda mu: self._resampled(mu, resampling_key), lambda mu: mu, measure
        )
        return super().forecast(model, measure, t, key)

    def _resampled(self, measure: Particles, key: PRNGKeyArray) -> Particles:
        choice_key, jitter_key = jax.random.split(key)
        n, d = measure.x.shape
        fixed = jax.lax.stop_gradient(measure)
        chosen = systematic_ancestors(choice_key, fixed)
        weights = fixed.normalized().w
        rest = 1 - weights @ weights
        # Where one particle has all the weight there is nothing to scale.
        factor = jnp.where(rest > jnp.finfo(rest.dtype).eps, 1 / rest, 1)
        rows = jnp.sqrt(weights * factor)[:, None] * (fixed.x - fixed.mean)
        # Any root of the covariance; this one exists where Cholesky's does not.
        root = jnp.linalg.qr(rows, mode="r") if n > d else rows
        draws = jax.random.normal(jitter_key, (n, root.shape[0]), root.dtype) @ root
        # Ancestors come in order: copies are neighbors.
        same = chosen[1:] == chosen[:-1]
        copied = jnp.zeros(n, bool).at[1:].set(same).at[:-1].max(same)
        scale = (self.jitter * n ** (-1 / (d + 4))).astype(root.dtype)
        moved = measure.x[chosen] + jnp.where(copied[:, None], scale * draws, 0)
        return measure.with_state((moved, jnp.full_like(measure.logw, -jnp.log(n))))

    def log_evidence(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
    ) -> Float[Array, ""]:
        r"""That of the weighted sample, $\log \sum_i w_i\,p(y|x_i)$."""
        observation = require_likelihood(self, observation)
        logs = log_likelihoods(observation, observed, measure.x)
        return jax.nn.logsumexp(measure.logw + logs) - measure.log_mass

    def analyze(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        del key
        observation = require_likelihood(self, observation)
        logs = log_likelihoods(observation, observed, measure.x)
        logw = jax.nn.log_softmax(measure.logw + logs)
        return measure.with_state(
            (measure.x, unless_missing(observed, logw, measure.logw))
        )
