"""Systematic resampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Particles
from wflow.measures.resampling import resampled, systematic_ancestors


W = np.array([0.05, 2.0, 0.0, 0.31, 1.7, 0.9])
MU = Particles.from_samples(np.arange(12.0).reshape(6, 2), W)
KEYS = jax.random.split(jax.random.key(0), 2000)
draw = jax.jit(jax.vmap(systematic_ancestors, (0, None)))


def test_counts_are_the_integers_next_to_the_shares():
    ancestors = np.asarray(draw(KEYS, MU))
    assert ancestors.shape == (2000, 6)
    assert np.all(np.diff(ancestors, axis=1) >= 0)
    counts = np.stack([np.sum(ancestors == i, axis=1) for i in range(6)], axis=1)
    shares = 6 * W / W.sum()
    assert np.all(counts >= np.floor(shares))
    assert np.all(counts <= np.ceil(shares))
    # Right on average: a count deviates by less than 1/2 a draw; five standard errors.
    np.testing.assert_allclose(counts.mean(0), shares, atol=5 * 0.5 / 2000**0.5)
    assert not np.any(ancestors == 2)  # weight zero


@pytest.mark.slow
def test_mass_is_kept_in_equal_weights():
    mu = resampled(KEYS[0], MU)
    np.testing.assert_allclose(mu.w, W.sum() / 6, rtol=1e-12)
    np.testing.assert_array_equal(mu.x, MU.x[systematic_ancestors(KEYS[0], MU)])
    np.testing.assert_allclose(mu.ess, 6, rtol=1e-12)
    kept = resampled(KEYS[0], MU, jnp.asarray(False))
    np.testing.assert_array_equal(kept.logw, MU.logw)
    np.testing.assert_array_equal(kept.x, MU.x)


def test_equal_weights_draw_everyone_once():
    equal = Particles.from_samples(np.arange(6.0)[:, None], np.full(6, 0.3))
    for key in KEYS[:5]:
        np.testing.assert_array_equal(systematic_ancestors(key, equal), np.arange(6))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_one_particle_holds_all(dtype):
    logw = jnp.full(6, -800.0, dtype).at[3].set(0)
    mu = Particles(MU.x.astype(dtype), logw)
    for key in KEYS[:5]:
        np.testing.assert_array_equal(systematic_ancestors(key, mu), np.full(6, 3))
    assert resampled(KEYS[0], mu).x.dtype == dtype


def test_no_index_is_out_of_range_in_float32():
    # Levels of 1e5 float32 weights end above or below one by rounding.
    n = 100_000
    logw = jnp.asarray(np.random.default_rng(0).normal(size=n), jnp.float32)
    mu = Particles(jnp.zeros((n, 1), jnp.float32), logw)
    ancestors = np.asarray(jax.jit(systematic_ancestors)(KEYS[0], mu))
    assert ancestors.min() >= 0
    assert ancestors.max() <= n - 1


@pytest.mark.slow
def test_gradients_pass_through_positions_and_mass_alone():
    ancestors = systematic_ancestors(KEYS[0], MU)

    def end(x, logw):
        return resampled(KEYS[0], Particles(x, logw)).integrate(lambda x: x[0])

    dx, dlogw = jax.grad(end, (0, 1))(MU.x, MU.logw)
    counts = np.bincount(np.asarray(ancestors), minlength=6)
    np.testing.assert_allclose(dx[:, 0], counts * W.sum() / 6, rtol=1e-12)
    chosen = np.asarray(MU.x)[np.asarray(ancestors), 0]
    np.testing.assert_allclose(dlogw, W * chosen.mean(), rtol=1e-9, atol=1e-12)
