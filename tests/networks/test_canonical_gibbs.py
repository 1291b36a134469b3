"""The canonical prior: its quantiles, its Gaussian limit, and noise on leaves."""

import diffrax
import jax
import numpy as np
import pytest
from canonical_models import ONE, TIGHT, X1, outer, product

from wflow.geometries import Riemannian
from wflow.measures import Point
from wflow.networks.canonical import GeodesicRidge, GibbsProcess, NTKMetric, Ridge
from wflow.networks.canonical.gibbs import HorizontalLangevinFlow
from wflow.solvers import solve


METRIC = NTKMetric(ONE[None])
START = Point(outer([0.5, -0.2, 0.3], linear=True))
COUNT = 2000


@pytest.mark.slow
def test_one_output_is_a_push_forward():
    # Known to 10 digits: the 84.13 % quantile is the model at distance sigma.
    process = GibbsProcess(NTKMetric(X1), Point(product(1.0, 0.0)), 0.8)
    push = jax.jit(lambda z: process.push_forward(z, throw=False, **TIGHT).value)
    for sign in (1, -1):
        end = push(sign * process.sigma)
        np.testing.assert_allclose(end.u * end.v[0], sign * 0.9367584258, atol=1e-8)
        np.testing.assert_allclose(end.u**2 - end.v[0] ** 2, 1.0, atol=1e-9)


@pytest.mark.slow
def test_samples_of_one_output_have_the_quantiles():
    process = GibbsProcess(NTKMetric(X1), Point(product(1.0, 0.0)), 0.8)
    models = process.sample(jax.random.key(0), COUNT).value
    f = models.u * models.v[:, 0]
    below = np.array([np.mean(f < q) for q in (-0.9367584258, 0.0, 0.9367584258)])
    expected = np.array([0.15865525, 0.5, 0.84134475])
    z = (below - expected) / np.sqrt(expected * (1 - expected) / COUNT)
    assert np.abs(z).max() < 4


def check_normal(f, mean, cov):
    """Mean and covariance of draws, entry by entry, within four standard errors."""
    z = (f.mean(0) - mean) / np.sqrt(np.diag(cov) / len(f))
    assert np.abs(z).max() < 4
    spread = np.sqrt((cov**2 + np.outer(np.diag(cov), np.diag(cov))) / len(f))
    assert (np.abs(np.cov(f.T) - cov) / spread).max() < 4


@pytest.mark.slow
def test_the_kernel_regime_is_a_gaussian_process():
    # N(f0, sigma^2 K), for the heat kernel exactly.
    process = GibbsProcess(METRIC, START, 0.8)
    models = process.sample(jax.random.key(1), COUNT, steps=4)
    f = np.asarray(jax.vmap(METRIC.outputs)(models))
    k = np.asarray(METRIC.kernel(START).as_matrix())
    check_normal(f, np.asarray(METRIC.outputs(START)), 0.64 * k)


@pytest.mark.slow
def test_langevin_has_the_prior_as_its_law():
    # dtheta = -P_H (theta - theta_0) dt + sigma sqrt(2) P_H dW, stationary N(f0,
    # sigma^2 K) but for e^{-2t} = 3e-4 and the step's error.
    flow = HorizontalLangevinFlow(METRIC, Ridge(START), 0.64)

    @jax.jit
    @jax.vmap
    def run(key):
        return METRIC.outputs(
            solve(flow, START, 0.0, 4.0, dt0=0.05, key=key, throw=False)[-1]
        )

    f = np.asarray(run(jax.random.split(jax.random.key(2), COUNT)))
    k = np.asarray(METRIC.kernel(START).as_matrix())
    check_normal(f, np.asarray(METRIC.outputs(START)), 0.64 * k)


def test_the_priors_own_langevin_flow():
    # Its energy is tested as geodesic ridge, its noise above.
    flow = GibbsProcess(METRIC, START, 0.8).langevin(modes=3)
    assert isinstance(flow.energy, GeodesicRidge)
    assert flow.energy.modes == 3
    assert flow.temperature == pytest.approx(0.64)


@pytest.mark.slow
def test_noise_stays_on_the_leaf():
    # Stratonovich, by Heun: u^2 - v^2 to 2e-3 at 200 steps, as the specification found.
    flow = HorizontalLangevinFlow(NTKMetric(X1), None, 0.32)

    @jax.jit
    @jax.vmap
    def run(key):
        start = Point(product(1.0, 0.0))
        end = solve(flow, start, 0.0, 1.0, dt0=0.005, key=key, throw=False)[-1].value
        return end.u**2 - end.v[0] ** 2, end.u * end.v[0]

    invariant, f = run(jax.random.split(jax.random.key(3), COUNT))
    assert np.abs(invariant - 1).mean() < 2e-3
    # Along the leaf the arc coordinate is a Brownian motion: the law above.
    below = np.mean(f < 0.9367584258)
    assert abs(below - 0.84134475) < 4 * np.sqrt(0.84 * 0.16 / COUNT)


def test_wrong_solvers_and_settings_are_refused():
    flow = HorizontalLangevinFlow(METRIC, None, 1.0)
    with pytest.raises(ValueError, match="Stratonovich's; Euler"):
        solve(flow, START, 0.0, 1.0, solver=diffrax.Euler(), key=jax.random.key(0))
    with pytest.raises(ValueError, match="sigma > 0"):
        GibbsProcess(METRIC, START, 0.0)
    with pytest.raises(ValueError, match="one output"):
        GibbsProcess(METRIC, START, 1.0).push_forward(0.5)
    curved = NTKMetric(X1, Riemannian(lambda value: None))
    with pytest.raises(TypeError, match="Euclidean"):
        HorizontalLangevinFlow(curved)
