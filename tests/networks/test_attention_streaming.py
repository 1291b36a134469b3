"""Principal directions of streams whose second moment is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.attention.prompts import gaussian_prompts
from wflow.networks.attention.streaming import stream_pca


TOKENS = np.random.default_rng(0).normal(size=(2, 5, 3)) * [3.0, 1.0, 0.5]
START = jnp.array([0.3, -0.5, 0.2])
KEY = jax.random.key(0)


def test_the_same_prompts_every_time():
    found = stream_pca(lambda key: jnp.array(TOKENS), KEY, START, steps=3000)
    flat = TOKENS.reshape(-1, 3)
    leading = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    for direction in found:
        np.testing.assert_allclose(jnp.linalg.norm(direction), 1, rtol=1e-12)
    np.testing.assert_allclose(abs(found.pooled @ leading), 1, rtol=1e-12)
    # What is left falls like a power of the steps, here by more than 1e-8.
    np.testing.assert_allclose(abs(found.oja @ leading), 1, rtol=1e-8)


def test_one_step_is_the_formula():
    found = stream_pca(lambda key: jnp.array(TOKENS), KEY, START, steps=1, rate=0.7)
    u, flat = START / jnp.linalg.norm(START), TOKENS.reshape(-1, 3)
    u = u + 0.7 / 30 * (flat.T @ flat / 10 @ u)
    np.testing.assert_allclose(found.oja, u / jnp.linalg.norm(u), rtol=1e-12)


def test_a_turned_stream_has_turned_directions():
    turn = jnp.array(np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0])
    root = jnp.diag(jnp.array([2.0, 1.0, 0.5]))
    draw = lambda key: gaussian_prompts(key, root, 4, 8)
    plain = stream_pca(draw, KEY, START, steps=50)
    turned = stream_pca(lambda key: draw(key) @ turn, KEY, START @ turn, steps=50)
    np.testing.assert_allclose(turned.oja, plain.oja @ turn, atol=1e-12)
    np.testing.assert_allclose(abs(turned.pooled @ (plain.pooled @ turn)), 1, rtol=1e-9)


def test_a_start_without_direction_is_refused():
    with pytest.raises(ValueError, match="start other than zero"):
        stream_pca(lambda key: jnp.array(TOKENS), KEY, jnp.zeros(3), steps=2)
    with pytest.raises(ValueError, match="prompts"):
        stream_pca(lambda key: jnp.ones((5, 3)), KEY, START, steps=2)
