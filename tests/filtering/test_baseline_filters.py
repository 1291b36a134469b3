"""Every baseline against the law that it should find."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import (
    ETKF,
    LETKF,
    Components,
    Domain,
    EnKF,
    GaussianObservation,
    GridFilter,
    KalmanFilter,
    Linear,
    LocalEnKF,
    ParticleFilter,
    filter,
)
from wflow.filtering.distances import w1_of_line
from wflow.filtering.settings import bimodal, half_square, linear_gaussian
from wflow.measures import Gaussian, Grid, Particles


KEY = jax.random.key(0)
analyze = eqx.filter_jit(
    lambda method, mu, y, observation, key=KEY: method.analyze(mu, y, observation, key)
)


def problem(d, p, n, seed=0):
    """An ensemble and a linear observation with correlated errors."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 1
    root = rng.normal(size=(p, p))
    observation = GaussianObservation(
        Linear(rng.normal(size=(p, d))), root @ root.T + np.eye(p)
    )
    return Particles.from_samples(x), observation, np.arange(1.0, p + 1)


def moments(mu):
    """The Gaussian of a sample, with the unbiased covariance."""
    x = np.asarray(mu.x)
    return Gaussian(x.mean(0), np.cov(x.T))


@pytest.mark.parametrize(
    ("n", "p", "rotate"), [(30, 2, False), (5, 6, True)], ids=["p < n", "n < p"]
)
def test_etkf_is_the_kalman_update_of_its_moments(n, p, rotate):
    """Exactly, in both forms of the transform; to rounding of 5 x 5 algebra."""
    mu, observation, y = problem(4, p, n)
    exact = analyze(KalmanFilter(), moments(mu), y, observation)
    found = moments(analyze(ETKF(rotate=rotate), mu, y, observation))
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.cov, exact.cov, rtol=1e-9, atol=1e-9)


def test_etkf_takes_the_symmetric_root():
    """Of all roots the one nearest to the identity: against scipy's on 30 members."""
    from scipy.linalg import inv, sqrtm

    mu, observation, y = problem(4, 2, 30)
    x = np.asarray(mu.x)
    seen = x @ np.asarray(observation.operator.matrix).T
    dy = seen - seen.mean(0)
    gram = np.eye(30) + dy @ inv(np.asarray(observation.cov)) @ dy.T / 29
    expected = inv(sqrtm(gram)).real @ (x - x.mean(0))
    found = np.asarray(analyze(ETKF(), mu, y, observation).x)
    np.testing.assert_allclose(found - found.mean(0), expected, atol=1e-9)


def test_rotation_keeps_moments_and_moves_members():
    mu, observation, y = problem(4, 2, 30)
    plain, turned = (
        np.asarray(analyze(ETKF(rotate=rotate), mu, y, observation).x)
        for rotate in (False, True)
    )
    np.testing.assert_allclose(turned.mean(0), plain.mean(0), atol=1e-10)
    np.testing.assert_allclose(np.cov(turned.T), np.cov(plain.T), atol=1e-10)
    assert np.abs(turned - plain).max() > 0.1


def test_enkf_has_the_kalman_mean_exactly_and_the_covariance_in_the_limit():
    """Centered perturbations leave the mean to the gain alone.

    The covariance has an error of some n^(-1/2): 5 % are ten errors at n = 40,000.
    """
    mu, observation, y = problem(4, 2, 40_000)
    exact = analyze(KalmanFilter(), moments(mu), y, observation)
    found = moments(analyze(EnKF(), mu, y, observation))
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-8, atol=1e-8)
    scale = np.trace(exact.cov)
    np.testing.assert_allclose(found.cov, exact.cov, atol=0.05 * scale)


def test_kalman_filter_reaches_its_riccati_root():
    r"""$S^f = a^2 S + q$, $S = S^f R/(S^f + R)$: a quadratic for S."""
    setting = linear_gaussian()
    observed = setting.twin(KEY).observed
    found = filter(setting.model, KalmanFilter(), observed, setting.initial, KEY)
    a2, q, r = 0.81, 0.19, 0.25
    b = q + r - a2 * r
    root = (-b + (b**2 + 4 * a2 * q * r) ** 0.5) / (2 * a2)
    assert float(found.variance[-1, 0]) == pytest.approx(root, rel=1e-10)
    # The evidence is that of the whole Gaussian vector of observations.
    cov = np.asarray(0.9 ** np.abs(np.subtract.outer(np.arange(200), np.arange(200))))
    y = np.asarray(observed[:, 0])
    cov = cov + r * np.eye(200)
    whole = -(y @ np.linalg.solve(cov, y) + np.linalg.slogdet(2 * np.pi * cov)[1]) / 2
    assert float(found.log_evidence.sum()) == pytest.approx(whole, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        EnKF(),
        pytest.param(ETKF(rotate=True), marks=pytest.mark.slow),
        pytest.param(ParticleFilter(0.0), marks=pytest.mark.slow),
    ],
    ids=["EnKF", "ETKF", "ParticleFilter"],
)
def test_ensembles_track_the_kalman_filter(method):
    """500 members, 200 cycles, 20 dropped: mean and variance, evidence."""
    setting = linear_gaussian()
    observed = setting.twin(KEY).observed
    exact = filter(setting.model, KalmanFilter(), observed, setting.initial, KEY)
    start = setting.ensemble(jax.random.key(1), 500)
    found = filter(setting.model, method, observed, start, jax.random.key(2))
    variance = np.asarray(exact.variance)
    off = (np.asarray(found.mean) - np.asarray(exact.mean)) / np.sqrt(variance)
    assert np.sqrt((off[20:] ** 2).mean()) < 0.15
    ratio = (np.asarray(found.variance) / variance)[20:].mean()
    assert ratio == pytest.approx(1, abs=0.1)
    evidence = np.asarray(found.log_evidence - exact.log_evidence)[20:]
    # A variance off by 5 % at 500 members is 0.02 in a mean over 180 cycles.
    assert abs(float(evidence.mean())) < 0.02


def grid(density, n=1201):
    return Grid.from_log_density(density.log_density, -6, 6, (n,))


def test_grid_filter_is_the_kalman_filter_where_that_is_exact():
    """The midpoint rule of smooth densities converges faster than any power."""
    setting = linear_gaussian()
    observed = setting.twin(KEY).observed
    exact = filter(setting.model, KalmanFilter(), observed, setting.initial, KEY)
    start = grid(setting.initial, 301)
    found = filter(setting.model, GridFilter(), observed, start, KEY)
    # The box ends at 6 standard deviations.
    np.testing.assert_allclose(found.mean, exact.mean, atol=1e-7)
    np.testing.assert_allclose(found.variance, exact.variance, atol=1e-6)
    np.testing.assert_allclose(found.log_evidence, exact.log_evidence, atol=1e-6)


@pytest.mark.slow
def test_particle_filter_goes_to_the_grid_filter():
    r"""Two modes: $W_1$ falls as $n^{-1/2}$, here 1.5 / sqrt(n) in ten cycles."""
    setting = bimodal()
    observed = setting.twin(jax.random.key(3)).observed[:10]
    exact = filter(setting.model, GridFilter(), observed, grid(setting.initial), KEY)
    cells, masses = jax.vmap(lambda mu: mu.atoms)(exact.measures)
    n = 20_000
    found = filter(
        setting.model,
        ParticleFilter(jitter=0.0),
        observed,
        setting.ensemble(jax.random.key(1), n),
        jax.random.key(2),
    )
    x, w = jax.vmap(lambda mu: mu.atoms)(found.measures)
    apart = jax.vmap(w1_of_line)(x[..., 0], cells[..., 0], w, masses)
    assert float(apart.max()) < 0.05
    # The law is even: so is its grid.
    assert float(jnp.abs(exact.mean).max()) < 1e-8
    np.testing.assert_allclose(found.log_evidence, exact.log_evidence, atol=0.1)


@pytest.mark.slow
def test_static_posterior_with_two_modes():
    """Grid and particles against quadrature by scipy; a Kalman update does nothing."""
    from scipy.integrate import quad

    observation, y = half_square(0.4), 1.0
    density = lambda s: np.exp(-(s**2) / 2 - (y - s**2 / 2) ** 2 / (2 * 0.16))
    mass = quad(density, -8, 8)[0]
    second = quad(lambda s: s**2 * density(s), -8, 8)[0] / mass
    prior = grid(Gaussian(np.zeros(1), np.eye(1)), 301)
    found = analyze(GridFilter(), prior, np.array([y]), observation)
    x, masses = map(np.asarray, found.atoms)
    assert masses @ x[:, 0] ** 2 == pytest.approx(second, rel=1e-8)
    members = Particles.from_samples(np.random.default_rng(0).normal(size=(20_000, 1)))
    weighted = analyze(ParticleFilter(), members, np.array([y]), observation)
    x, weights = map(np.asarray, (weighted.x, weighted.logw))
    assert np.exp(weights) @ x[:, 0] ** 2 == pytest.approx(second, rel=0.03)
    kalman = analyze(EnKF(), members, np.array([y]), observation)
    assert np.var(kalman.x) == pytest.approx(1, rel=0.05)


def test_jitter_follows_the_rule():
    """Copies move with variance $(j n^{-1/(d+4)})^2$ times the weighted covariance;
    those chosen once stay."""
    n, d = 1000, 2
    x = np.random.default_rng(0).normal(size=(n, d)) * [1.0, 3.0]
    weights = np.where(np.arange(n) < 100, 9.0, 1.0)
    weights /= weights.sum()
    mu = Particles.from_samples(x, weights)
    still = linear_gaussian(np.eye(d), np.zeros((d, 1)), np.eye(d), np.eye(d)).model
    method = ParticleFilter(jitter=0.8, threshold=1.0)
    found = eqx.filter_jit(lambda mu: method.forecast(still, mu, 0.0, KEY))(mu)
    np.testing.assert_allclose(found.logw, -np.log(n), rtol=1e-12)
    end = np.asarray(found.x)
    moved = ~(end[:, None] == x).all(-1).any(1)
    # Weight 9 of a mean 1.8: five copies each, and the rest at most one.
    assert moved.sum() == 100 * 5
    # The covariance of the whole grows by the share that moved; its error and that of
    # the choice are some n^(-1/2).
    h = 0.8 * n ** (-1 / (d + 4))
    mean = weights @ x
    cov = (weights[:, None] * (x - mean)).T @ (x - mean) / (1 - weights @ weights)
    z = np.linalg.solve(np.linalg.cholesky(cov), (end - mean).T)
    expected = 1 + h**2 * moved.mean()
    np.testing.assert_allclose((z**2).mean(1), expected, atol=5 * (2 / n) ** 0.5)


def ring_problem(n):
    observation = GaussianObservation(Components(every=2), 0.5 * np.eye(6))
    x = np.cumsum(np.random.default_rng(0).normal(size=(n, 12)), axis=1)
    return Particles.from_samples(x), observation, np.linspace(-1, 1, 6)


def ring(radius):
    return Domain.ring(radius, 12, np.arange(0, 12, 2))


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 20])
def test_without_a_radius_local_filters_are_the_global_ones(n):
    mu, observation, y = ring_problem(n)
    for local, whole in (
        (LETKF(ring(np.inf), 1.1, rotate=True), ETKF(1.1, rotate=True)),
        (LocalEnKF(ring(np.inf), 1.1), EnKF(1.1)),
    ):
        np.testing.assert_allclose(
            analyze(local, mu, y, observation).x,
            analyze(whole, mu, y, observation).x,
            atol=1e-9,
        )


@pytest.mark.parametrize("kind", [LETKF, LocalEnKF])
def test_far_observations_have_no_influence(kind):
    """Beyond 3.64 radii nothing is felt; without local observations nothing moves."""
    mu, observation, y = ring_problem(8)
    method = kind(ring(0.5))  # reaches one place and a bit
    x = np.asarray(mu.x)
    base = np.asarray(analyze(method, mu, y, observation).x)
    further = y + 3 * (np.arange(6) == 0)
    changed = np.asarray(analyze(method, mu, further, observation).x)
    np.testing.assert_array_equal(changed[:, 2:11], base[:, 2:11])
    assert np.abs(changed - base)[:, [0, 1, 11]].min() > 0
    nothing = np.where(np.arange(6) == 0, np.nan, y)
    kept = np.asarray(analyze(method, mu, nothing, observation).x)
    np.testing.assert_array_equal(kept[:, 0], x[:, 0])
    assert np.abs(kept - x)[:, 1].max() > 0  # still sees the second


def test_inflation_multiplies_the_anomalies():
    mu, observation, y = problem(4, 2, 30)
    plain, wide = (moments(analyze(EnKF(f), mu, y, observation)) for f in (1.0, 1.2))
    np.testing.assert_allclose(wide.mean, plain.mean, atol=1e-12)
    np.testing.assert_allclose(wide.cov, 1.44 * plain.cov, rtol=1e-9)
