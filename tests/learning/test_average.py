"""The bias-corrected average."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.learning.average import averaged, check_decay


def run(values, decay, dtype=float, group="network"):
    average = jnp.asarray(1e3, dtype)
    for t, value in enumerate(values, start=1):
        value = jnp.asarray(value, dtype)
        average = averaged(average, value, jnp.asarray(t), decay, group)
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


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("steps", [20, 150, 400])
def test_nothing_is_left_of_where_a_scalar_started(decay, steps):
    """On a ramp over the first half, then constant: as the last tenth of training."""
    values = [*np.linspace(0.5, 0.8, steps // 2), *[0.8] * (steps - steps // 2)]
    assert run(values, decay, group="scalar") == pytest.approx(0.8, rel=1e-3)


def test_a_scalar_has_the_rate_of_its_decay_in_the_end():
    values, decay, steps = np.random.default_rng(0).normal(size=300), 0.9, 300
    weights = decay ** np.arange(steps)[::-1]
    expected = weights @ values / weights.sum()
    found = run(values, decay, group="scalar")
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    weights = np.array(
        [
            np.prod(np.arange(s, 40) / np.arange(s + 10, 50)) * 10 / (s + 9)
            for s in range(1, 41)
        ]
    )
    assert weights.sum() == pytest.approx(1)
    found = run(values[:40], 0.999, group="scalar")
    np.testing.assert_allclose(found, weights @ values[:40], rtol=1e-12)


def test_refuses():
    with pytest.raises(ValueError, match=r"ema in \[0, 1\), found 1"):
        check_decay(1)
