"""The adaptive solve in the weights, beside a neuron whose way is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.saddle import ReLUData
from wflow.networks.saddle.neurons import LogNeurons, from_weights
from wflow.networks.saddle.weights import solve_weights


Y = np.array([1.0, 0.5, 2.0])
SIZE = np.sqrt(5.25)


def aligned(data, length, level):
    """One balanced neuron along the labels, and a part of w that no input sees."""
    activation = np.exp(level) * length * Y[None] / SIZE
    return from_weights(data, [np.exp(level)], activation, [0.3])


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_an_aligned_neuron_is_logistic(whole):
    r"""$\dot z = \frac{2l}{N} z(|y| - l z)$ for $z = a^2$ and inputs of length l."""
    length, normalizer = 2.0, 6.0
    gram = length**2 * np.eye(3) if whole else length**2 * np.ones(3)
    data = ReLUData(Y, gram, normalizer)
    neurons = aligned(data, length, -3.0)
    course = solve_weights(data, neurons, 5.0, points=10, rtol=1e-9, atol=1e-12)
    assert bool(course.finished)
    np.testing.assert_allclose(course.times, np.linspace(0, 5, 11), rtol=1e-12)
    cap, rate = SIZE / length, 2 * length * SIZE / normalizer
    z = cap / (1 + (cap * np.exp(6.0) - 1) * np.exp(-rate * np.linspace(0, 5, 11)))
    # The solver's tolerance, over some twenty growth times.
    found = np.exp(2 * course.neurons.level[:, 0])
    np.testing.assert_allclose(found, z, rtol=1e-7)
    np.testing.assert_allclose(
        course.neurons.rest[:, 0] * np.exp(course.neurons.level[:, 0]), 0.3, rtol=1e-12
    )
    np.testing.assert_allclose(course.residual[-1], Y * (1 - length * z[-1] / SIZE))


@pytest.mark.slow
def test_a_solve_that_ends_early_says_so():
    data = ReLUData.orthogonal(Y)
    course = solve_weights(data, aligned(data, 1.0, -3.0), 50.0, points=2, max_steps=3)
    assert not bool(course.finished)


def test_what_no_number_holds_is_refused():
    data = ReLUData.orthogonal(Y)
    neurons = LogNeurons([-1000.0], Y[None] / SIZE, jnp.zeros(1), jnp.array([1]))
    with pytest.raises(ValueError, match=r"solve_weights: neuron 0 starts at exp\(-10"):
        solve_weights(data, neurons, 1.0)
