"""Networks as particles: their moment equation and fluctuations."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import (
    Functional,
)
from wflow.flows import (
    GradientFlow,
)
from wflow.geometries import (
    Wasserstein,
)
from wflow.measures import (
    Gaussian,
    Particles,
)
from wflow.solve import solve


TEACHER = jnp.diag(jnp.array([1.0, 0.0, 0.0, 0.0]))


def second_moment(mu):
    return mu.integrate(lambda w: jnp.outer(w, w))


def inner_product(b, c):
    return 2 * jnp.trace(b @ c) + jnp.trace(b) * jnp.trace(c)


def shifted(b):
    return 2 * b + jnp.trace(b) * jnp.eye(4)


# Half the squared error of x -> E (w.x)^2 against x^T M* x, x standard normal.
QUADRATIC_NETWORK = Functional(
    lambda mu, t: (
        inner_product(second_moment(mu) - TEACHER, second_moment(mu) - TEACHER) / 2
    )
)


@pytest.mark.slow
def test_network_follows_its_moment_equation():
    # The second moment of the neurons obeys a closed equation, at every width; the
    # Gaussian measure carries it too.
    rng = np.random.default_rng(0)
    flow = GradientFlow(QUADRATIC_NETWORK, Wasserstein())
    neurons = Particles.from_samples(rng.normal(size=(16, 4)) / 2)
    at = {"times": jnp.array([1.0, 100.0])}
    moved = solve(flow, neurons, 0.0, 100.0, **at)
    m0 = second_moment(neurons)
    closed = solve(flow, Gaussian(jnp.zeros(4), m0), 0.0, 100.0, **at)
    for k in range(2):
        gap = second_moment(moved[k]) - closed[k].cov
        assert jnp.max(jnp.abs(gap)) < 1e-6


@pytest.mark.slow
def test_network_fluctuation_identity():
    rng = np.random.default_rng(1)
    flow = GradientFlow(QUADRATIC_NETWORK, Wasserstein())
    neurons = Particles.from_samples(rng.normal(size=(16, 4)) / 2)
    limit = Gaussian(jnp.zeros(4), jnp.eye(4) / 4)

    def tangent(moment, b):
        return 2 * (moment @ shifted(b) + shifted(b) @ moment)

    dx, _ = flow.velocity(neurons)
    half = jnp.einsum("ni,nj->ij", dx, neurons.x) / 16
    rate = half + half.T - flow.velocity(limit)[1]
    m, m_limit = second_moment(neurons), limit.cov
    delta, error = m - m_limit, m_limit - TEACHER
    total = (
        inner_product(delta, rate)
        + inner_product(delta, tangent(m, delta))
        + inner_product(delta, tangent(m, error) - tangent(m_limit, error))
    )
    np.testing.assert_allclose(total, 0, atol=1e-12)
