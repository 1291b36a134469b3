"""Gradients through twenty cycles against finite differences, and published scores."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import (
    ETKF,
    LETKF,
    Domain,
    EnKF,
    GridFilter,
    KalmanFilter,
    Lorenz63,
    Lorenz96,
    ParticleFilter,
    filter,
    lorenz63_full,
    lorenz96_classic,
)
from wflow.filtering.methods.etkf import inverse_root
from wflow.filtering.settings import linear_gaussian
from wflow.measures import Grid


KEY = jax.random.key(0)
SETTING = lorenz63_full()
TWIN = SETTING.twin(jax.random.key(1), 20)
START = SETTING.ensemble(jax.random.key(2), 20)


def with_rho(rho):
    return eqx.tree_at(lambda m: m.transition.drift, SETTING.model, Lorenz63(rho=rho))


def run(method, rho, initial):
    return filter(with_rho(rho), method, TWIN.observed, initial, KEY)


@eqx.filter_jit
def scores(method, rho, initial):
    """Log-evidence and mean CRPS, and their derivatives in rho by reverse mode."""

    def values(rho):
        found = run(method, rho, initial)
        return jnp.stack([found.log_evidence.sum(), found.crps(TWIN.truth).mean()])

    return values(rho), jax.jacrev(values)(rho)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [EnKF(1.02), ETKF(1.02), KalmanFilter()], ids=lambda m: m.name
)
def test_gradients_in_a_model_parameter(method):
    """Central differences at h = 1e-5: their error is h^2 times a third derivative,
    which chaos makes large, and rounding divided by h."""
    initial = SETTING.initial if isinstance(method, KalmanFilter) else START
    rho, h = jnp.asarray(27.5), 1e-5
    _, slopes = scores(method, rho, initial)
    above, below = (scores(method, rho + s, initial)[0] for s in (h, -h))
    found = (above - below) / (2 * h)
    assert (jnp.abs(found) > 1e-3).all()
    np.testing.assert_allclose(slopes, found, rtol=1e-4)


def test_derivative_of_the_root_where_eigenvalues_meet():
    """That of the identity is -1/2 of the direction, though no eigenvector is smooth;
    and elsewhere against central differences, to h^2."""
    a = jax.random.normal(KEY, (4, 4))
    direction = a + a.T
    derivative = lambda m, t: jax.jvp(inverse_root, (m,), (t,))[1]
    np.testing.assert_allclose(derivative(jnp.eye(4), direction), -direction / 2)
    matrix = a @ a.T + jnp.eye(4)
    h = 1e-5
    found = (
        inverse_root(matrix + h * direction) - inverse_root(matrix - h * direction)
    ) / (2 * h)
    np.testing.assert_allclose(derivative(matrix, direction), found, atol=1e-8)


@pytest.mark.slow
def test_gradients_in_inflation_and_by_forward_mode():
    def score(f):
        return run(ETKF(f, rotate=True), 28.0, START).crps(TWIN.truth).mean()

    value = jax.jit(jax.value_and_grad(score))
    f, h = np.asarray(1.05), 1e-5
    found = float(value(f + h)[0] - value(f - h)[0]) / (2 * h)
    assert float(value(f)[1]) == pytest.approx(found, rel=1e-4)
    _, forward = jax.jvp(jax.jit(score), (f,), (np.ones(()),))
    assert float(forward) == pytest.approx(found, rel=1e-4)


@pytest.mark.slow
def test_gradient_in_the_forcing_through_local_analyses():
    setting = lorenz96_classic()
    truth = setting.twin(jax.random.key(1), 5)
    start = setting.ensemble(jax.random.key(2), 7)
    method = LETKF(Domain.ring(4, 40), 1.04, rotate=True)

    @jax.jit
    @jax.value_and_grad
    def value(forcing):
        model = eqx.tree_at(
            lambda m: m.transition.drift, setting.model, Lorenz96(forcing)
        )
        return filter(model, method, truth.observed, start, KEY).log_evidence.sum()

    forcing, h = np.asarray(7.5), 1e-5
    found = float(value(forcing + h)[0] - value(forcing - h)[0]) / (2 * h)
    assert float(value(forcing)[1]) == pytest.approx(found, rel=1e-5)


@pytest.mark.slow
def test_gradients_on_a_grid_are_those_of_the_kalman_filter():
    """Both exact for the autoregression; the midpoint rule and the box cost 1e-7."""
    setting = linear_gaussian()
    observed = setting.twin(KEY).observed[:20]
    line = Grid.from_log_density(setting.initial.log_density, -6, 6, (301,))

    def slope(method, initial):
        @jax.jit
        @jax.value_and_grad
        def value(a):
            where = lambda m: m.transition.function.matrix
            model = eqx.tree_at(where, setting.model, a[None, None])
            return filter(model, method, observed, initial, KEY).log_evidence.sum()

        return value(jnp.asarray(0.9))

    found = slope(GridFilter(), line)
    exact = slope(KalmanFilter(), setting.initial)
    np.testing.assert_allclose(found, exact, rtol=1e-6)


@pytest.mark.slow
def test_gradients_of_particles_stop_at_resampling():
    """Without it they are those of the weights; with it finite, without its part."""
    for threshold in (0.0, 0.8):
        method = ParticleFilter(1.0, threshold)
        rho, h = jnp.asarray(27.5), 1e-5
        _, slopes = scores(method, rho, START)
        above, below = (scores(method, rho + s, START)[0] for s in (h, -h))
        found = (above - below) / (2 * h)
        assert np.isfinite(slopes).all()
        agree = np.allclose(slopes, found, rtol=1e-4)
        assert agree == (threshold == 0)


# Time-averaged analysis RMSE that DAPPER prints beside its settings.
PUBLISHED = [
    (lorenz63_full, EnKF(1.01), 100, 0.56),
    (lorenz63_full, EnKF(1.04), 10, 0.65),
    (lorenz63_full, ETKF(1.02, rotate=True), 10, 0.60),
    (lorenz63_full, ParticleFilter(0.9, 0.2), 800, 0.28),
    (lorenz96_classic, EnKF(1.06), 40, 0.22),
    (lorenz96_classic, ETKF(1.013, rotate=True), 24, 0.18),
    (lorenz96_classic, LETKF(Domain.ring(4, 40), 1.04, rotate=True), 7, 0.22),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "method", "n", "published"),
    [
        # Many particles and forty components take longer.
        pytest.param(
            *case,
            id=f"{case[0].__name__}-{case[1].name}-{case[2]}",
            marks=() if k < 3 else pytest.mark.slow,
        )
        for k, case in enumerate(PUBLISHED)
    ],
)
def test_published_scores(setting, method, n, published):
    """Within 10 %, or two standard errors of a mean over four truths if larger.

    Ten members lose Lorenz-63 in some truths and not in others.
    """
    setting = setting()
    scores = []
    for seed in range(4):
        keys = jax.random.split(jax.random.key(seed), 3)
        truth = setting.twin(keys[0])
        start = setting.ensemble(keys[1], n)
        found = filter(
            setting.model, method, truth.observed, start, keys[2], save=False
        )
        scores.append(float(found.rmse(truth.truth)[setting.burn_in :].mean()))
    error = np.std(scores, ddof=1) / len(scores) ** 0.5
    bound = max(0.1 * published, 2 * error)
    assert np.mean(scores) == pytest.approx(published, abs=bound)
