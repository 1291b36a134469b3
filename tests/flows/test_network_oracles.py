"""Networks as particles: their moment equation and fluctuations."""

import jax.numpy as jnp
import numpy as np
import pytest
from flow_problems import velocity

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
from wflow.solvers import solve


TEACHER = jnp.diag(jnp.array([1.0, 0.0, 0.0, 0.0]))


def second_moment(mu):
    return mu.integrate(lambda w: jnp.outer(w, w))


def inner_product(b, c):
    return 2 * jnp.trace(b @ c) + jnp.trace(b) * jnp.trace(c)


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
    at = {"times": np.array([1.0, 10.0])}
    moved = solve(flow, neurons, 0.0, 10.0, **at).measures
    m0 = np.asarray(neurons.x).T @ np.asarray(neurons.x) / 16
    closed = solve(flow, Gaussian(jnp.zeros(4), m0), 0.0, 10.0, **at).measures
    moments = np.einsum("tni,tnj->tij", moved.x, moved.x) / 16
    np.testing.assert_allclose(moments, closed.cov, atol=1e-6)


def test_network_fluctuation_identity():
    rng = np.random.default_rng(1)
    flow = GradientFlow(QUADRATIC_NETWORK, Wasserstein())
    neurons = Particles.from_samples(rng.normal(size=(16, 4)) / 2)
    limit = Gaussian(jnp.zeros(4), jnp.eye(4) / 4)

    def inner(b, c):
        return 2 * np.trace(b @ c) + np.trace(b) * np.trace(c)

    def tangent(moment, b):
        shifted = 2 * b + np.trace(b) * np.eye(4)
        return 2 * (moment @ shifted + shifted @ moment)

    x, dx = np.asarray(neurons.x), np.asarray(velocity(flow, neurons)[0])
    half = dx.T @ x / 16
    rate = half + half.T - np.asarray(velocity(flow, limit)[1])
    m, m_limit = x.T @ x / 16, np.asarray(limit.cov)
    delta, error = m - m_limit, m_limit - np.asarray(TEACHER)
    total = (
        inner(delta, rate)
        + inner(delta, tangent(m, delta))
        + inner(delta, tangent(m, error) - tangent(m_limit, error))
    )
    np.testing.assert_allclose(total, 0, atol=1e-12)
