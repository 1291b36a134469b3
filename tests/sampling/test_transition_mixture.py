"""Langevin steps that know their own density."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from wflow import solve
from wflow.measures import Gaussian, GaussianMixture, Particles, UnsupportedMeasureError
from wflow.sampling import TransitionMixtureFlow
from wflow.sampling.gaussian import gaussian_shk


KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(12, 2))
W = np.linspace(0.5, 1.5, 12)
TARGET = Gaussian([0.5, -1.0], [[1.0, 0.3], [0.3, 0.5]])
MU = Particles.from_samples(X, W)


@eqx.filter_jit
def jump(flow, mu, h=0.1):
    return flow.jump(mu, 0.0, h, KEY)


def test_weights_follow_the_formula():
    flow = TransitionMixtureFlow(TARGET.log_density, 0.7, 2.0, None)
    mu = jump(flow, MU)
    law = multivariate_normal(TARGET.mean, TARGET.cov)
    centers = X - 0.07 * np.linalg.solve(TARGET.cov, (X - TARGET.mean).T).T
    noise = np.asarray(jax.random.normal(jax.random.split(KEY)[0], X.shape))
    np.testing.assert_allclose(mu.x, centers + 0.14**0.5 * noise, rtol=1e-10)
    rho = [
        W @ [multivariate_normal.pdf(x, c, 0.14 * np.eye(2)) for c in centers]
        for x in np.asarray(mu.x)
    ]
    excess = np.log(rho) - law.logpdf(mu.x)
    w = W * np.exp(-(1 - np.exp(-0.2)) * excess)
    np.testing.assert_allclose(mu.w, w * W.sum() / w.sum(), rtol=1e-9)


def test_without_reaction_it_is_the_unadjusted_step():
    mu = jump(TransitionMixtureFlow(TARGET.log_density, 1.0, 0.0), MU)
    np.testing.assert_allclose(mu.logw, MU.logw, atol=1e-12)


@pytest.mark.slow
def test_gaussian_moments_follow_the_closed_form():
    # Start, and laws at t = 1 by the closed form; five standard errors of 2000 draws,
    # and the bias of a step of 0.02, of which the mixture's smoothing is a part.
    n = 2000
    initial = Gaussian([2.0, 1.0], 0.3 * np.eye(2))
    exact = gaussian_shk(initial, TARGET, 1.0)
    draws = np.random.default_rng(0).normal(size=(n, 2))
    start = Particles.from_samples(initial.mean + 0.3**0.5 * draws)
    flow = TransitionMixtureFlow(TARGET.log_density, resample_below=None)
    mu = solve(flow, start, 0.0, 1.0, dt0=0.02, key=KEY)[-1]
    ess = float(mu.ess)
    sd = np.sqrt(np.diag(exact.cov))
    assert ess > n / 5
    assert np.all(np.abs(mu.mean - exact.mean) < 5 * sd / ess**0.5 + 0.03)
    assert np.all(np.abs(mu.cov - exact.cov) < 5 * 2**0.5 / ess**0.5 + 0.05)


@pytest.mark.slow
def test_mass_goes_to_the_heavier_mode():
    # Two modes far apart: Langevin alone keeps a tenth, reaction makes it .7 by its
    # logit's decay.
    target = GaussianMixture([[-4.0], [4.0]], np.ones((2, 1, 1)), [0.3, 0.7])
    rng = np.random.default_rng(0)
    modes = np.where(rng.random(1000) < 0.9, -4.0, 4.0)
    start = (modes + rng.normal(size=1000))[:, None]
    flow = TransitionMixtureFlow(target.log_density)
    mu = solve(flow, Particles.from_samples(start), 0.0, 1.5, dt0=0.02, key=KEY)[-1]
    share = float(mu.w @ (mu.x[:, 0] > 0) / mu.mass)
    relative = np.log(0.1 / 0.9) - np.log(0.7 / 0.3)
    logit = np.log(0.7 / 0.3) + np.exp(-1.5) * relative
    # Five standard errors of 1000 draws, of which 100 are there at first.
    assert share == pytest.approx(1 / (1 + np.exp(-logit)), abs=0.06)


def test_resampling_below_the_threshold():
    # Longer reaction, few effective particles: equal weights again, the mass kept.
    flow = TransitionMixtureFlow(lambda x: 10 * jnp.sum(x), 1e-3, 5.0, 0.5)
    mu = jump(flow, MU, 1.0)
    np.testing.assert_allclose(mu.w, W.sum() / 12, rtol=1e-10)
    assert len(np.unique(np.asarray(mu.x), axis=0)) < 12


@pytest.mark.slow
def test_gradients():
    # Of weights and positions in both strengths, against central differences.
    def end(p):
        flow = TransitionMixtureFlow(TARGET.log_density, p[0], p[1], None)
        mu = flow.jump(flow.jump(MU, 0.0, 0.1, KEY), 0.1, 0.1, jax.random.key(1))
        return jnp.sum(mu.mean) + mu.cov[0, 1]

    p = jnp.array([0.6, 1.2])
    evaluate = jax.jit(jax.value_and_grad(end))
    difference = [
        (evaluate(p + d)[0] - evaluate(p - d)[0]) / 2e-5 for d in 1e-5 * jnp.eye(2)
    ]
    np.testing.assert_allclose(evaluate(p)[1], difference, rtol=1e-6)


@pytest.mark.slow
def test_float32_and_vmap():
    single = Particles(MU.x.astype(jnp.float32), MU.logw.astype(jnp.float32))
    target = jax.tree.map(lambda a: a.astype(jnp.float32), TARGET)
    flow = TransitionMixtureFlow(target.log_density)
    mu = solve(flow, single, 0.0, 0.2, dt0=0.1, key=KEY)[-1]
    assert mu.x.dtype == mu.logw.dtype == jnp.float32
    betas = jnp.array([0.5, 1.0])
    flows = lambda b: TransitionMixtureFlow(TARGET.log_density, 1.0, b)
    many = jax.jit(jax.vmap(lambda b: flows(b).jump(MU, 0.0, 0.1, KEY)))(betas)
    one = jump(TransitionMixtureFlow(TARGET.log_density), MU)
    np.testing.assert_allclose(many.logw[1], one.logw, atol=1e-10)


def test_bad_input_is_named():
    log_density = TARGET.log_density
    with pytest.raises(ValueError, match="alpha >= 0, found -1"):
        TransitionMixtureFlow(log_density, -1.0)
    with pytest.raises(ValueError, match="beta >= 0, found -2"):
        TransitionMixtureFlow(log_density, 1.0, -2.0)
    with pytest.raises(ValueError, match=r"resample_below in \[0, 1\].*found 2"):
        TransitionMixtureFlow(log_density, resample_below=2.0)
    with pytest.raises(UnsupportedMeasureError, match="Gaussian"):
        TransitionMixtureFlow(log_density).jump(TARGET, 0.0, 0.1, KEY)
