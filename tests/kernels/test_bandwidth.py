"""Bandwidth rules against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from wflow.kernels import median_bandwidth, silverman_bandwidth


X = np.random.default_rng(0).normal(size=(31, 3)) * [1.0, 2.0, 0.5]


@pytest.mark.slow
def test_median_rule():
    expected = np.sqrt(np.median(pdist(X) ** 2) / (2 * np.log(32)))
    np.testing.assert_allclose(median_bandwidth(jnp.asarray(X)), expected, rtol=1e-13)


@pytest.mark.slow
def test_median_rule_on_some_points_keeps_n():
    rows = X[[0, 10, 20, 30]]
    expected = np.sqrt(np.median(pdist(rows) ** 2) / (2 * np.log(32)))
    value = median_bandwidth(jnp.asarray(X), max_points=4)
    np.testing.assert_allclose(value, expected, rtol=1e-13)


@pytest.mark.slow
def test_silverman_rule():
    sigma = X.std(axis=0)
    expected = (4 / 5) ** (1 / 7) * 31 ** (-1 / 7) * sigma
    np.testing.assert_allclose(silverman_bandwidth(jnp.asarray(X)), expected)


@pytest.mark.slow
def test_silverman_rule_with_weights():
    # Repeating points as often as their weight says changes sigma not at all; the
    # effective sample size is that of the weights.
    counts = np.arange(31) % 3
    repeated = np.repeat(X, counts, axis=0)
    ess = counts.sum() ** 2 / (counts**2).sum()
    expected = (4 / 5) ** (1 / 7) * ess ** (-1 / 7) * repeated.std(axis=0)
    logw = jnp.log(jnp.asarray(counts, float)) + 7.0
    np.testing.assert_allclose(silverman_bandwidth(jnp.asarray(X), logw), expected)


@pytest.mark.slow
def test_degenerate_clouds_are_refused():
    for rule in (median_bandwidth, silverman_bandwidth):
        with pytest.raises(ValueError, match="n >= 2, found"):
            rule(jnp.ones((1, 2)))
        with pytest.raises((RuntimeError, ValueError), match="coincide"):
            jax.block_until_ready(rule(jnp.ones((5, 2))))
    with pytest.raises(ValueError, match="max_points >= 2"):
        median_bandwidth(jnp.ones((5, 2)), max_points=1)


@pytest.mark.slow
def test_float32():
    x = jnp.asarray(X, jnp.float32)
    assert median_bandwidth(x).dtype == jnp.float32
    assert silverman_bandwidth(x, jnp.zeros(31, jnp.float32)).dtype == jnp.float32
