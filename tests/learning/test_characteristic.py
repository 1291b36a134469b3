"""The distance of characteristic functions against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.learning import CharacteristicDistance, Snapshots


RNG = np.random.default_rng(0)


def _uniform(x):
    return jnp.full(len(x), 1 / len(x), x.dtype)


def _prepared(**options):
    snapshots = Snapshots([0.0, 1.0], RNG.normal(size=(2, 50, 2)))
    return CharacteristicDistance(**options).prepared(snapshots, jax.random.key(0))


@pytest.fixture(scope="module")
def loss():
    return _prepared(count=16)


@pytest.mark.slow
def test_mean_over_different_points(loss):
    """The double sums over pairs, written out."""
    x, y = jnp.asarray(RNG.normal(size=(6, 2))), jnp.asarray(RNG.normal(size=(5, 2)))
    f = np.asarray(loss.frequencies)

    def kernel(a, b):
        return np.cos((a[:, None] - b[None]) @ f.T).mean(-1)

    def different(k):
        n = len(k)
        return (k.sum() - np.trace(k)) / (n * (n - 1))

    expected = different(kernel(x, x)) + different(kernel(y, y))
    expected -= 2 * kernel(x, y).mean()
    found = loss(x, _uniform(x), y, 3 * _uniform(y))
    np.testing.assert_allclose(found.value, expected, rtol=1e-12)
    assert bool(found.converged)


@pytest.mark.slow
def test_no_bias_from_small_batches(loss):
    """The mean over pairs of batches is the distance of the laws, here zero.

    From six points each a distance with its diagonal would be some 0.3 too large.
    """
    clouds = jax.random.normal(jax.random.key(1), (2, 4000, 6, 2))
    w = jnp.full(6, 1 / 6)
    values = jax.vmap(lambda x, y: loss(x, w, y, w).value)(*clouds)
    error = float(values.std()) / np.sqrt(len(values))
    assert error < 0.01
    assert abs(float(values.mean())) < 3 * error


@pytest.mark.slow
def test_gaussians_in_closed_form():
    """Large clouds of N(0, I) and N(0, s^2 I): exp(-|f|^2 s^2 / 2) each."""
    loss = _prepared(count=8)
    x = jnp.asarray(np.random.default_rng(2).normal(size=(40_000, 2)))
    r2 = np.sum(np.asarray(loss.frequencies) ** 2, axis=1)
    expected = np.mean((np.exp(-r2 / 2) - np.exp(-r2 * 1.5**2 / 2)) ** 2)
    found = loss(x, _uniform(x), 1.5 * x, _uniform(x)).value
    np.testing.assert_allclose(found, expected, rtol=0.05)


@pytest.mark.slow
def test_gradient_and_padding(loss):
    x, y = jnp.asarray(RNG.normal(size=(4, 2))), jnp.asarray(RNG.normal(size=(4, 2)))
    w = jnp.array([0.5, 0.3, 0.2, 0.0])

    def value(x):
        return loss(x, w, y, w).value

    gradient = jax.grad(value)(x)
    h = 1e-5
    for i, j in ((0, 0), (1, 1), (2, 0)):
        e = jnp.zeros_like(x).at[i, j].set(h)
        central = (value(x + e) - value(x - e)) / (2 * h)
        np.testing.assert_allclose(gradient[i, j], central, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(gradient[3], 0)
    # A single point has no pairs: its term is one, and nothing is divided by zero.
    one = jnp.array([1.0, 0.0, 0.0, 0.0])
    assert np.isfinite(loss(x, one, y, w).value)
    assert np.isfinite(jax.grad(lambda x: loss(x, one, y, w).value)(x)).all()


@pytest.mark.slow
def test_single_precision(loss):
    x = jnp.asarray(RNG.normal(size=(5, 2)), jnp.float32)
    assert loss(x, _uniform(x), x + 1, _uniform(x)).value.dtype == jnp.float32


def test_lengths_follow_the_spread():
    """Twice the spread halves the frequencies; prepared twice is prepared once."""
    clouds = RNG.normal(size=(2, 40, 3))
    key = jax.random.key(3)
    first, second = (
        CharacteristicDistance(4).prepared(Snapshots([0, 1], c * clouds), key)
        for c in (1, 2)
    )
    np.testing.assert_allclose(first.frequencies, 2 * second.frequencies, rtol=1e-9)
    assert first.prepared(Snapshots([0, 1], clouds), jax.random.key(9)) is first


def test_wrong_arguments():
    for options in ({"count": 0}, {"shortest": 0.0}, {"shortest": 3.0}):
        with pytest.raises(ValueError, match="CharacteristicDistance: expected count"):
            CharacteristicDistance(**options)
    x = jnp.zeros((3, 2))
    with pytest.raises(ValueError, match="call prepared"):
        CharacteristicDistance()(x, _uniform(x), x, _uniform(x))
