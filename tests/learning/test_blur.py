"""The blur of a training: half the median distance within a snapshot."""

import jax
import numpy as np
import pytest

from wflow.learning.blur import median_blur


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 2)), RNG.normal(size=(30, 2)) + 0.5


def test_median_blur():
    key = jax.random.key(0)
    clouds = [X, Y, 3 * X]
    exact = [
        np.median(np.linalg.norm(x[:, None] - x, axis=-1)[np.triu_indices(len(x), 1)])
        for x in clouds
    ]
    blur = median_blur(clouds, key=key, low=1e-3, high=10.0)
    np.testing.assert_allclose(blur, np.median(exact) / 2, rtol=0.05)
    assert blur == median_blur(clouds, key=key, low=1e-3, high=10.0)
    assert median_blur(clouds, key=key, low=1e-3, high=0.1) == 0.1
    assert median_blur([np.ones((4, 2))], key=key, low=1e-3, high=0.1) == 1e-3
    with pytest.raises(ValueError, match="low > 0, found 0.0"):
        median_blur(clouds, key=key, low=0.0, high=1.0)
    with pytest.raises(ValueError, match=r"snapshots\[1\] of at least two points"):
        median_blur([X, X[:1]], key=key, low=1e-3, high=1.0)
    with pytest.raises(ValueError, match="pairs >= 1"):
        median_blur([X], key=key, low=0.1, high=1.0, pairs=0)
