"""The training loss of a model: values, gradients and what it refuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.networks import Supervised


X = jnp.arange(6.0).reshape(3, 2) / 3
MODEL = eqx.nn.Linear(2, 2, key=jax.random.key(0))
OUTPUTS = np.asarray(X @ MODEL.weight.T + MODEL.bias)
LABELS = jnp.array([0, 1, 1])


def test_the_named_losses_and_a_function():
    y = jnp.ones((3, 2))
    squares = np.sum((OUTPUTS - 1) ** 2)
    at = Point(MODEL)
    np.testing.assert_allclose(Supervised(X, y).value(at), squares / 2)
    mean = Supervised(X, y, "mean_square").value(at)
    np.testing.assert_allclose(mean, squares / 12)
    entropy = Supervised(X, LABELS, "cross_entropy").value(at)
    logs = OUTPUTS - np.log(np.exp(OUTPUTS).sum(1, keepdims=True))
    np.testing.assert_allclose(entropy, -logs[np.arange(3), LABELS].mean())
    given = Supervised(X, y, lambda f, y: jnp.sum(f - y)).value(at)
    np.testing.assert_allclose(given, np.sum(OUTPUTS - 1))


def test_the_differential_is_the_gradient_in_the_models_parameters():
    # By hand: (f - y) x^T; float32 models stay float32.
    y = jnp.zeros((3, 2))
    gradient = Supervised(X, y).differential(Point(MODEL))
    np.testing.assert_allclose(gradient.weight, OUTPUTS.T @ X, rtol=1e-12)
    np.testing.assert_allclose(gradient.bias, OUTPUTS.sum(0), rtol=1e-12)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (MODEL, X, y))
    value = Supervised(*single[1:]).value(Point(single[0]))
    assert value.dtype == jnp.float32


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((X, jnp.ones(2)), "as many targets as inputs"),
        ((X, jnp.ones(3), "hinge"), "expected loss"),
        ((X.at[0, 0].set(jnp.nan), jnp.ones(3)), "x finite, found nan"),
        ((X, jnp.array([1.0, jnp.inf, 0.0])), "y finite, found inf"),
        ((X, jnp.array(1.0)), "first axis"),
    ],
)
def test_bad_data_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Supervised(*arguments)


def test_what_cannot_be_evaluated_is_refused():
    with pytest.raises(ValueError, match=r"targets of shape \(3, 2\)"):
        Supervised(X, jnp.ones(3)).value(Point(MODEL))
    with pytest.raises(UnsupportedMeasureError):
        Supervised(X, jnp.ones(3)).value(Particles.from_samples(jnp.ones((2, 2))))
    random = eqx.nn.Sequential([MODEL, eqx.nn.Dropout(0.5)])
    with pytest.raises(ValueError, match="holds a Dropout"):
        Supervised(X, jnp.ones((3, 2))).value(Point(random))
    frozen = eqx.nn.inference_mode(random)
    Supervised(X, jnp.ones((3, 2))).value(Point(frozen))
