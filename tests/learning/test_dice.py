"""DICE on straight lines."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import weighted

from wflow.learning import DICE, Snapshots
from wflow.learning.dice import dice_loss
from wflow.learning.stacks import stacked


U = np.array([0.8, -0.4])
TIMES = np.array([0.0, 0.5, 1.5, 2.0])
LEAST = -0.5 * U @ U * 2.0


class Affine(eqx.Module):
    """s(x, t) = p.x + q t."""

    slope: jax.Array
    rate: jax.Array

    def __call__(self, x, t):
        return self.slope @ x + self.rate * t

    def velocity(self, x, t):
        return self.slope


@pytest.fixture(scope="module")
def straight(snapshots):
    clouds = [snapshots[0] + t * U for t in TIMES]
    return Snapshots(TIMES, clouds)


@pytest.mark.slow
def test_least_value_and_minimizer(straight):
    stack = stacked(straight)
    value = jax.value_and_grad(lambda s: dice_loss(s, TIMES, stack.x, stack.weights))
    found, gradient = value(Affine(jnp.asarray(U), jnp.asarray(0.7)))
    np.testing.assert_allclose(found, LEAST, rtol=1e-13)
    np.testing.assert_allclose(gradient.slope, 0, atol=1e-13)
    np.testing.assert_allclose(gradient.rate, 0, atol=1e-13)
    off, _ = value(Affine(jnp.asarray(U + [0.1, 0.2]), jnp.asarray(0.0)))
    np.testing.assert_allclose(off - found, 0.5 * 0.05 * 2.0, rtol=1e-12)


@pytest.mark.slow
def test_padding_does_not_count(snapshots):
    stack = stacked(weighted(snapshots))
    model = Affine(jnp.asarray([0.3, 1.0]), jnp.asarray(0.0))
    moved = jnp.where(stack.weights[..., None] > 0, stack.x, 99.0)
    found = [dice_loss(model, TIMES, x, stack.weights) for x in (stack.x, moved)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-13)


@pytest.mark.slow
def test_training_finds_the_velocity():
    # In other units too: meters for kilometers, years for days. Of few points the
    # network sees more motion than there is.
    x, key = np.random.default_rng(0).normal(size=(200, 2)), jax.random.key(0)
    rule = DICE(steps=300, width=16, batch=64)
    for length, time in ((1.0, 1.0), (1000.0, 1 / 365)):
        snapshots = Snapshots(time * TIMES, [length * (x + t * U) for t in TIMES])
        expected = length / time * U
        for v in rule(snapshots, key):
            error = np.sqrt(np.mean(np.sum((v - expected) ** 2, axis=1)))
            assert error < 0.15 * np.linalg.norm(expected)


def test_refuses(straight):
    with pytest.raises(ValueError, match="steps >= 1, found 0"):
        DICE(steps=0)
    with pytest.raises(ValueError, match="at least two snapshots"):
        DICE()(straight.take([0]), jax.random.key(0))
