"""Resetting flows: exact moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_problems import COV2, ORIGIN, half_square, ornstein_uhlenbeck, quadratic

from wflow.energies import (
    Entropy,
    Functional,
    Potential,
)
from wflow.flows import (
    Exponential,
    GradientFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.geometries import (
    Euclidean,
    Wasserstein,
)
from wflow.measures import (
    Gaussian,
    Particles,
    Point,
)
from wflow.regression import PoissonMomentFlow
from wflow.solvers import solve


def test_poisson_resetting_moments():
    # Stationary mean and covariance: printed to eight digits.
    flow = PoissonMomentFlow(ornstein_uhlenbeck(), 1 / 1.5, ORIGIN)
    moved = solve(flow, Gaussian(ORIGIN, COV2), 0.0, 40.0)[-1]
    np.testing.assert_allclose(moved.mean, [0.53150242, -0.4733441], atol=1e-7)
    np.testing.assert_allclose(
        moved.cov,
        [[0.11945308, -0.15348762], [-0.15348762, 0.53560306]],
        atol=1e-7,
    )


RNG = np.random.default_rng(0)
DESIGN, RESPONSE = RNG.normal(size=(20, 6)), RNG.normal(size=20)


@jax.jit
def mean_rates(rate, means):
    """Rates of the mean of a linear regression that is reset to zero."""
    loss = Functional(
        lambda mu, t: mu.integrate(
            lambda theta: jnp.sum((RESPONSE - DESIGN @ theta) ** 2) / 2
        )
    )
    flow = PoissonMomentFlow(GradientFlow(loss, Wasserstein()), rate, jnp.zeros(6))
    return jax.vmap(lambda mean: flow.velocity(Gaussian(mean, jnp.eye(6)))[0])(means)


@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3])
def test_poisson_resetting_is_ridge(rate):
    # The moment flow is at rest in the mean exactly at the ridge solution. Its rate is
    # affine in the mean: seven of them give it.
    offset, *rows = np.asarray(mean_rates(rate, np.vstack([np.zeros(6), np.eye(6)])))
    stationary = -np.linalg.solve(np.stack(rows, 1) - offset[:, None], offset)
    ridge = np.linalg.solve(DESIGN.T @ DESIGN + rate * np.eye(6), DESIGN.T @ RESPONSE)
    np.testing.assert_allclose(stationary, ridge, rtol=1e-10)


@pytest.mark.slow
def test_poisson_resetting_at_finite_times():
    # Simulated resets against the moment equations at several times, z-scores below 4;
    # the exact ages of lone particles, and the splitting that an energy needs which
    # depends on time.
    n, rate = 4000, 1.0
    times = jnp.array([0.3, 0.8, 2.0])
    inner = GradientFlow(Potential(quadratic), Wasserstein())
    exact = solve(
        PoissonMomentFlow(inner, rate, ORIGIN),
        Gaussian(jnp.array([1.5, -1.0]), 1e-12 * jnp.eye(2)),
        0.0,
        2.0,
        times=times,
    )
    start = Particles.from_samples(jnp.tile(jnp.array([1.5, -1.0]), (n, 1)))
    flow = ResettingFlow(inner, Exponential(rate), ORIGIN)
    ages = solve(flow, start, 0.0, 2.0, times=times, key=jax.random.key(0))
    timed = Potential(lambda x, t: quadratic(x) * (1 + 0.0 * t), with_time=True)
    split = ResettingFlow(GradientFlow(timed, Wasserstein()), Exponential(rate), ORIGIN)
    few = Particles.from_samples(start.x[:1000])
    assert flow.exact(start)
    assert not split.exact(few)
    segments = solve(
        split,
        few,
        0.0,
        2.0,
        times=times,
        dt0=0.05,
        key=jax.random.key(1),
    )
    for solution, size in ((ages, n), (segments, 1000)):
        for k in range(3):
            error = np.mean(solution.measures.x[k], 0) - exact.measures.mean[k]
            z = error / np.sqrt(np.diagonal(exact.measures.cov[k]) / size)
            assert np.max(np.abs(z)) < 4


@pytest.mark.slow
def test_resetting_a_noisy_flow():
    # Ornstein-Uhlenbeck with resets: both parts of the covariance.
    n, rate, tau = 4000, 0.8, 0.3
    exact = solve(
        PoissonMomentFlow(
            GradientFlow(Potential(half_square) + Entropy(tau), Wasserstein()),
            rate,
            jnp.ones(1),
        ),
        Gaussian([1.0], [[1e-12]]),
        0.0,
        2.0,
    )[-1]
    flow = ResettingFlow(
        LangevinFlow(Potential(half_square), tau), Exponential(rate), jnp.ones(1)
    )
    moved = solve(
        flow,
        Particles.from_samples(jnp.ones((n, 1))),
        0.0,
        2.0,
        dt0=0.05,
        key=jax.random.key(0),
    )[-1]
    sd = float(exact.cov[0, 0]) ** 0.5
    assert abs(moved.mean[0] - exact.mean[0]) < 5 * sd / n**0.5
    # The law is not Gaussian: a loose bound on its fourth moment.
    assert abs(moved.cov[0, 0] / exact.cov[0, 0] - 1) < 5 * (3 / n) ** 0.5


@pytest.mark.slow
def test_resetting_a_point():
    # One clock for all parameters: they are reset together or not at all.
    start = Point({"a": jnp.ones(2), "b": jnp.full((), 3.0)})
    still = GradientFlow(
        Potential(lambda p: 0.0 * jnp.sum(p["a"]) * p["b"]), Euclidean()
    )
    origin = {"a": jnp.zeros(2), "b": jnp.zeros(())}
    flow = ResettingFlow(still, Exponential(1.0), origin)
    keys = jax.random.split(jax.random.key(0), 200)
    end = lambda key: solve(flow, start, 0.0, 1.0, key=key)[-1].value
    ends = jax.jit(jax.vmap(end))(keys)
    together = np.isclose(ends["a"][:, 0], 0) == np.isclose(ends["b"], 0)
    assert together.all()
    share = np.mean(np.isclose(ends["b"], 0))
    assert abs(share - (1 - np.exp(-1))) < 5 * (0.25 / 200) ** 0.5
