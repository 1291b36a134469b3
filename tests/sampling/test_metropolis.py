"""Metropolis-adjusted Langevin steps: the target stays exactly as it is."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import KLDivergence
from wflow.flows import LangevinFlow
from wflow.measures import Gaussian, GaussianMixture, Particles, UnsupportedMeasureError
from wflow.sampling import MetropolisLangevinFlow


KEY = jax.random.key(0)
N = 4000
TARGET = Gaussian([0.5, -1.0], [[1.0, 0.6], [0.6, 0.8]])
MIXTURE = GaussianMixture(
    [[-1.5, 0.0], [1.0, 1.0]],
    [[[0.3, 0.0], [0.0, 0.5]], [[0.6, 0.2], [0.2, 0.4]]],
    [0.3, 0.7],
)


@eqx.filter_jit
def _run(flow, x, key, h, steps):
    def step(mu, key):
        return flow.jump(mu, 0.0, h, key), None

    start = Particles.from_samples(x)
    return jax.lax.scan(step, start, jax.random.split(key, steps))[0]


def run(flow, x, key, h, steps=40):
    """Steps of a length that is an array: other lengths compile nothing."""
    return _run(flow, x, key, jnp.asarray(h, x.dtype), steps)


@eqx.filter_jit
def proposed(flow, x, h):
    return flow.propose(x, h, KEY)


def drawn(target):
    """Exact draws, the same at every call."""
    rng = np.random.default_rng(0)
    if isinstance(target, Gaussian):
        return jnp.asarray(rng.multivariate_normal(target.mean, target.cov, N))
    which = rng.random(N) > 0.3
    roots = np.linalg.cholesky(target.covs)[which.astype(int)]
    z = np.einsum("nij,nj->ni", roots, rng.normal(size=(N, 2)))
    return jnp.asarray(np.asarray(target.means)[which.astype(int)] + z)


@pytest.mark.slow
@pytest.mark.parametrize("target", [TARGET, MIXTURE])
def test_exact_draws_stay_exact(target):
    # A step so long that the unadjusted one doubles variances or diverges.
    x = drawn(target)
    mu = run(MetropolisLangevinFlow(target.log_density), x, KEY, 0.8)
    assert np.mean(np.any(np.asarray(mu.x) != np.asarray(x), axis=1)) > 0.9
    cov = np.asarray(target.cov)
    bound = 5 / N**0.5
    np.testing.assert_allclose(mu.mean, target.mean, atol=bound * cov.max() ** 0.5)
    # Of a product of two coordinates: kurtosis at most three.
    np.testing.assert_allclose(mu.cov, cov, atol=bound * 2**0.5 * cov.max())
    unadjusted = LangevinFlow(KLDivergence(TARGET.log_density))
    biased = solve(
        unadjusted, Particles.from_samples(x), 0.0, 4.0, dt0=0.4, key=KEY, throw=False
    )[-1]
    assert not np.allclose(biased.cov, cov, atol=bound * 2**0.5 * cov.max())


def test_detailed_balance():
    # pi(x) q(x, y) a(x, y) is symmetric, for the accepted move and back.
    flow, step = MetropolisLangevinFlow(MIXTURE.log_density), 0.3
    x = drawn(MIXTURE)
    y, forward = proposed(flow, x, jnp.asarray(step))
    both = jax.jit(jax.vmap(jax.value_and_grad(lambda x: MIXTURE.log_density(x))))
    x, y, (pi_x, score_x), (pi_y, score_y) = jax.tree.map(
        np.asarray, (x, y, both(x), both(y))
    )

    def log_q(a, b, score):
        return -np.sum((b - a - step * score) ** 2, axis=1) / (4 * step)

    gain = pi_y - pi_x + log_q(y, x, score_y) - log_q(x, y, score_x)
    np.testing.assert_allclose(forward, np.minimum(gain, 0), atol=1e-10)


def test_short_steps_are_accepted():
    # The rejected share falls like the 3/2 power of the step.
    flow = MetropolisLangevinFlow(MIXTURE.log_density)
    x = drawn(MIXTURE)
    rejected = [
        np.mean(-np.expm1(np.asarray(proposed(flow, x, jnp.asarray(h))[1])))
        for h in (0.04, 0.01)
    ]
    assert rejected[1] < rejected[0] < 0.1
    assert np.log(rejected[0] / rejected[1]) / np.log(4) == pytest.approx(1.5, abs=0.2)


@pytest.mark.slow
def test_nothing_leaves_the_support():
    # A half-plane, with a density that is infinite in slope at nothing: exponential.
    def log_density(x):
        inside = x[0] > 0
        return jnp.where(inside, -jnp.where(inside, x[0], 0), -jnp.inf) - x[1] ** 2 / 2

    rng = np.random.default_rng(0)
    x = jnp.asarray(np.stack([rng.exponential(size=N), rng.normal(size=N)], 1))
    mu = run(MetropolisLangevinFlow(log_density), x, KEY, 0.5)
    assert np.all(np.asarray(mu.x)[:, 0] > 0)
    # Exponential of mean and variance one: five standard errors, kurtosis nine.
    assert abs(float(mu.mean[0]) - 1) < 5 / N**0.5
    assert abs(float(mu.cov[0, 0]) - 1) < 5 * 8**0.5 / N**0.5
    # Nor is nan accepted, neither as a density nor as a gradient.
    holed = MetropolisLangevinFlow(
        lambda x: jnp.where(jnp.abs(x[0]) > 1, jnp.nan, -jnp.sum(x**2))
    )
    still = run(holed, jnp.clip(x, -0.9, 0.9), KEY, 0.5)
    assert np.all(np.abs(np.asarray(still.x)[:, 0]) <= 1)


@pytest.mark.slow
def test_weights_do_not_move():
    mu = Particles.from_samples(drawn(TARGET), np.linspace(0.5, 2.0, N))
    flow = MetropolisLangevinFlow(TARGET.log_density, lambda t: 0.5 + t)
    moved = solve(flow, mu, 0.0, 0.4, dt0=0.2, key=KEY)[-1]
    np.testing.assert_array_equal(moved.logw, mu.logw)


@pytest.mark.slow
def test_alpha_is_a_length_of_step():
    x = drawn(TARGET)
    slow, fast, still = (
        run(MetropolisLangevinFlow(TARGET.log_density, alpha), x, KEY, h)
        for alpha, h in ((0.5, 0.8), (1.0, 0.4), (0.0, 0.8))
    )
    np.testing.assert_allclose(slow.x, fast.x, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(still.x, x)


@pytest.mark.slow
def test_float32_vmap_and_gradient():
    x = drawn(TARGET)[:64].astype(jnp.float32)
    target = jax.tree.map(lambda a: a.astype(jnp.float32), TARGET)
    flow = MetropolisLangevinFlow(target.log_density)
    keys = jax.random.split(KEY, 3)
    mu = run(flow, x, keys[1], 0.2, 5)
    assert mu.x.dtype == mu.logw.dtype == jnp.float32
    many = jax.jit(jax.vmap(lambda key: run(flow, x, key, 0.2, 5).x))(keys)
    np.testing.assert_allclose(many[1], mu.x, rtol=1e-4, atol=1e-4)
    # Of accepted moves, the decision held fixed.
    total = lambda h: jnp.sum(run(flow, x, KEY, h, 5).x)
    slope = jax.jit(jax.grad(total))(jnp.float32(0.2))
    assert jnp.isfinite(slope)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="alpha >= 0, found -1"):
        MetropolisLangevinFlow(TARGET.log_density, -1.0)
    flow = MetropolisLangevinFlow(TARGET.log_density)
    with pytest.raises(UnsupportedMeasureError, match="Gaussian"):
        flow.jump(TARGET, 0.0, 0.1, KEY)
    with pytest.raises(ValueError, match="needs a key"):
        solve(flow, Particles.from_samples(np.zeros((2, 2))), 0.0, 1.0, dt0=0.5)
