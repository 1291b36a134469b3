"""The scikit-learn estimators against scikit-learn's own."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from wflow.flows import Exponential
from wflow.regression import Gamma, HyperExponential
from wflow.regression.estimators import ResettingRidge, ResettingRidgeCV
from wflow.regression.moments import stationary_moments


N, P = 40, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P)) + 3.0
Y = X @ [2.0, -1.0, 0.5, 0.0, 1.0] + 4.0 + RNG.normal(size=N)


@pytest.mark.slow
def test_exponential_times_are_ridge():
    """To 1e-10, with the rate as alpha: the loss is a sum, and the constant is free."""
    for rate in (1e-3, 1.0, 1e3):
        for fit_intercept in (True, False):
            ours = ResettingRidge(rate=rate, fit_intercept=fit_intercept).fit(X, Y)
            theirs = Ridge(rate, fit_intercept=fit_intercept, solver="svd").fit(X, Y)
            np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-10)
            assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-10)
            np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-9)
            np.testing.assert_allclose(ours.penalty_, rate, rtol=1e-10)
    mean_squares = Ridge(alpha=N * 0.1).fit(X, Y)
    ours = ResettingRidge(rate=N * 0.1).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, mean_squares.coef_, atol=1e-10)


W = np.append(RNG.integers(0, 4, N - 1), 2)
SEVERAL = np.stack([Y, -3 * Y + X[:, 0] ** 2, RNG.normal(size=N)], axis=1)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_and_several_outputs_in_closed_form(fit_intercept):
    """(X'WX + r)^-1 X'Wy, around weighted means."""
    model = ResettingRidge(rate=0.7, fit_intercept=fit_intercept)
    ours = model.fit(X, SEVERAL, sample_weight=W)
    x0 = np.average(X, axis=0, weights=W) * fit_intercept
    y0 = np.average(SEVERAL, axis=0, weights=W) * fit_intercept
    x, y = X - x0, SEVERAL - y0
    exact = np.linalg.solve(x.T @ (W[:, None] * x) + 0.7 * np.eye(P), x.T @ (W * y.T).T)
    np.testing.assert_allclose(ours.coef_, exact.T, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, y0 - x0 @ exact, atol=1e-10)
    np.testing.assert_allclose(ours.predict(X), y0 + x @ exact, atol=1e-9)
    alone = model.fit(X, SEVERAL[:, 1], sample_weight=W)
    np.testing.assert_allclose(alone.coef_, exact[:, 1], atol=1e-10)
    assert np.ndim(alone.intercept_) == 0


@pytest.mark.slow
def test_a_weight_is_a_number_of_samples():
    often = np.repeat(np.arange(N), W)
    weighted = ResettingRidgeCV().fit(X, SEVERAL, sample_weight=W)
    repeated = ResettingRidgeCV().fit(X[often], SEVERAL[often])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
    assert weighted.score_ == pytest.approx(repeated.score_, rel=1e-9)
    with pytest.raises(ValueError, match="(?i)sample.weight"):
        ResettingRidge().fit(X, Y, sample_weight=np.zeros(N))


@pytest.mark.slow
def test_outputs_share_a_law_by_the_sum_of_their_scores():
    rate = ResettingRidgeCV().fit(X, SEVERAL).rate_
    total = []
    for each in (rate, 0.9 * rate, 1.1 * rate):
        hat = np.stack(
            [ResettingRidge(rate=each).fit(X, one).predict(X) for one in np.eye(N)], 1
        )
        errors = np.sum((SEVERAL - hat @ SEVERAL) ** 2)
        total.append(N * errors / (N - np.trace(hat)) ** 2)
    assert min(total) == total[0]
    chosen = ResettingRidgeCV().fit(X, SEVERAL)
    assert chosen.score_ == pytest.approx(total[0], rel=1e-9)
    mean, std = chosen.predict(X[:4], return_std=True)
    assert mean.shape == std.shape == (4, 3)
    cov = chosen.stationary_covariance_
    away = X[:4] - X.mean(0)
    np.testing.assert_allclose(std[2, 1] ** 2, away[2] @ cov[1] @ away[2], rtol=1e-9)


@pytest.mark.slow
def test_more_columns_than_rows_and_less_precision():
    """x64 is on inside only, whatever the process has."""
    wide, y = RNG.normal(size=(6, 15)), RNG.normal(size=6)
    theirs = Ridge(alpha=0.3, solver="svd").fit(wide, y)
    with jax.enable_x64(False):
        ours = ResettingRidge(rate=0.3).fit(wide, y)
        assert not jax.config.jax_enable_x64
        covariance = ours.stationary_covariance_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-10)
    assert covariance.dtype == np.float64
    assert covariance.shape == (15, 15)
    # Nothing moves outside the span of the rows.
    assert np.linalg.matrix_rank(covariance, tol=1e-9) <= 5


@pytest.mark.slow
def test_filter_and_covariance():
    law = Gamma(5.0, 2.0)
    ours = ResettingRidge(law, rate=2.0, diffusion=0.7).fit(X, Y)
    assert ours.law_.mean == pytest.approx(0.5)
    assert ours.law_.shape == 2
    centered = X - X.mean(0)
    mu = np.linalg.eigvalsh(centered.T @ centered)[::-1]
    np.testing.assert_allclose(ours.eigenvalues_, mu, rtol=1e-10)
    np.testing.assert_allclose(ours.filter_, law.with_mean(0.5).filter(mu), rtol=1e-9)
    assert ours.dof_ == pytest.approx(1 + ours.filter_.sum())
    exact = stationary_moments(
        law.with_mean(0.5),
        centered.T @ centered,
        centered.T @ (Y - Y.mean()),
        np.zeros(P),
        noise=0.7 * np.eye(P),
    )
    np.testing.assert_allclose(ours.coef_, exact.mean, rtol=1e-9)
    np.testing.assert_allclose(ours.stationary_covariance_, exact.cov, atol=1e-12)
    mean, std = ours.predict(X[:3], return_std=True)
    away = centered[:3]
    spread = np.sqrt(np.diag(away @ np.asarray(exact.cov) @ away.T))
    np.testing.assert_allclose(std, spread, rtol=1e-8)
    np.testing.assert_allclose(mean, ours.predict(X[:3]))


@pytest.mark.slow
def test_cross_validation_chooses_the_least_score():
    laws = [Exponential(1.0), HyperExponential([0.9, 0.1], [1.8, 0.2])]
    single = [ResettingRidgeCV([law]).fit(X, Y) for law in laws]
    both = ResettingRidgeCV(laws).fit(X, Y)
    assert both.score_ == min(one.score_ for one in single)
    assert both.rate_ == pytest.approx(float(1 / both.law_.mean))
    # The score is that of the smoother with the constant in it.
    centered = X - X.mean(0)
    ridge = single[0]
    inverse = np.linalg.inv(centered.T @ centered + ridge.rate_ * np.eye(P))
    trace = 1 + np.trace(centered @ inverse @ centered.T)
    rest = np.sum((Y - ridge.predict(X)) ** 2)
    assert ridge.score_ == pytest.approx(N * rest / (N - trace) ** 2, rel=1e-9)
    risk = ResettingRidgeCV([laws[0]], criterion="risk", noise=1.0).fit(X, Y)
    again = ResettingRidge(laws[0], rate=risk.rate_).fit(X, Y)
    np.testing.assert_allclose(risk.coef_, again.coef_, rtol=1e-10)


@pytest.mark.slow
def test_inside_scikit_learn():
    """In a pipeline, in a grid over laws, and through pickle."""
    pipe = make_pipeline(StandardScaler(), ResettingRidge())
    grid = {
        "resettingridge__law": [None, Gamma(1.0, 2.0)],
        "resettingridge__rate": [0.1, 10.0],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(X, Y)
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copy.predict(X), search.predict(X))
    first, second = copy[-1], search.best_estimator_[-1]
    np.testing.assert_array_equal(
        first.stationary_covariance_, second.stationary_covariance_
    )


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [ResettingRidge(), ResettingRidgeCV()])
@pytest.mark.filterwarnings("ignore:Skipping check")
def test_scikit_learns_own_checks(estimator):
    results = check_estimator(estimator, on_fail="raise")
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}


@pytest.mark.slow
def test_refused():
    for rate in (0.0, -1.0, np.nan, np.inf, np.array(-1.0)):
        with pytest.raises(ValueError, match="rate > 0"):
            ResettingRidge(rate=rate).fit(X, Y)
    for rate in ("fast", None):
        with pytest.raises(TypeError, match="rate to be a number"):
            ResettingRidge(rate=rate).fit(X, Y)
    with pytest.raises(ValueError, match="rate to be one number"):
        ResettingRidge(rate=np.ones(2)).fit(X, Y)
    for noise in (np.nan, -1.0, np.inf):
        for criterion in ("gcv", "risk", "process_risk"):
            with pytest.raises(ValueError, match="noise >= 0"):
                ResettingRidgeCV(criterion=criterion, noise=noise).fit(X, Y)
    with pytest.raises(TypeError, match="law to be a renewal law"):
        ResettingRidge(law="gamma").fit(X, Y)
    with pytest.raises(TypeError, match=r"laws\[1\] to be a renewal law"):
        ResettingRidgeCV([Exponential(1.0), 2.0]).fit(X, Y)
    with pytest.raises(ValueError, match="diffusion >= 0"):
        ResettingRidge(diffusion=-1.0).fit(X, Y)
    with pytest.raises(ValueError, match="one at least"):
        ResettingRidgeCV([]).fit(X, Y)
    with pytest.raises(ValueError, match="criterion"):
        ResettingRidgeCV(criterion="loo").fit(X, Y)
    with pytest.raises(ValueError, match="no residual"):
        ResettingRidgeCV(criterion="risk").fit(X[:4], Y[:4])
    with pytest.raises(ValueError, match="NaN"):
        ResettingRidge().fit(np.where(np.arange(P) == 2, np.nan, X), Y)
    with pytest.raises(ValueError, match="infinity"):
        ResettingRidge().fit(X, np.where(np.arange(N) == 2, np.inf, Y))


@pytest.mark.parametrize(
    "number", [np.array(2.0), np.float32(2), np.int64(2), 2, jnp.array(2.0)]
)
def test_numbers_may_be_arrays(number):
    expected = ResettingRidge(rate=2.0, diffusion=2.0).fit(X, Y)
    found = ResettingRidge(rate=number, diffusion=number).fit(X, Y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-12)
    np.testing.assert_allclose(
        found.stationary_covariance_, expected.stationary_covariance_, rtol=1e-12
    )
