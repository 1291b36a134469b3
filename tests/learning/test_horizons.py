"""Horizons: range, ramp and distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.learning import FixedHorizon, FullHorizon, RandomHorizon


LONGEST = 8


@jax.jit
def draws(horizon, progress):
    keys = jax.random.split(jax.random.key(0), 4000)
    longest = jnp.asarray(LONGEST, jnp.int32)
    return jax.vmap(lambda key: horizon(key, progress, longest))(keys)


@pytest.mark.parametrize(
    ("ramp", "progress", "largest"),
    [
        (0.5, 0.0, 1),
        (0.5, 0.0624, 1),
        (0.5, 0.0626, 2),
        (0.5, 0.4374, 7),
        (0.5, 0.5, 8),
        (0.5, 0.99, 8),
        (0.0, 0.0, 8),
    ],
)
def test_random_horizon_is_uniform_up_to_the_ramp(ramp, progress, largest):
    found = np.asarray(draws(RandomHorizon(ramp), progress))
    share = np.bincount(found, minlength=LONGEST + 1)[1:] / len(found)
    np.testing.assert_array_equal(share[largest:], 0)
    # Five standard errors of a share.
    error = 5 * np.sqrt(1 / largest / len(found))
    np.testing.assert_allclose(share[:largest], 1 / largest, atol=error)
    assert set(np.asarray(draws(FullHorizon(ramp), progress))) == {largest}


def test_full_and_fixed():
    assert set(np.asarray(draws(FullHorizon(), 0.0))) == {LONGEST}
    assert set(np.asarray(draws(FixedHorizon(3), 0.0))) == {3}
    assert set(np.asarray(draws(FixedHorizon(30), 0.0))) == {LONGEST}


def test_refuses():
    with pytest.raises(ValueError, match=r"ramp in \[0, 1\]"):
        RandomHorizon(1.5)
    with pytest.raises(ValueError, match=r"FullHorizon: expected ramp in \[0, 1\]"):
        FullHorizon(-0.1)
    with pytest.raises(ValueError, match="length >= 1, found 0"):
        FixedHorizon(0)
