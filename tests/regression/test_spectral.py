"""A regression along the axes of its curvature, and the choice of a law on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import Exponential
from wflow.regression import (
    Deterministic,
    Gamma,
    HyperExponential,
    InverseGaussian,
    LogNormal,
    Lomax,
    Uniform,
    Weibull,
)
from wflow.regression.comparators import EarlyStopping
from wflow.regression.risk import SpectralProblem, prediction_risk, process_risk
from wflow.regression.spectral import (
    SpectralData,
    effective_dof,
    equivalent_penalty,
    gcv,
    noise_variance,
    shrinkage_curves,
    tune,
    unbiased_process_risk,
    unbiased_risk,
)


N, P = 20, 6
RNG = np.random.default_rng(3)
X = RNG.normal(size=(N, P)) * [3, 2, 1, 1, 0.5, 0.2]
Y = X @ [1.0, -1.0, 0.5, 0.0, 2.0, 1.0] + RNG.normal(size=N)


@pytest.fixture(scope="module")
def data():
    return SpectralData.of(X, Y)


def hat(law):
    """The smoother of a law, from its matrix function."""
    mu, U = np.linalg.eigh(X.T @ X)
    return X @ U @ np.diag(np.asarray(law.filter(mu)) / mu) @ U.T @ X.T


def test_coefficients_are_ridge_anchored_at_the_origin(data):
    A, b = X.T @ X, X.T @ Y
    origin = np.linspace(-1, 1, P)
    anchored = SpectralData.of(X, Y, origin=origin)
    for rate in (1e-3, 1.0, 1e3):
        h = Exponential(rate).filter(data.curvature)
        ridge = np.linalg.solve(A + rate * np.eye(P), b)
        np.testing.assert_allclose(data.coefficients(h), ridge, rtol=1e-10)
        ridge = np.linalg.solve(A + rate * np.eye(P), b + rate * origin)
        np.testing.assert_allclose(anchored.coefficients(h), ridge, rtol=1e-10)


@pytest.mark.slow
def test_more_coefficients_than_samples():
    """Null directions stay where they were reset to."""
    wide, y = X[:4], Y[:4]
    twice = np.concatenate([wide, wide[:, :1]], axis=1)
    data = SpectralData.of(twice, y, origin=np.full(7, 0.3))
    h = Exponential(0.5).filter(data.curvature)
    A = twice.T @ twice + 0.5 * np.eye(7)
    ridge = np.linalg.solve(A, twice.T @ y + 0.5 * 0.3)
    np.testing.assert_allclose(data.coefficients(h), ridge, rtol=1e-10)
    # A column of zeros: a null direction, for a law with an infinite slope too.
    padded = SpectralData.of(np.c_[X, np.zeros(N)], Y, origin=np.full(7, 0.3))
    assert jnp.sum(padded.curvature == 0) == 1
    found = padded.coefficients(Lomax(1.0, 1.2).filter(padded.curvature))
    assert found[-1] == pytest.approx(0.3)
    assert np.isfinite(found).all()


@pytest.mark.slow
def test_scores_from_the_smoother(data):
    law = Gamma(0.4, 2.0)
    H, h = hat(law), law.filter(data.curvature)
    rest = np.sum((Y - H @ Y) ** 2)
    assert effective_dof(data, h) == pytest.approx(np.trace(H), rel=1e-12)
    exact = N * rest / (N - np.trace(H)) ** 2
    assert gcv(data, h) == pytest.approx(exact, rel=1e-11)
    exact = rest + 2 * 0.7 * np.trace(H) - N * 0.7
    assert unbiased_risk(data, h, 0.7) == pytest.approx(exact, rel=1e-11)
    # Nulls that are added change nothing.
    padded = data.padded(16)
    longer = law.filter(padded.curvature)
    assert gcv(padded, longer) == pytest.approx(float(gcv(data, h)), rel=1e-13)
    residual = Y - X @ np.linalg.lstsq(X, Y)[0]
    exact = residual @ residual / (N - P)
    assert noise_variance(data) == pytest.approx(exact, rel=1e-11)


@pytest.mark.slow
def test_risks_are_unbiased():
    """Over 2e4 responses of one design: z-scores of the estimate minus the risk."""
    truth, sigma2, law = np.linspace(1, -1, P), 0.5, Deterministic(0.2)
    data = SpectralData.of(X, Y)
    problem = SpectralProblem(data.curvature, data.axes.T @ truth, sigma2)

    @jax.jit
    @jax.vmap
    def estimates(key):
        y = X @ truth + jnp.sqrt(sigma2) * jax.random.normal(key, (N,))
        drawn = SpectralData.of(X, y)
        h = law.filter(drawn.curvature)
        mean = unbiased_risk(drawn, h, sigma2)
        return mean, unbiased_process_risk(drawn, law, sigma2), noise_variance(drawn)

    found = estimates(jax.random.split(jax.random.key(2), 20_000))
    exact = (
        prediction_risk(problem, law.filter(data.curvature)),
        process_risk(problem, law, prediction=True),
        sigma2,
    )
    for values, risk in zip(found, exact, strict=True):
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - risk) < 4 * error


def test_gradient_of_cross_validation(data):
    """In the logarithms of mean and shape, and in y; against finite differences."""

    def score(parameters, y):
        mean, shape = jnp.exp(parameters)
        drawn = SpectralData.of(X, y)
        return gcv(drawn, Gamma(mean, shape).filter(drawn.curvature))

    at = jnp.array([-1.0, 0.4])
    score = jax.jit(score)
    slope, by_y = jax.jit(jax.grad(score, (0, 1)))(at, Y)
    step = 1e-5
    for i, unit in enumerate(np.eye(2)):
        ahead, behind = score(at + step * unit, Y), score(at - step * unit, Y)
        assert slope[i] == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-5)
    way = np.cos(np.arange(N))
    ahead, behind = score(at, Y + step * way), score(at, Y - step * way)
    assert by_y @ way == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-5)


@pytest.mark.slow
def test_tuned_mean_is_the_best(data):
    means = jnp.geomspace(1e-3, 1e3, 4001)
    family, noise = Gamma(1.0, 2.0), 40.0
    for criterion, score in (
        ("gcv", lambda law: gcv(data, law.filter(data.curvature))),
        ("process_risk", lambda law: unbiased_process_risk(data, law, noise)),
    ):
        best = tune(data, family, criterion, noise=noise)
        scores = jax.vmap(lambda mean: score(family.with_mean(mean)))(means)
        assert best.score <= scores.min()
        assert best.score == pytest.approx(float(scores.min()), rel=1e-6)
        assert best.law.mean == pytest.approx(float(means[scores.argmin()]), rel=5e-3)
    scores = [float(tune(data, law).score) for law in (Exponential(1.0), family)]
    assert tune(data, [Exponential(1.0), family]).score == min(scores)


@pytest.mark.slow
def test_tuned_mean_is_differentiable(data):
    """In the response, through ``vmap``, against finite differences."""

    @jax.jit
    @jax.vmap
    def rate(s):
        return jnp.log(
            tune(SpectralData.of(X, Y + s * X[:, 0]), Exponential(1.0)).law.mean
        )

    slope = jax.jit(jax.grad(lambda s: rate(s)[0]))(jnp.zeros(1))[0]
    # A minimizer is known to the root of the rounding, 1e-8: not a small step.
    ahead, behind = rate(jnp.array([1e-2, -1e-2]))
    assert slope == pytest.approx(float(ahead - behind) / 2e-2, rel=1e-3)


@pytest.mark.slow
def test_the_exponential_law_alone_is_ridge():
    """Uniqueness: the penalty that shrinks alike is constant for it and no other."""
    mu = jnp.logspace(-4, 4, 161)
    ridges = (
        Exponential(0.8),
        Gamma(1.25, 1.0),
        Weibull(1.25, 1.0),
        HyperExponential([0.3, 0.7], [0.8, 0.8]),
    )
    for law in ridges:
        # Weibull's filter is a quadrature, good to 1e-8 or so.
        np.testing.assert_allclose(equivalent_penalty(law, mu), 0.8, rtol=1e-7)
    others = (
        Deterministic(1.25),
        Gamma(1.25, 1.1),
        Gamma(1.25, 0.9),
        Uniform(0.0, 2.5),
        Weibull(1.25, 1.5),
        # Its coefficient of variation is 1 too.
        LogNormal(1.25, np.sqrt(np.log(2))),
        InverseGaussian(1.25, 1.25),
        HyperExponential([0.9, 0.1], [1.44, 0.16]),
    )
    for law in others:
        penalty = equivalent_penalty(law, mu)
        assert jnp.max(penalty) / jnp.min(penalty) > 1.02
        # Both ends are known.
        assert penalty[-1] == pytest.approx(0.8, rel=2e-2)
        slope = float(law.second_moment / (2 * law.mean))
        assert penalty[0] == pytest.approx(1 / slope, rel=1e-2)


def test_early_stopping_is_no_renewal_filter():
    """Every renewal law leaves 1 / tau of mu (1 - h) at large curvature."""
    mu = jnp.array([1e2, 1e3, 1e4])
    left = mu * (1 - EarlyStopping(1.0).filter(mu))
    np.testing.assert_allclose(left, 0, atol=1e-12)
    for law in (Exponential(1.0), Deterministic(1.0), Gamma(1.0, 0.5)):
        left = mu * law.age_laplace(mu)
        assert left[-1] == pytest.approx(1, abs=2e-2)


@pytest.mark.slow
def test_shrinkage_curves_end_at_least_squares_and_at_the_origin(data):
    curves = shrinkage_curves(data, Gamma(1.0, 2.0), [1e9, 1.0, 1e-9])
    least = np.linalg.lstsq(X, Y)[0]
    np.testing.assert_allclose(curves[0], least, rtol=1e-6)
    np.testing.assert_allclose(curves[2], 0, atol=1e-6)
    assert curves.shape == (3, P)


@pytest.mark.slow
def test_float32_agrees(data):
    narrow = SpectralData.of(X.astype(np.float32), Y.astype(np.float32))
    best = tune(narrow, Exponential(jnp.float32(1.0)))
    assert best.score.dtype == best.law.mean.dtype == jnp.float32
    wide = tune(data, Exponential(1.0))
    assert best.score == pytest.approx(float(wide.score), rel=1e-4)
    assert best.law.mean == pytest.approx(float(wide.law.mean), rel=2e-2)


def test_refused(data):
    with pytest.raises(ValueError, match=r"X of shape \(n, p\), found shape \(20,\)"):
        SpectralData.of(Y, Y)
    with pytest.raises(ValueError, match="X finite"):
        SpectralData.of(np.where(np.arange(P) == 2, np.nan, X), Y)
    with pytest.raises(ValueError, match="y finite"):
        SpectralData.of(X, np.where(np.arange(N) == 2, np.inf, Y))
    with pytest.raises(ValueError, match=r"origin of shape \(6,\)"):
        SpectralData.of(X, Y, origin=np.zeros(2))
    with pytest.raises(ValueError, match="at least one, found none"):
        tune(data, [])
    with pytest.raises(ValueError, match="found 'loo'"):
        tune(data, Exponential(1.0), "loo")
    square = SpectralData.of(X[:6], Y[:6])
    with pytest.raises(ValueError, match="no residual"):
        tune(square, Exponential(1.0), "risk")
