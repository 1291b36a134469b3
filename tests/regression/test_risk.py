"""Risks of spectral filters against closed forms and draws."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from wflow.flows import Exponential
from wflow.regression import Deterministic, Gamma, HyperExponential, Uniform
from wflow.regression.comparators import EarlyStopping, principal_components
from wflow.regression.risk import (
    SpectralProblem,
    estimation_risk,
    optimal_mean,
    population_risk,
    prediction_risk,
    process_risk,
    wiener_filter,
)


PLACES = np.arange(1, 201.0)
FIRST = PLACES <= 10
PROBLEMS = {
    "isotropic": (1 / PLACES, np.ones(200)),
    "spiked": (np.where(FIRST, 10, 0.1), np.where(FIRST, 1.0, 0.0)),
    "rough": (1 / PLACES, PLACES),
    "two_scale": (np.where(FIRST, 10, 0.01), np.where(FIRST, 0.02, 1.0)),
}
# The specification's own reference numbers: mean and risk of ridge, then ratios.
TABLE = {
    "isotropic": (10, 2.99773, 1.0030, 1.0014, 1.0003, 1.0012, 1.0003, 1.0089, 1.0173),
    "spiked": (1.543, 1.59193, 0.8268, 0.8673, 0.9241, 0.8892, 1.0955, 1.4324, 0.6438),
    "rough": (1288, 18.6008, 1.0017, 1.0016, 1.0010, 1.0008, 0.9987, 0.9989, 1.0309),
    "two_scale": (
        0.2053,
        2.55907,
        1.0009,
        1.0006,
        1.0003,
        1.0006,
        0.9996,
        0.9968,
        1.0013,
    ),
}
LAWS = (
    Deterministic(1.0),
    Gamma(1.0, 5.0),
    Gamma(1.0, 2.0),
    Uniform(0.0, 2.0),
    Gamma(1.0, 0.5),
    HyperExponential([0.9, 0.1], [1.8, 0.2]),
    EarlyStopping(1.0),
)


@pytest.fixture(scope="module")
def small():
    return SpectralProblem([4.0, 1.0, 0.3, 0.0], [1.0, -2.0, 0.7, 0.5], 0.4)


@pytest.mark.slow
def test_tuned_risks_of_the_table():
    # All spectra at once: the program of a law is compiled once.
    curvature = jnp.array([PROBLEMS[name][0] for name in TABLE])
    signal = jnp.array([PROBLEMS[name][1] for name in TABLE])

    @jax.jit
    def tuned(curvature, signal):
        def one(mu, square):
            problem = SpectralProblem(mu, jnp.sqrt(square), 0.1)
            best, ridge = optimal_mean(problem, Exponential(1.0))
            risks = [optimal_mean(problem, law)[1] for law in LAWS]
            return best.mean, ridge, jnp.stack(risks)

        return jax.vmap(one)(curvature, signal)

    means, ridge, risks = tuned(curvature, signal)
    expected = np.array(list(TABLE.values()))
    np.testing.assert_allclose(means, expected[:, 0], rtol=5e-4)
    np.testing.assert_allclose(ridge, expected[:, 1], rtol=5e-6)
    # Four decimals are given.
    np.testing.assert_allclose(risks / ridge[:, None], expected[:, 2:], atol=6e-5)


@pytest.mark.slow
def test_wiener_is_the_least_and_ridge_where_the_signal_is_isotropic():
    mu, signal = map(jnp.asarray, PROBLEMS["rough"])
    problem = SpectralProblem(mu, jnp.sqrt(signal), 0.1)
    least = prediction_risk(problem, wiener_filter(problem))
    nearby = wiener_filter(problem) * (1 + 0.01 * jnp.sin(jnp.arange(200.0)))
    assert least < prediction_risk(problem, nearby)
    assert least < 18.6008
    flat = SpectralProblem(mu, jnp.full(200, 0.5), 0.1)
    ridge = mu / (mu + 0.1 / 0.25)
    np.testing.assert_allclose(wiener_filter(flat), ridge, rtol=1e-14)
    assert wiener_filter(SpectralProblem([0.0, 1.0], [1.0, 0.0], 0.0)).tolist() == [
        0,
        0,
    ]


@pytest.mark.slow
def test_risk_of_one_draw_over_noise_and_ages(small):
    """z-scores of 4e5 draws of noise and stationary age."""
    n = 400_000
    mu, truth = small.curvature, small.coefficients
    diffusion = jnp.array([0.2, 0.0, 0.5, 0.0])

    @eqx.filter_jit
    def errors(law, key):
        age_key, noise_key, walk_key = jax.random.split(key, 3)
        age = law.sample_age(age_key, (n, 1))
        moved = -jnp.expm1(-mu * age)
        # The noise of least squares along an axis has variance sigma^2 / mu.
        safe = jnp.where(mu > 0, mu, 1)
        eps = jax.random.normal(noise_key, (n, 4)) * jnp.sqrt(small.noise / safe)
        spread = diffusion * -jnp.expm1(-2 * mu * age) / (2 * safe)
        walk = jax.random.normal(walk_key, (n, 4)) * jnp.sqrt(spread)
        gap = moved * (truth + eps) - truth + walk
        return jnp.sum(gap**2, 1), jnp.sum(mu * gap**2, 1)

    for law in (Exponential(1.3), Deterministic(2.0)):
        drawn = errors(law, jax.random.key(0))
        for values, prediction in zip(drawn, (False, True), strict=True):
            exact = process_risk(small, law, diffusion=diffusion, prediction=prediction)
            error = values.std() / np.sqrt(n)
            assert abs(values.mean() - exact) < 4 * error


@pytest.mark.slow
def test_risk_of_one_draw_is_that_of_the_mean_and_the_variance(small):
    mu, law = small.curvature, Gamma(0.8, 2.0)
    variance = law.age_laplace(2 * mu) - law.age_laplace(mu) ** 2
    power = small.coefficients**2 + jnp.where(mu > 0, small.noise / mu, 0)
    exact = estimation_risk(small, law.filter(mu)) + jnp.sum(power * variance)
    np.testing.assert_allclose(process_risk(small, law), exact, rtol=1e-13)
    # A null direction costs what is true of it; at a fixed age there is no variance.
    stopped = EarlyStopping(0.8)
    fixed = estimation_risk(small, stopped.filter(mu))
    np.testing.assert_allclose(process_risk(small, stopped), fixed, rtol=1e-13)
    noisy = process_risk(small, stopped, diffusion=jnp.array([0, 0, 0, 1.0]))
    np.testing.assert_allclose(noisy, fixed + 0.8, rtol=1e-13)


def test_population_risk(small):
    h = Exponential(0.5).filter(small.curvature)
    in_sample = population_risk(small, h, jnp.diag(small.curvature))
    np.testing.assert_allclose(in_sample, prediction_risk(small, h), rtol=1e-13)
    np.testing.assert_allclose(
        population_risk(small, h, jnp.eye(4)), estimation_risk(small, h), rtol=1e-13
    )
    # Off the diagonal there is bias alone.
    tilt = jnp.eye(4).at[0, 1].set(0.5).at[1, 0].set(0.5)
    bias = (1 - h) * small.coefficients
    cross = population_risk(small, h, tilt) - estimation_risk(small, h)
    np.testing.assert_allclose(cross, bias[0] * bias[1], rtol=1e-12)


@pytest.mark.slow
def test_early_stopping_within_the_bound_of_ali_kolter_tibshirani():
    """At t = 1 / lambda, for every lambda and truth."""
    least = minimize_scalar(
        lambda x: -((-np.expm1(-x) * (1 + x) / x) ** 2), bounds=(1, 3), method="bounded"
    )
    assert least.x == pytest.approx(1.7933, abs=1e-4)
    assert -least.fun == pytest.approx(1.68591, abs=1e-5)

    def ratios(key):
        keys = jax.random.split(key, 3)
        mu = jnp.exp(3 * jax.random.normal(keys[0], (8,)))
        truth = jnp.exp(2 * jax.random.normal(keys[1], (8,)))
        noise = jnp.exp(2 * jax.random.normal(keys[2], ()))
        problem = SpectralProblem(mu, truth, noise)
        t = jnp.geomspace(1e-4, 1e4, 60)
        stopped = jax.vmap(
            lambda t: estimation_risk(problem, EarlyStopping(t).filter(mu))
        )(t)
        ridge = jax.vmap(
            lambda t: estimation_risk(problem, Exponential(1 / t).filter(mu))
        )(t)
        return jnp.max(stopped / ridge)

    worst = jax.jit(jax.vmap(ratios))(jax.random.split(jax.random.key(1), 200))
    assert 1.2 < worst.max() <= 1.69


@pytest.mark.slow
def test_best_mean_is_stationary_and_differentiable(small):
    """By the implicit function theorem, against finite differences."""

    @jax.jit
    def best(noise, risk_scale):
        problem = SpectralProblem(
            small.curvature, risk_scale * small.coefficients, noise
        )
        law, risk = optimal_mean(problem, Gamma(1.0, 2.0), "estimation")
        return jnp.log(law.mean), risk

    slopes, sensitivity = jax.jit(jax.jacfwd(best, (0, 1)))(0.4, 1.0)
    ahead, behind = best(0.4 + 1e-4, 1.0), best(0.4 - 1e-4, 1.0)
    # Of the search, whose steps end at 1e-9 or so.
    assert slopes[0] == pytest.approx(float(ahead[0] - behind[0]) / 2e-4, rel=1e-4)
    exact = float(ahead[1] - behind[1]) / 2e-4
    assert sensitivity[0] == pytest.approx(exact, rel=1e-6)
    # The mean depends on the ratio of noise to squared signal alone.
    assert slopes[1] == pytest.approx(float(-2 * 0.4 * slopes[0]), rel=1e-6)


@pytest.mark.slow
def test_float32_and_ends():
    mu, signal = (jnp.asarray(a, jnp.float32) for a in PROBLEMS["spiked"])
    problem = SpectralProblem(mu, jnp.sqrt(signal), jnp.float32(0.1))
    law, risk = optimal_mean(problem, Exponential(jnp.float32(1)))
    assert law.mean.dtype == risk.dtype == jnp.float32
    assert risk == pytest.approx(1.59193, rel=1e-4)
    # Without noise full least squares is best, without a signal nothing is.
    clean = SpectralProblem(mu, jnp.sqrt(signal), jnp.float32(0))
    assert optimal_mean(clean, Exponential(jnp.float32(1)))[1] < 1e-4
    noise = SpectralProblem(mu, 0 * mu, jnp.float32(1))
    assert optimal_mean(noise, Exponential(jnp.float32(1)))[1] < 1e-2


def test_refused():
    with pytest.raises(ValueError, match=r"coefficients of shape \(2,\)"):
        SpectralProblem([1.0, 2.0], [1.0], 0.1)
    with pytest.raises(ValueError, match="noise to be one number"):
        SpectralProblem([1.0], [1.0], [0.1])
    with pytest.raises(ValueError, match="curvature >= 0, found -1"):
        SpectralProblem([-1.0], [1.0], 0.1)
    with pytest.raises(ValueError, match="noise >= 0"):
        SpectralProblem([1.0], [1.0], -0.1)
    with pytest.raises(ValueError, match="coefficients finite"):
        SpectralProblem([1.0], [jnp.nan], 0.1)
    with pytest.raises(ValueError, match="found 'test'"):
        optimal_mean(SpectralProblem([1.0], [1.0], 0.1), Exponential(1.0), "test")
    with pytest.raises(ValueError, match="time > 0"):
        EarlyStopping(0.0)


def test_principal_components_keep_the_largest():
    mu = jnp.array([0.5, 3.0, 0.0, 1.0])
    assert principal_components(mu, 2).tolist() == [0, 1, 0, 1]
    assert principal_components(mu, 4).tolist() == [1, 1, 0, 1]
