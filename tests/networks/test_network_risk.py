"""The risk of a network, the loss of a model: closed forms, and what they refuse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.geometries import Wasserstein
from wflow.measures import Particles
from wflow.measures.quadrature import standard_quadrature
from wflow.networks import NetworkRisk, Supervised
from wflow.networks.supervised import predictions


D = 4
X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2], [0.5, 0.9]])
CLOUD = Particles.from_samples(X, [0.1, 0.2, 0.3, 0.4])


@eqx.filter_jit
def force(energy, mu):
    return Wasserstein().velocity(mu, energy.differential(mu))[0]


@pytest.fixture(scope="module")
def quadratic_network():
    """Neurons (w.x)^2 on standard normal inputs, exactly, and a teacher."""
    nodes, weights = standard_quadrature(D)
    # Products of two outputs have degree 4: far fewer nodes would do.
    teacher = np.diag([1.0, 0.5, 0.0, 0.0])
    targets = np.einsum("ai,ij,aj->a", nodes, teacher, nodes)
    energy = NetworkRisk(lambda w, x: (w @ x) ** 2, nodes, targets, weights)
    return energy, teacher, lambda mu: force(energy, mu)


@pytest.mark.slow
def test_moments_of_a_quadratic_network_obey_their_closed_equation(quadratic_network):
    energy, teacher, velocity = quadratic_network
    w = np.random.default_rng(5).normal(size=(6, D)) * 0.7
    neurons = Particles.from_samples(w)
    excess = w.T @ w / 6 - teacher
    response = 2 * excess + np.trace(excess) * np.eye(D)
    risk = (2 * np.sum(excess**2) + np.trace(excess) ** 2) / 2
    np.testing.assert_allclose(energy.value(neurons), risk, rtol=1e-12)
    found = np.asarray(velocity(neurons))
    np.testing.assert_allclose(found, -2 * w @ response, rtol=1e-11, atol=1e-12)
    moment = w.T @ w / 6
    rate = (found.T @ w + w.T @ found) / 6
    expected = -2 * (response @ moment + moment @ response)
    np.testing.assert_allclose(rate, expected, rtol=1e-11, atol=1e-12)
    # Six times the gradient of the finite network.
    finite = lambda w: energy.value(Particles.from_samples(w))
    np.testing.assert_allclose(found, -6 * jax.grad(finite)(w), rtol=1e-12)


def test_symmetries_of_a_network(quadratic_network):
    _, _, velocity = quadratic_network
    rotated_rng = np.random.default_rng(6)
    w = rotated_rng.normal(size=(6, D))
    found = np.asarray(velocity(Particles.from_samples(w)))
    order = rotated_rng.permutation(6)
    permuted = velocity(Particles.from_samples(w[order]))
    np.testing.assert_allclose(permuted, found[order], rtol=1e-12)
    twice = velocity(Particles.from_samples(np.tile(w, (2, 1))))
    np.testing.assert_allclose(twice, np.tile(found, (2, 1)), rtol=1e-12)
    # In another orthonormal basis of the inputs; the input law is the same.
    q, _ = np.linalg.qr(rotated_rng.normal(size=(D, D)))
    nodes, weights = standard_quadrature(D)
    teacher = q @ np.diag([1.0, 0.5, 0.0, 0.0]) @ q.T
    targets = np.einsum("ai,ij,aj->a", nodes, teacher, nodes)
    turned = NetworkRisk(lambda w, x: (w @ x) ** 2, nodes, targets, weights)
    np.testing.assert_allclose(
        force(turned, Particles.from_samples(w @ q.T)), found @ q.T, rtol=1e-10
    )


def test_network_with_vector_outputs_and_uniform_inputs():
    rng = np.random.default_rng(1)
    inputs, targets = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    energy = NetworkRisk(lambda w, x: jnp.tanh(w * x), inputs, targets)
    outputs = np.einsum("i,iak->ak", CLOUD.w, np.tanh(CLOUD.x[:, None] * inputs))
    expected = np.mean(np.sum((outputs - targets) ** 2, 1)) / 2
    np.testing.assert_allclose(energy.value(CLOUD), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NetworkRisk(None, X, np.ones(4)), "neuron to be a function"),
        (lambda: NetworkRisk(jnp.dot, X, np.ones(3)), "as many targets as inputs"),
        (lambda: NetworkRisk(jnp.dot, X * np.nan, np.ones(4)), "inputs finite"),
        (lambda: NetworkRisk(jnp.dot, X, [1, 2, 3, 1j]), "targets of real"),
        (
            lambda: NetworkRisk(jnp.dot, X, np.ones(4), -np.ones(4)),
            "probabilities >= 0",
        ),
        (lambda: NetworkRisk(jnp.dot, X, np.ones((4, 1))).value(CLOUD), "of targets"),
        (lambda: Supervised(X, "labels"), "y to be"),
        (lambda: Supervised(X, np.ones(4), "hinge"), "loss 'square'"),
        (lambda: Supervised(X, np.ones(4) * 1j), "y of real numbers"),
        (lambda: predictions(1.0, X), "model to be a function"),
    ],
)
def test_refused_in_a_sentence(make, words):
    with pytest.raises((ValueError, TypeError), match=words) as refused:
        make()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_labels_that_are_no_numbers_are_named(at, value):
    labels = np.arange(4.0)
    labels[at] = value
    with pytest.raises(
        ValueError, match=rf"targets finite, found {value} at index {at}"
    ):
        NetworkRisk(jnp.dot, X, labels)


def test_whole_numbers_stay_whole_where_they_are_labels_or_tokens():
    assert Supervised(X, [0, 1, 1, 0], "cross_entropy").y.dtype == jnp.asarray(1).dtype
    risk = NetworkRisk(lambda w, token: w[token], jnp.array([0, 1, 1]), np.ones(3))
    np.testing.assert_allclose(
        risk.value(Particles.from_samples(X)),
        np.mean((X.mean(0)[[0, 1, 1]] - 1) ** 2) / 2,
    )
