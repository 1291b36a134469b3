"""Noise and births and deaths: exact laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_problems import GaussianLogDensity, half_square, shk_closed_form

from wflow.energies import (
    GaussianClosure,
    KLDivergence,
    Potential,
)
from wflow.flows import (
    BirthDeathFlow,
    GradientFlow,
    LangevinFlow,
)
from wflow.geometries import (
    Wasserstein,
)
from wflow.measures import (
    Gaussian,
    Particles,
    Phase,
)
from wflow.solvers import solve


@pytest.mark.slow
def test_langevin_matches_the_gaussian_flow():
    # Two measures, one law: KL hands its entropy over as noise on particles.
    target = GaussianLogDensity(jnp.array([1.0]), jnp.array([[2.0]]))
    kl, n, t = KLDivergence(target), 4000, 0.6
    exact = solve(GradientFlow(kl, Wasserstein()), Gaussian([0.0], [[0.2]]), 0.0, t)[-1]
    x0 = np.sqrt(0.2) * np.random.default_rng(0).normal(size=(n, 1))
    start = Particles.from_samples(x0)
    moved = solve(LangevinFlow(kl), start, 0.0, t, dt0=0.03, key=jax.random.key(0))[-1]
    # Five standard errors of a mean and of a variance.
    sd = float(exact.cov[0, 0]) ** 0.5
    assert abs(moved.mean[0] - exact.mean[0]) < 5 * sd / n**0.5
    assert abs(moved.cov[0, 0] / exact.cov[0, 0] - 1) < 5 * (2 / n) ** 0.5


def test_underdamped_langevin_is_stationary():
    # exp(-V/tau - v^2/2tau) stays; variances tau/k and tau, by five standard errors.
    n, tau, k = 4000, 0.5, 2.0
    rng = np.random.default_rng(0)
    start = Phase(
        Particles.from_samples(rng.normal(size=(n, 1)) * (tau / k) ** 0.5),
        jnp.asarray(rng.normal(size=(n, 1)) * tau**0.5),
    )
    flow = LangevinFlow(k * Potential(half_square), tau, friction=1.5)
    moved = solve(flow, start, 0.0, 3.0, dt0=0.1, key=jax.random.key(1))[-1]
    bound = 5 * (2 / n) ** 0.5
    assert abs(jnp.var(moved.measure.x) / (tau / k) - 1) < bound
    assert abs(jnp.var(moved.velocity) / tau - 1) < bound
    assert abs(jnp.mean(moved.measure.x * moved.velocity)) < 5 * tau / k**0.5 / n**0.5


def test_birth_death_follows_fisher_rao():
    # Against the closed form of the reaction, with jumps alone.
    target = GaussianLogDensity(jnp.zeros(1), jnp.ones((1, 1)))
    kl = KLDivergence(target, GaussianClosure())
    variance, factor = shk_closed_form(1.0, 0.25, 0.0, 1.0, 0.5)
    n = 4000
    x0 = 1 + 0.5 * np.random.default_rng(0).normal(size=(n, 1))
    flow = BirthDeathFlow(kl, 1.0)
    moved = solve(
        flow, Particles.from_samples(x0), 0.0, 0.5, dt0=0.02, key=jax.random.key(0)
    )[-1]
    # Copies double a particle's share of the sampling error: ten standard errors.
    assert abs(moved.mean[0] - factor) < 10 * variance**0.5 / n**0.5
    assert abs(moved.cov[0, 0] / variance - 1) < 10 * (2 / n) ** 0.5
    assert set(np.asarray(moved.x).ravel()) <= set(x0.ravel())
