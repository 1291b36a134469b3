"""The reaction by weights against its closed forms on three measures."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from wflow import solve
from wflow.energies import KDE, MMD, GaussianClosure, KLDivergence
from wflow.flows import (
    GradientFlow,
    LangevinFlow,
)
from wflow.flows.sums import SplitFlow
from wflow.geometries import FisherRao
from wflow.kernels import GaussianKernel
from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    Phase,
    UnsupportedMeasureError,
)
from wflow.measures.base import ImplicitEntropyError
from wflow.sampling import ReweightingFlow


COV = np.array([[1.0, 0.3], [0.3, 0.5]])
TARGET = Gaussian([0.5, -1.0], COV)
MIXTURE = GaussianMixture([[-1.5], [1.0]], [[[0.3]], [[0.6]]], [0.3, 0.7])
KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(20, 2))
W = np.random.default_rng(1).uniform(0.5, 1.5, size=20)
CLOUD = Particles.from_samples(X, W)


class Shifted(eqx.Module):
    """A Gaussian log-density plus a constant: another one compiles nothing."""

    constant: jax.Array

    def __call__(self, x):
        return TARGET.log_density(x) + self.constant


class Until(eqx.Module):
    """A rate up to a time, and none after."""

    rate: jax.Array
    end: jax.Array

    def __call__(self, t):
        return jnp.where(t < self.end, self.rate, 0.0)


@eqx.filter_jit
def _jump(flow, mu, h):
    return flow.jump(mu, 0.0, h, KEY)


def jump(flow, mu, h):
    return _jump(flow, mu, jnp.asarray(h))


def test_on_gaussians_precisions_are_interpolated():
    # rho_0^{e^-bt} pi^{1 - e^-bt} of two Gaussians, for any step.
    start = Gaussian([2.0, 1.0], np.diag([0.2, 3.0]))
    flow = ReweightingFlow(KLDivergence(TARGET.log_density), 0.8)
    for h in (1e-3, 0.7, 40.0):
        kept = np.exp(-0.8 * h)
        p0, p1 = np.linalg.inv(start.cov), np.linalg.inv(COV)
        precision = kept * p0 + (1 - kept) * p1
        moment = kept * p0 @ start.mean + (1 - kept) * p1 @ TARGET.mean
        mu = jump(flow, start, h)
        np.testing.assert_allclose(mu.cov, np.linalg.inv(precision), rtol=1e-10)
        np.testing.assert_allclose(mu.mean, np.linalg.solve(precision, moment))


@pytest.mark.slow
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_on_grids_logarithms_are_interpolated(dim):
    def log_pi(x):
        return -jnp.sum(x**4) / 4 + jnp.sum(jnp.sin(x))

    def log_rho(x):
        return -jnp.sum((x - 0.4) ** 2)

    shape = (24, 16, 8)[:dim]
    start = Grid.from_log_density(log_rho, -2.0, 2.0, shape)
    doubled = start.with_state(2 * start.density)  # the mass is kept, whatever it is
    mu = jump(ReweightingFlow(KLDivergence(log_pi), 1.3), doubled, 0.6)
    kept = np.exp(-1.3 * 0.6)
    exact = Grid.from_log_density(
        lambda x: kept * log_rho(x) + (1 - kept) * log_pi(x), -2.0, 2.0, shape
    )
    np.testing.assert_allclose(mu.density, 2 * exact.density, rtol=1e-12)
    np.testing.assert_allclose(mu.mass, 2, rtol=1e-12)


def test_what_is_empty_stays_empty():
    # Reaction moves no support, and a target of -inf takes all that is there.
    start = Grid([1.0, 0.0, 1.0, 2.0], 0.0, 4.0)

    def log_pi(x):
        return jnp.where(x[0] > 3, -jnp.inf, 0.0)

    mu = jump(ReweightingFlow(KLDivergence(log_pi)), start, 1.0)
    np.testing.assert_allclose(mu.density, [2.0, 0.0, 2.0, 0.0], rtol=1e-12)


def shifted(constant):
    return KLDivergence(Shifted(jnp.asarray(constant)), KDE(0.7, "plug_in"))


def test_on_particles_weights_follow_the_formula():
    mu = jump(ReweightingFlow(shifted(0.0), 2.0), CLOUD, 0.3)
    r2 = np.sum((X[:, None] - X) ** 2, -1)
    log_rho = np.log(np.exp(-r2 / (2 * 0.49)) @ W) - np.log(2 * np.pi * 0.49)
    excess = log_rho - multivariate_normal(TARGET.mean, COV).logpdf(X)
    w = W * np.exp(-(1 - np.exp(-0.6)) * excess)
    np.testing.assert_allclose(mu.w, w * W.sum() / w.sum(), rtol=1e-12)
    np.testing.assert_array_equal(mu.x, CLOUD.x)
    # A constant in the target, as that of no normalizer, changes nothing.
    again = jump(ReweightingFlow(shifted(30.0), 2.0), CLOUD, 0.3)
    np.testing.assert_allclose(again.logw, mu.logw, atol=1e-10)


@pytest.mark.slow
def test_first_order_is_the_fisher_rao_velocity():
    kl = shifted(0.0)
    rate = GradientFlow(kl, FisherRao()).velocity(CLOUD)[1]
    moved = np.asarray(jump(ReweightingFlow(kl), CLOUD, 1e-6).logw)
    slope = (moved - np.asarray(CLOUD.logw)) / 1e-6
    np.testing.assert_allclose(slope, rate, atol=1e-5)


@pytest.mark.slow
def test_steps_add_on_densities():
    # Exact: ten steps are one step of ten times the length.
    kl = KLDivergence(MIXTURE.log_density)
    flow = ReweightingFlow(kl, Until(jnp.asarray(0.9), jnp.asarray(jnp.inf)))
    start = Grid.from_log_density(lambda x: -jnp.sum(x**2), -4.0, 4.0, (32,))
    ten = solve(flow, start, 0.0, 1.0, dt0=0.1)[-1]
    np.testing.assert_allclose(ten.density, jump(flow, start, 1.0).density, rtol=1e-11)
    # A schedule is taken at the start of every step.
    half = ReweightingFlow(kl, Until(jnp.asarray(1.8), jnp.asarray(0.45)))
    switched = solve(half, start, 0.0, 1.0, dt0=0.1)[-1]
    np.testing.assert_allclose(switched.density, ten.density, rtol=1e-11)


@pytest.mark.slow
def test_resampling():
    # Closure around points far from the target: few particles carry all the weight.
    kl = KLDivergence(lambda x: 8 * jnp.sum(x), GaussianClosure())
    never = jump(ReweightingFlow(kl), CLOUD, 1.0)
    assert never.ess < 4
    mu = jump(ReweightingFlow(kl, resample_below=0.5), CLOUD, 1.0)
    np.testing.assert_allclose(mu.w, W.sum() / 20, rtol=1e-12)
    points, counts = np.unique(np.asarray(mu.x), axis=0, return_counts=True)
    share = np.asarray(never.w) / float(never.mass)
    for point, count in zip(points, counts, strict=True):
        (i,) = np.flatnonzero(np.all(point == X, axis=1))
        assert abs(count - 20 * share[i]) < 1
    # Above the threshold nothing is drawn.
    calm = jump(ReweightingFlow(kl, 1e-3, resample_below=0.5), CLOUD, 1.0)
    np.testing.assert_array_equal(calm.x, CLOUD.x)
    assert ReweightingFlow(kl, resample_below=0.5).random
    assert not ReweightingFlow(kl).random


def test_without_resampling_no_key_is_needed():
    kl = KLDivergence(TARGET.log_density, GaussianClosure())
    quiet = ReweightingFlow(kl)
    a = solve(quiet, CLOUD, 0.0, 0.2, dt0=0.1)[-1]
    b = solve(quiet, CLOUD, 0.0, 0.2, dt0=0.1, key=jax.random.key(7))[-1]
    np.testing.assert_array_equal(a.logw, b.logw)
    noisy = LangevinFlow(KLDivergence(TARGET.log_density)) + quiet
    assert isinstance(noisy, SplitFlow)
    for flow in (noisy, ReweightingFlow(kl, resample_below=0.5)):
        with pytest.raises(ValueError, match="needs a key"):
            solve(flow, CLOUD, 0.0, 0.2, dt0=0.1)


@pytest.mark.slow
def test_float32_and_vmap():
    kl = KLDivergence(TARGET.log_density, KDE(form="plug_in"))
    single = Particles(CLOUD.x.astype(jnp.float32), CLOUD.logw.astype(jnp.float32))
    flow = ReweightingFlow(kl, 0.5, resample_below=0.3)
    mu = solve(flow, single, 0.0, 0.2, dt0=0.1, key=KEY)[-1]
    assert mu.x.dtype == mu.logw.dtype == jnp.float32
    exact = solve(flow, CLOUD, 0.0, 0.2, dt0=0.1, key=KEY)[-1]
    np.testing.assert_allclose(mu.logw, exact.logw, atol=1e-4)
    rates = jnp.array([0.1, 0.5])
    end = lambda rate: ReweightingFlow(kl, rate).jump(CLOUD, 0.0, 0.1, KEY).logw
    many = jax.jit(jax.vmap(end))(rates)
    np.testing.assert_allclose(many[1], jump(ReweightingFlow(kl, 0.5), CLOUD, 0.1).logw)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda kl: ReweightingFlow(kl, -1.0),
            ValueError,
            "rate >= 0, found -1",
        ),
        (
            lambda kl: ReweightingFlow(kl, np.nan),
            ValueError,
            "rate >= 0, found nan",
        ),
        (lambda kl: ReweightingFlow(kl, 1.0, 1.5), ValueError, r"\[0, 1\].*found 1.5"),
        (lambda kl: ReweightingFlow(kl, 1.0, -0.1), ValueError, "found -0.1"),
        (
            lambda kl: ReweightingFlow(MMD(GaussianKernel(1.0), CLOUD)),
            TypeError,
            "KLDivergence, found MMD",
        ),
        (
            lambda kl: ReweightingFlow(kl).jump(CLOUD, 0.0, 0.1, KEY),
            ImplicitEntropyError,
            "density",
        ),
        (
            lambda kl: ReweightingFlow(kl).jump(Phase.at_rest(CLOUD), 0.0, 0.1, KEY),
            UnsupportedMeasureError,
            "Phase",
        ),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make(KLDivergence(TARGET.log_density))
