"""Spherical Hellinger-Kantorovich flows of KL on Gaussians."""

import jax.numpy as jnp
import numpy as np
import pytest
from flow_problems import COV2, GaussianLogDensity, shk_closed_form, velocity
from scipy.linalg import expm

from wflow.energies import (
    GaussianClosure,
    KLDivergence,
)
from wflow.flows import (
    GradientFlow,
)
from wflow.geometries import (
    HellingerKantorovich,
)
from wflow.measures import (
    Gaussian,
    Grid,
    Particles,
)
from wflow.solvers import solve


def shk(alpha, beta, mean, cov, target_mean, target_cov, t):
    flow = GradientFlow(
        KLDivergence(
            GaussianLogDensity(
                jnp.asarray(target_mean), jnp.linalg.inv(jnp.asarray(target_cov))
            )
        ),
        HellingerKantorovich(alpha, beta),
    )
    return solve(flow, Gaussian(mean, cov), 0.0, t)[-1]


@pytest.mark.parametrize(
    ("alpha", "beta", "s", "c0", "variance", "factor"),
    [
        (1.0, 1.0, 0.7, 2.1, 0.70130975, 0.01061145),
        (0.3, 2.0, 0.5, 2.0, 0.50227050, 0.00419770),
        (1.0, 0.0, 1.3, 0.52, 1.24295107, 0.27044344),
        (0.0, 1.0, 1.3, 0.52, 1.02038791, 0.35847704),
    ],
)
def test_shk_scalar(alpha, beta, s, c0, variance, factor):
    # The printed numbers have eight digits; the solver's tolerance is 1e-7 relative.
    assert shk_closed_form(s, c0, alpha, beta, 1.7) == pytest.approx(
        (variance, factor), abs=1e-8
    )
    mu = shk(alpha, beta, [1.0], [[c0]], [0.0], [[s]], 1.7)
    np.testing.assert_allclose(mu.cov[0, 0], variance, atol=1e-7)
    np.testing.assert_allclose(mu.mean[0], factor, atol=1e-7)


@pytest.mark.slow
def test_shk_matrix():
    # Against the matrix exponential of the Hamiltonian of the Riccati equation.
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 3))
    target, start = a @ a.T + np.eye(3), b @ b.T + np.eye(3)
    mean, center, alpha, beta, t = rng.normal(size=3), rng.normal(size=3), 0.8, 1.2, 0.8
    precision = np.linalg.inv(target)
    top = -alpha * precision + beta / 2 * np.eye(3)
    h = np.block([[top, 2 * alpha * np.eye(3)], [beta * precision, -top.T]])
    x, y = np.split(expm(t * h) @ np.vstack([start, np.eye(3)]), 2)
    mu = shk(alpha, beta, mean, start, center, target, t)
    np.testing.assert_allclose(mu.cov, x @ np.linalg.inv(y), rtol=1e-6)
    np.testing.assert_allclose(
        mu.mean - center,
        np.exp(-beta * t / 2) * np.linalg.inv(y).T @ (mean - center),
        atol=1e-6,
    )


def test_shk_fixed_point():
    target = GaussianLogDensity(jnp.array([0.5, -1.0]), jnp.linalg.inv(COV2))
    geometry = HellingerKantorovich(1.0, 1.0)
    still = velocity(
        GradientFlow(KLDivergence(target), geometry), Gaussian(target.mean, COV2)
    )
    np.testing.assert_allclose(still[0], 0, atol=1e-12)
    np.testing.assert_allclose(still[1], 0, atol=1e-12)
    # Particles whitened to have exactly the target's moments do not move either.
    z = np.random.default_rng(0).normal(size=(50, 2))
    z = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T
    x = target.mean + z @ np.linalg.cholesky(COV2).T
    flow = GradientFlow(KLDivergence(target, GaussianClosure()), geometry)
    dx, dlogw = velocity(flow, Particles.from_samples(x))
    np.testing.assert_allclose(dx, 0, atol=1e-11)
    # The closure's first variation is the log-ratio of two equal Gaussians: constant.
    np.testing.assert_allclose(dlogw, 0, atol=1e-11)


@pytest.mark.slow
def test_shk_agrees_between_measures():
    # One declaration, three discretizations; the closed form is the judge.
    target = GaussianLogDensity(jnp.zeros(1), jnp.array([[1 / 0.7]]))
    geometry = HellingerKantorovich(0.6, 0.9)
    variance, factor = shk_closed_form(0.7, 0.3, 0.6, 0.9, 0.5)
    grid = Grid.from_log_density(
        lambda x: -jnp.sum((x - 1) ** 2) / 0.6, -4.0, 5.0, (180,)
    )
    on_grid = solve(GradientFlow(KLDivergence(target), geometry), grid, 0.0, 0.5)[-1]
    # Second order in the cell width 0.05.
    np.testing.assert_allclose(on_grid.mean[0], factor, rtol=2e-3)
    np.testing.assert_allclose(on_grid.cov[0, 0], variance, rtol=2e-3)
    np.testing.assert_allclose(on_grid.mass, 1, rtol=1e-12)
    # Particles with a Gaussian closure: exact up to the particles' own quadrature.
    q, w = np.polynomial.hermite_e.hermegauss(20)
    start = Particles.from_samples((1 + np.sqrt(0.3) * q)[:, None], weights=w / w.sum())
    flow = GradientFlow(KLDivergence(target, GaussianClosure()), geometry)
    moved = solve(flow, start, 0.0, 0.5)[-1]
    np.testing.assert_allclose(moved.mean[0], factor, rtol=1e-5)
    np.testing.assert_allclose(moved.cov[0, 0], variance, rtol=1e-5)
