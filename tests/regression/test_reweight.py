"""One trajectory for all laws, and four ways to one mean."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import (
    Exponential,
    GradientFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.geometries import Euclidean, Wasserstein
from wflow.measures import Gaussian, Particles, Point, UnsupportedMeasureError
from wflow.regression import (
    Deterministic,
    Gamma,
    KnownResets,
    Lomax,
    PoissonMomentFlow,
    Weibull,
)
from wflow.regression.moments import stationary_moments
from wflow.regression.resets import drawn_resets, found_resets
from wflow.regression.reweight import age_trajectory
from wflow.solvers import solve


CURVATURE = jnp.array([[2.0, 0.6], [0.6, 0.5]])
LINEAR = jnp.array([1.0, -0.5])
ORIGIN = jnp.array([0.2, 0.4])
QUADRATIC = Potential(lambda x: x @ CURVATURE @ x / 2 - LINEAR @ x)
INNER = GradientFlow(QUADRATIC, Euclidean())
LAWS = [
    Gamma(1.5, 2.0),
    Deterministic(1.5),
    Weibull(1.5, 0.7),
]


@pytest.fixture(scope="module")
def trajectory():
    """From the origin for a hundred of its slowest times."""
    tight = diffrax.PIDController(1e-11, 1e-13)
    return age_trajectory(
        INNER, Point(ORIGIN), 200.0, panels=20, stepsize_controller=tight
    )


@eqx.filter_jit
def average(trajectory, law):
    """Mean and second moment: a function of the state."""
    return trajectory.average(law, lambda mu: (mu.value, jnp.outer(mu.value, mu.value)))


@pytest.mark.slow
def test_one_trajectory_for_all_laws(trajectory):
    # The interpolation and the quadrature are exact to the tolerance of the solve; the
    # second moment has the spread of the timing.
    for law in LAWS:
        exact = stationary_moments(law, CURVATURE, LINEAR, ORIGIN)
        mean, second = average(trajectory, law)
        np.testing.assert_allclose(mean, exact.mean, atol=1e-8)
        np.testing.assert_allclose(second - jnp.outer(mean, mean), exact.cov, atol=1e-8)


@pytest.mark.slow
def test_it_stays_where_it_ends(trajectory):
    np.testing.assert_allclose(
        trajectory.at([0.0, 1e9]),
        [ORIGIN, jnp.linalg.solve(CURVATURE, LINEAR)],
        atol=1e-9,
    )


@pytest.mark.slow
def test_gradient_in_the_law(trajectory):
    # Through the quadrature, kink included, and by the exact moments.
    @jax.jit
    @jax.value_and_grad
    def exact(tau):
        law = Deterministic(tau)
        return jnp.sum(stationary_moments(law, CURVATURE, LINEAR, ORIGIN).mean)

    slope = jax.grad(lambda tau: jnp.sum(trajectory.average(Deterministic(tau))))(1.5)
    difference = (exact(1.5 + 1e-5)[0] - exact(1.5 - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose([slope, exact(1.5)[1]], difference, rtol=1e-5)


@pytest.mark.slow
def test_four_ways_to_the_mean(trajectory):
    # Of Poisson resets, long after the start: events along the motion, resets drawn
    # before it, ages drawn alone, and the average without any draw (above, to 1e-8);
    # on the way there also the mean at finite times.
    law, n, t = Exponential(1.0), 300, 8.0
    stationary = stationary_moments(law, CURVATURE, LINEAR, ORIGIN)
    ages = trajectory.sample(law, jax.random.key(0), 4000)
    start, flow = Point(jnp.array([1.5, -1.0])), ResettingFlow(INNER, law, ORIGIN)
    times = jnp.array([0.7, t])
    exact = solve(
        PoissonMomentFlow(GradientFlow(QUADRATIC, Wasserstein()), 1.0, ORIGIN),
        Gaussian(start.value, 1e-12 * jnp.eye(2)),
        0.0,
        t,
        times=times,
    )

    @jax.jit
    @jax.vmap
    def epochs(key):
        found = found_resets(flow, start, 0.0, t, key=key, max_resets=30)
        return found.epochs, found.complete

    by_event, complete = epochs(jax.random.split(jax.random.key(1), n))
    assert complete.all()
    drawn = drawn_resets(law, 0.0, t, key=jax.random.key(2), shape=(n,))
    cloud = Particles.from_samples(jnp.tile(start.value, (n, 1)))
    moving = GradientFlow(QUADRATIC, Wasserstein())

    def z(x, mean, cov):
        return jnp.max(jnp.abs((x.mean(0) - mean) / jnp.sqrt(jnp.diag(cov) / len(x))))

    assert z(ages, stationary.mean, stationary.cov) < 4
    for times_of_resets in (by_event, drawn.epochs):
        known = ResettingFlow(moving, KnownResets(times_of_resets), ORIGIN)
        moved = solve(known, cloud, 0.0, t, times=times, key=jax.random.key(0))
        for k in range(2):
            assert z(moved.measures.x[k], exact[k].mean, exact[k].cov) < 4


@pytest.mark.slow
def test_resets_that_depend_on_the_state():
    # x' = -x from 1. The hazard is c + d x + 2 e a: constant, falling with the state
    # (for ever with chance e^{-d}, never again), growing with the age.
    flow = ResettingFlow(
        GradientFlow(Potential(lambda x: x**2 / 2), Euclidean()),
        Exponential(1.0),
        jnp.ones(()),
    )
    n, t = 400, 6.0

    @jax.jit
    @jax.vmap
    def first(key, c, d, e):
        found = found_resets(
            flow,
            Point(jnp.ones(())),
            0.0,
            t,
            key=key,
            max_resets=2,
            hazard=lambda x, a: c + d * x + 2 * e * a,
        )
        return found.epochs[0], found.before[0]

    kinds = jnp.repeat(jnp.eye(3), n, axis=0)
    epochs, before = first(jax.random.split(jax.random.key(0), 3 * n), *kinds.T)
    rang = jnp.isfinite(epochs)
    np.testing.assert_allclose(before[rang], jnp.exp(-epochs[rang]), rtol=1e-5)
    constant, state, age = epochs.reshape(3, n)
    for sample, survival in (
        (constant, lambda a: jnp.exp(-a)),
        (state, lambda a: jnp.exp(jnp.expm1(-a))),
        (age, lambda a: jnp.exp(-(a**2))),
    ):
        for a in (0.3, 1.0, 5.9):
            expected = survival(a)
            share = jnp.mean(sample > a)
            spread = jnp.sqrt(expected * (1 - expected) / n)
            assert abs(share - expected) < 4 * spread + 1 / n


@pytest.mark.slow
def test_drawn_resets():
    drawn = drawn_resets(Gamma(0.5, 2.0), 1.0, 4.0, key=jax.random.key(0), shape=(500,))
    inside = jnp.isfinite(drawn.epochs)
    assert jnp.all(~inside | ((drawn.epochs > 1) & (drawn.epochs <= 4)))
    # Erlang's renewal function: t / tau - (1 - e^{-4 t / tau}) / 4, and its variance
    # is below t / tau.
    count = inside.sum(1)
    assert abs(count.mean() - 5.75) < 4 * (6 / 500) ** 0.5
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="max_resets = 3 resets do not reach"):
        drawn_resets(Gamma(0.5, 2.0), 0.0, 4.0, key=key, max_resets=3)
    with pytest.raises(ValueError, match="finite variance.*give max_resets"):
        drawn_resets(Lomax(1.0, 1.5), 0.0, 4.0, key=key)


@pytest.mark.slow
def test_refusals(trajectory):
    noisy = LangevinFlow(QUADRATIC, 1.0)
    cloud = Particles.from_samples(jnp.ones((2, 2)))
    with pytest.raises(ValueError, match="flow without noise, found LangevinFlow"):
        age_trajectory(noisy, cloud, 1.0)
    with pytest.raises(ValueError, match="horizon > 0, found -1"):
        age_trajectory(INNER, Point(ORIGIN), -1.0)
    with pytest.raises(ValueError, match="panels >= 2"):
        age_trajectory(INNER, Point(ORIGIN), 1.0, panels=1)
    key = jax.random.key(0)
    flow = ResettingFlow(INNER, KnownResets([1.0]), ORIGIN)
    with pytest.raises(UnsupportedMeasureError, match="Point, where events"):
        found_resets(flow, cloud, 0.0, 1.0, key=key, max_resets=2)
    with pytest.raises(ValueError, match="a hazard or a renewal law, found neither"):
        found_resets(flow, Point(ORIGIN), 0.0, 1.0, key=key, max_resets=2)
