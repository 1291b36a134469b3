"""Langevin steps that leave the target exactly invariant."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from wflow.checks import function
from wflow.flows import AbstractJumpFlow
from wflow.flows.base import (
    Strength,
    check_strength,
    one_log_density,
    strength_at,
    strength_field,
)
from wflow.measures import Particles, UnsupportedMeasureError


class MetropolisLangevinFlow(AbstractJumpFlow):
    r"""Langevin steps with a Metropolis test, which leave the target exactly invariant.

    $x' = x + s\nabla\log\pi(x) + \sqrt{2s}\,\xi$ with $s = \alpha h$, accepted with
    probability $\min(1, \frac{\pi(x')\,q(x|x')}{\pi(x)\,q(x'|x)})$.

    Every particle is a chain of its own (MALA); weights do not move. A step evaluates
    the log-density and its gradient twice for each particle. No gradient flows through
    the decision to accept. Proposals where the density is zero or nan are rejected; a
    particle that is where the log-density or its gradient is nan becomes nan.

    Attributes:
        log_density: of the target, at one point ``(d,)``.
        alpha: strength of the transport, a number or a schedule (a function of time).

    Raises:
        ValueError: a negative ``alpha``.
        TypeError: ``log_density`` is no function.

    Reference: Roberts, Tweedie, Bernoulli 2 (1996), section 1.4.
    """

    log_density: Callable[[Array], Array]
    alpha: Strength = strength_field("alpha", default=1.0)

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")
        check_strength(self, "alpha", self.alpha)

    def propose(
        self, x: Float[Array, "n d"], step: ArrayLike, key: PRNGKeyArray
    ) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
        """Proposals, and the logarithm of the probability to accept each."""
        return self._propose(x, step, key)[:2]

    def _propose(
        self, x: Float[Array, "n d"], step: ArrayLike, key: PRNGKeyArray
    ) -> tuple[Float[Array, "n d"], Float[Array, " n"], Bool[Array, " n"]]:
        """The same, and which particles are where the target is nan."""
        evaluate = jax.vmap(jax.value_and_grad(one_log_density(self, self.log_density)))
        here, score = evaluate(x)
        lost = jnp.isnan(here) | jnp.any(jnp.isnan(score), axis=1)
        noise = jnp.sqrt(2 * step) * jax.random.normal(key, x.shape, x.dtype)
        new = x + step * score + noise
        there, new_score = evaluate(new)
        back = x - new - step * new_score
        gain = there - here + jnp.sum(noise**2 - back**2, axis=1) / (4 * step)
        # Outside the support, or where the target is not finite, nothing is accepted.
        gain = jnp.where(jnp.isfinite(gain), jnp.minimum(gain, 0), -jnp.inf)
        return new, gain, lost

    def log_density_at(self, mu: Any, t: ArrayLike) -> Array | None:
        del t
        values, scores = jax.vmap(
            jax.value_and_grad(one_log_density(self, self.log_density))
        )(mu.x)
        return values + 0 * jnp.sum(scores, axis=1)

    def jump(
        self, mu: Any, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        proposal_key, key = jax.random.split(key)
        step = strength_at(self.alpha, t, mu.dtype) * dt
        new, log_probability, lost = self._propose(mu.x, step, proposal_key)
        u = jax.random.uniform(key, (mu.n,), mu.dtype, jnp.finfo(mu.dtype).tiny)
        accepted = jnp.log(u) < log_probability
        x = jnp.where(accepted[:, None], jnp.where(accepted[:, None], new, 0), mu.x)
        return mu.with_state((jnp.where(lost[:, None], jnp.nan, x), mu.logw))
