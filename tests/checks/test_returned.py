"""What a function returned, under its name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.checks import random_key, returned


def test_what_fits_is_kept():
    x = jnp.arange(3.0)
    assert returned("solve", "drift", x, (3,), jnp.float32) is x
    short = np.ones(3, np.float16)
    assert returned("solve", "drift", short, (3,), jnp.float32).dtype == jnp.float16
    whole = returned("solve", "drift", [1, 2, 3], (3,), jnp.float32)
    assert whole.dtype == jnp.float32
    # One number is an array of one entry, but not of several.
    assert returned("solve", "drift", 2.0, (1, 1), jnp.float32).shape == (1, 1)
    assert jax.jit(lambda x: returned("f", "g", x, (3,), x.dtype))(x).shape == (3,)


@pytest.mark.parametrize(
    ("value", "shape", "words"),
    [
        (jnp.ones(1), (3,), r"drift to return real numbers of shape \(3,\), found"),
        (jnp.ones((3, 1)), (3,), r"found shape \(3, 1\)"),
        (2.0, (3,), r"found shape \(\)"),
        (jnp.ones(1), (), "drift to return one real number, found shape"),
        (1j * jnp.ones(3), (3,), "found complex ones"),
        (None, (3,), "found None"),
        ("spoiled", (), "found 'spoiled'"),
        ({"a": 1.0}, (), "found {'a': 1.0}"),
        ([[1.0], [1.0, 2.0]], (2,), "drift to return"),
    ],
)
def test_what_does_not_fit_is_refused(value, shape, words):
    with pytest.raises((TypeError, ValueError), match=words) as raised:
        returned("solve", "drift", value, shape, jnp.float32)
    assert str(raised.value).startswith("solve: expected drift to return")


def test_one_random_key_of_either_kind():
    key = jax.random.key(0)
    random_key("solve", "key", key)
    random_key("solve", "key", jax.random.PRNGKey(0))
    jax.vmap(lambda key: random_key("solve", "key", key))(jax.random.split(key, 3))
    several = jax.random.split(key, 3), jax.random.key_data(key)[None]
    for wrong in (0, None, "spoiled", np.zeros(2), 1.5, *several):
        with pytest.raises(TypeError, match="solve: expected key to be one random key"):
            random_key("solve", "key", wrong)
