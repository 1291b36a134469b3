"""The bias-corrected average."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.learning.average import averaged, check_decay


def run(values, decay, dtype=float):
    average = jnp.asarray(1e3, dtype)
    for t, value in enumerate(values, start=1):
        average = averaged(average, jnp.asarray(value, dtype), jnp.asarray(t), decay)
    return float(average)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.9999])
def test_exact_on_a_constant_sequence(decay, dtype):
    value = float(np.asarray(0.1, dtype))
    assert run([value] * 50, decay, dtype) == value


def test_weighs_by_powers_of_the_decay():
    values, decay = np.random.default_rng(0).normal(size=30), 0.8
    weights = decay ** np.arange(30)[::-1]
    expected = weights @ values / weights.sum()
    np.testing.assert_allclose(run(values, decay), expected, rtol=1e-13)
    assert run(values, 0.0) == values[-1]


def test_refuses():
    with pytest.raises(ValueError, match=r"ema in \[0, 1\), found 1"):
        check_decay(1)
