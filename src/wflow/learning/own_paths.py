"""Paths that a law itself takes between the points of a pair."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.flows import AbstractContinuousFlow
from wflow.measures import Particles, Phase
from wflow.solvers.fixed_step import fixed_step

from .matching_paths import Coupled, Moment


# Heun's steps before the time that is looked at, and after it.
_STEPS = 2


def own_path(
    flow: AbstractContinuousFlow,
    coupled: Coupled,
    start: Float[Array, ""],
    s: Float[Array, ""],
    kinetic: bool,
    grows: bool,
) -> Moment:
    r"""A path by the law itself, corrected so that it meets the next snapshot.

    $x_s = \phi_s(x_0) + s\,(x_1 - \phi_1(x_0))$ at the share ``s`` of an interval.

    $\phi$ is the flow from ``start`` on: the pairs go where it takes them, and what is
    missing at the end of the interval is added at even pace, to log-masses alike. On a
    ``Phase`` the missing place and velocity come in by the cubic that begins at rest.
    Where the flow takes every point to its partner its own rate is what is met: unlike
    a path through the snapshots alone this one has no error of interpolation.
    """
    x0, x1, v0, v1, m0, m1, h = coupled
    logm0, count = jnp.log(m0), jnp.log(jnp.asarray(len(x0), x0.dtype))
    law = Particles(x0, logm0 - count)
    mu = Phase(law, v0) if kinetic else law

    def step(
        carry: tuple[Particles | Phase, Array], length: Array
    ) -> tuple[tuple[Particles | Phase, Array], Particles | Phase]:
        mu, t = carry
        mu = fixed_step(flow, mu, t, length)
        return (mu, t + length), mu

    # A loop: the flow is compiled into it once.
    lengths = jnp.repeat(jnp.stack([s, 1 - s]) * h / _STEPS, _STEPS)
    (end, _), states = jax.lax.scan(step, (mu, start), lengths)
    there = jax.tree.map(lambda leaf: leaf[_STEPS - 1], states)
    rate = flow.velocity(there, start + s * h)
    (x, v, logm), (x_end, v_end, logm_end) = _parts(there), _parts(end)
    missing = x1 - x_end
    if kinetic:
        (_, growth), a = rate
        late = h * (v1 - v_end)
        x = x + s**2 * ((3 - 2 * s) * missing - (1 - s) * late)
        v = v + s * (6 * (1 - s) * missing - (2 - 3 * s) * late) / h
        a = a + ((6 - 12 * s) * missing - (2 - 6 * s) * late) / h**2
    else:
        v, growth = rate
        x, v, a = x + s * missing, v + missing / h, jnp.zeros_like(x)
    if not grows:
        even = jnp.log(m1 / m0)
        return Moment(x, v, a, logm0 + s * even, even / h)
    missing_mass = jnp.log(m1) - count - logm_end
    return Moment(x, v, a, logm + count + s * missing_mass, growth + missing_mass / h)


def _parts(mu: Particles | Phase) -> tuple[Array, Array, Array]:
    """Places, velocities (zero where there are none) and log-weights."""
    if isinstance(mu, Phase):
        return mu.measure.x, mu.velocity, mu.measure.logw
    return mu.x, jnp.zeros_like(mu.x), mu.logw
