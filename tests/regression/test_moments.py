"""Exact stationary moments under resetting, and their law by simulation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Entropy, Potential
from wflow.flows import (
    Exponential,
    GradientFlow,
)
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian
from wflow.regression import (
    Deterministic,
    Gamma,
    HyperExponential,
    Lomax,
    PoissonMomentFlow,
)
from wflow.regression.moments import stationary_moments
from wflow.solvers import solve


CURVATURE = jnp.array([[2.0, 0.6], [0.6, 0.5]])
LINEAR = jnp.array([1.0, -0.5])
DIFFUSION = jnp.array([[0.3, 0.1], [0.1, 0.2]])
ORIGIN = jnp.array([0.2, 0.4])
TAU = 1.5


@eqx.filter_jit
def moments(law, a, b, origin, noise=0.0, **options):
    """Compiled once for a law and a size."""
    noise = jnp.broadcast_to(jnp.asarray(noise, a.dtype), a.shape)
    return stationary_moments(law, a, b, origin, noise=noise, **options)


def regression(seed, n, p):
    rng = np.random.default_rng(seed)
    design, response = rng.normal(size=(n, p)), rng.normal(size=n)
    return design.T @ design, design.T @ response


@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3])
def test_poisson_resetting_is_ridge(rate):
    a, b = regression(0, 20, 5)
    origin = np.random.default_rng(1).normal(size=5)
    for o in (np.zeros(5), origin):
        ridge = np.linalg.solve(a + rate * np.eye(5), b + rate * o)
        found = moments(Exponential(rate), a, b, o).mean
        np.testing.assert_allclose(found, ridge, rtol=1e-10)


def test_a_preconditioner_turns_the_penalty():
    a, b = regression(0, 20, 5)
    p, _ = regression(2, 9, 5)
    rate, origin, noise = 0.7, np.arange(5) / 5, np.eye(5)
    found = moments(Exponential(rate), a, b, origin, noise=noise, preconditioner=p)
    penalty = rate * np.linalg.inv(p)
    ridge = np.linalg.solve(a + penalty, b + penalty @ origin)
    np.testing.assert_allclose(found.mean, ridge, rtol=1e-10)
    # The equation of Lyapunov, with the curvature P A that is not symmetric.
    drift = p @ a + rate / 2 * np.eye(5)
    away = found.mean - origin
    left = drift @ found.cov + found.cov @ drift.T
    right = noise + rate * np.outer(away, away)
    np.testing.assert_allclose(left, right, atol=1e-10 * np.abs(drift).max())


def test_moments_of_ornstein_uhlenbeck():
    for law, mean, cov in (
        (
            Gamma(TAU, 2.0),
            [0.47854681, -0.32491657],
            [[0.09871877, -0.09737095], [-0.09737095, 0.37567824]],
        ),
        (
            Exponential(1 / TAU),
            [0.53150242, -0.4733441],
            [[0.11945308, -0.15348762], [-0.15348762, 0.53560306]],
        ),
    ):
        found = moments(law, CURVATURE, LINEAR, ORIGIN, DIFFUSION)
        np.testing.assert_allclose(found.mean, mean, atol=1e-7)
        np.testing.assert_allclose(found.cov, cov, atol=1e-7)
        still = moments(law, CURVATURE, LINEAR, ORIGIN, 0 * DIFFUSION)
        np.testing.assert_allclose(still.cov, found.timing_cov, rtol=1e-12)
        np.testing.assert_array_equal(still.noise_cov, 0)


@pytest.mark.parametrize("seed", range(3))
def test_lyapunov(seed):
    rng = np.random.default_rng(seed)
    a, b = regression(seed, 8, 5)
    root = rng.normal(size=(5, 3))
    noise, origin, rate = root @ root.T, rng.normal(size=5), 0.6
    found = moments(Exponential(rate), a, b, origin, noise)
    drift = a + rate / 2 * np.eye(5)
    away = found.mean - origin
    residual = drift @ found.cov + found.cov @ drift
    residual -= noise + rate * np.outer(away, away)
    assert np.abs(residual).max() < 1e-12 * np.abs(drift).max()


def test_mixtures_of_ridges():
    # A hyperexponential law mixes ridge regressions by the shares of its time.
    a, b = regression(3, 12, 5)
    law = HyperExponential([0.9, 0.1], [1.8, 0.2])
    ridges = [np.linalg.solve(a + r * np.eye(5), b) for r in (1.8, 0.2)]
    expected = law.age_weights @ np.stack(ridges)
    found = moments(law, a, b, np.zeros(5)).mean
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.slow
def test_flat_directions():
    # More columns than rows: they stay at the origin, and noise there grows as the
    # mean age, finite or not.
    a, b = regression(4, 3, 5)
    origin = np.arange(5.0)
    flat = np.linalg.svd(a)[0][:, 3:]
    law = Gamma(TAU, 0.5)
    found = moments(law, a, b, origin, np.eye(5))
    np.testing.assert_allclose(flat.T @ found.mean, flat.T @ origin, atol=1e-10)
    assert np.isfinite(found.cov).all()
    shaken = flat.T @ found.noise_cov @ flat
    np.testing.assert_allclose(shaken, law.mean_age * np.eye(2), atol=1e-8)
    heavy = moments(Lomax(1.0, 1.5), a, b, origin)
    assert np.isfinite(heavy.mean).all()
    assert np.isfinite(heavy.cov).all()
    # All flat: nothing moves.
    still = moments(law, np.zeros((5, 5)), np.zeros(5), origin, np.eye(5))
    np.testing.assert_array_equal(still.mean, origin)


def test_random_origins():
    # By the law of total covariance, against an average over the origins: at a fixed
    # age they are remembered by e^{-a A}, and two origins of equal weight have a
    # covariance of rank one.
    law, shift = Gamma(TAU, 2.0), jnp.array([0.5, -0.2])
    found = moments(law, CURVATURE, LINEAR, ORIGIN, origin_cov=jnp.outer(shift, shift))
    pair = [moments(law, CURVATURE, LINEAR, ORIGIN + side * shift) for side in (1, -1)]
    second = sum(m.cov + jnp.outer(m.mean, m.mean) for m in pair) / 2
    np.testing.assert_allclose(found.mean, (pair[0].mean + pair[1].mean) / 2)
    np.testing.assert_allclose(
        found.cov, second - jnp.outer(found.mean, found.mean), atol=1e-12
    )


@pytest.mark.slow
def test_finite_times():
    # Exact transitions over drawn ages against the moment equations, whose limit is
    # the stationary law. The bound is five standard errors of each entry.
    n, t, rate = 40_000, 1.2, 1 / TAU
    quadratic = Potential(lambda x: x @ CURVATURE @ x / 2 - LINEAR @ x)
    inner = GradientFlow(quadratic, Wasserstein()) + GradientFlow(
        Entropy(0.5), Wasserstein(DIFFUSION)
    )
    flow = PoissonMomentFlow(inner, rate, ORIGIN)
    path = solve(flow, Gaussian(ORIGIN, 1e-12 * jnp.eye(2)), 0.0, 40.0, times=[t, 40.0])
    law = Exponential(rate)
    last = law.last_resets(jax.random.key(0), jnp.array([0.0, t]), (n,))[0]
    age = t - jnp.maximum(last, 0)
    mu, basis = jnp.linalg.eigh(CURVATURE)
    delta = basis.T @ (jnp.linalg.solve(CURVATURE, LINEAR) - ORIGIN)
    pairs = mu[:, None] + mu
    noise = basis.T @ DIFFUSION @ basis
    cov = noise * -jnp.expm1(-pairs * age[:, None, None]) / pairs
    shaken = jnp.linalg.cholesky(cov + 1e-15 * jnp.eye(2))
    draws = jax.random.normal(jax.random.key(1), (n, 2, 1))
    x = -jnp.expm1(-mu * age[:, None]) * delta + (shaken @ draws)[..., 0]
    x = ORIGIN + x @ basis.T
    exact = path[0]
    z = (x.mean(0) - exact.mean) / (x.std(0) / n**0.5)
    assert jnp.max(jnp.abs(z)) < 4
    centered = x - exact.mean
    products = centered[:, :, None] * centered[:, None, :]
    error = products.std(0) / n**0.5
    assert jnp.max(jnp.abs(products.mean(0) - exact.cov) / error) < 5
    found = moments(law, CURVATURE, LINEAR, ORIGIN, DIFFUSION)
    np.testing.assert_allclose(path[1].mean, found.mean, atol=1e-7)
    np.testing.assert_allclose(path[1].cov, found.cov, atol=1e-6)


@pytest.mark.slow
def test_gradients_vmap_and_float32():
    weight = jnp.array([[0.3, -1.0], [0.4, 0.7]])

    def functional(tau, shape, linear):
        found = stationary_moments(
            Gamma(tau, shape), CURVATURE, linear, ORIGIN, noise=DIFFUSION
        )
        return jnp.sum(found.mean) + jnp.sum(weight * found.cov)

    both = jax.jit(jax.value_and_grad(functional, argnums=(0, 1, 2)))
    point = [jnp.asarray(TAU), jnp.asarray(2.0), LINEAR]
    gradient = both(*point)[1]
    for k in range(3):
        moved = [
            both(*(p + s if j == k else p for j, p in enumerate(point)))[0]
            for s in (1e-5, -1e-5)
        ]
        slope = (moved[0] - moved[1]) / 2e-5
        np.testing.assert_allclose(jnp.sum(gradient[k]), slope, rtol=1e-5)
    taus = jnp.array([0.5, TAU])
    swept = jax.vmap(lambda tau: both(tau, *point[1:])[0])(taus)
    np.testing.assert_allclose(swept[1], both(*point)[0], rtol=1e-12)
    narrow = [jnp.asarray(p, jnp.float32) for p in point]
    found = moments(
        Gamma(*narrow[:2]),
        CURVATURE.astype(jnp.float32),
        narrow[2],
        2 * ORIGIN.astype(jnp.float32),
    )
    assert found.cov.dtype == jnp.float32
    wide = moments(Gamma(*point[:2]), CURVATURE, LINEAR, 2 * ORIGIN)
    np.testing.assert_allclose(found.cov, wide.cov, atol=1e-6)


GOOD = {"curvature": np.eye(2), "linear": np.ones(2), "origin": np.zeros(2)}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"curvature": [[1.0, 0.5], [0.0, 1.0]]}, "curvature to be symmetric, found"),
        ({"curvature": np.diag([1.0, -1e-3])}, "curvature must be PSD.*eigenvalue -0"),
        ({"curvature": np.diag([1.0, 0.0])}, "linear in the range of the curvature"),
        ({"curvature": np.eye(3)}, r"curvature of shape \(2, 2\), found shape \(3"),
        ({"linear": [1.0, np.nan]}, "linear finite, found nan"),
        ({"origin": np.zeros(3)}, r"origin of shape \(2,\), found shape \(3,\)"),
        ({"noise": np.diag([1.0, -1.0])}, "noise to be positive semidefinite"),
        (
            {"preconditioner": np.zeros((2, 2))},
            "preconditioner to be positive definite",
        ),
    ],
)
def test_refusals(bad, message):
    with pytest.raises(ValueError, match=message):
        stationary_moments(Deterministic(1.0), **{**GOOD, **bad})
    # A negative eigenvalue of rounding is none.
    tiny = np.diag([1.0, -1e-12])
    found = stationary_moments(Deterministic(1.0), tiny, [1.0, 0.0], np.zeros(2))
    assert found.mean[1] == 0
