"""Equal weights from unequal ones."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Int, PRNGKeyArray

from wflow import checks

from .particles import LOG_ZERO, Particles


_TRUTH = (bool, np.bool_, np.ndarray, jax.Array)


def systematic_ancestors(key: PRNGKeyArray, mu: Particles) -> Int[Array, " n"]:
    r"""Particle i is chosen $\lfloor n w_i \rfloor$ or $\lceil n w_i \rceil$ times.

    One uniform number serves all n draws, which are in order and each right in law.

    Raises:
        TypeError: ``mu`` is not Particles.
        ValueError: its weights are nan or all zero, where they are known, or some of
            its masses are ``signed``.

    Reference: Douc, Cappe, Moulines, ISPA 2005, section 2.4.
    """
    checks.instance("systematic_ancestors", "mu", mu, Particles, "Particles")
    mu.refuse_signed("systematic_ancestors")
    found = checks.known(mu.log_mass)
    if found is not None and not found > LOG_ZERO / 2:
        raise ValueError(
            "systematic_ancestors: expected mu with a mass > 0, found weights that are "
            "nan or all zero."
        )
    levels = jnp.cumsum(mu.normalized().w)
    u = jax.random.uniform(key, (), mu.dtype)
    ticks = (jnp.arange(mu.n, dtype=mu.dtype) + u) / mu.n
    # The last level is 1 but for rounding.
    return jnp.searchsorted(levels / levels[-1], ticks, side="right").clip(0, mu.n - 1)


def resampled(
    key: PRNGKeyArray, mu: Particles, when: Bool[ArrayLike, ""] = True
) -> Particles:
    """The same mass in equal weights, by systematic resampling; ``mu`` if not ``when``.

    Which particles are chosen carries no gradient.

    Raises:
        TypeError: ``mu`` is not Particles.
        ValueError: its weights are nan or all zero, where they are known, or some of
            its masses are ``signed``.
    """
    checks.instance("resampled", "mu", mu, Particles, "Particles")
    checks.instance("resampled", "when", when, _TRUTH, "True or False")
    checks.shape("resampled", "when", when, ())
    chosen = systematic_ancestors(key, jax.lax.stop_gradient(mu))
    equal = jnp.full_like(mu.logw, mu.log_mass - jnp.log(mu.n))
    state = jnp.where(when, mu.x[chosen], mu.x), jnp.where(when, equal, mu.logw)
    return mu.with_state(state)
