"""Quadratures with signed weights: discrepancies, evidence and warnings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import GaussianKernel, gram
from wflow.kernels.embeddings import mixture_double_integral, mixture_embedding
from wflow.measures import GaussianMixture, Particles
from wflow.sampling import ExactEmbedding, FredholmEmbedding
from wflow.sampling.quadrature import optimal_quadrature


rng = np.random.default_rng(0)
TARGET = GaussianMixture(
    np.array([[-7.0, -7.0], [4.0, -4.0], [-4.0, 4.0], [4.0, 4.0], [0.0, 0.0]]),
    np.tile(1.44 * np.eye(2), (5, 1, 1)),
    np.array([0.4, 0.2, 0.2, 0.1, 0.1]),
)
NODES = jnp.asarray(TARGET.sample(jax.random.key(0), 20))
FOUND = optimal_quadrature(NODES, ExactEmbedding(TARGET), GaussianKernel(1.5), 1e-6)


@pytest.mark.slow
def test_weights_are_optimal():
    kernel = GaussianKernel(1.5)
    k = np.asarray(gram(kernel, NODES)) + 1e-6 * np.eye(20)
    omega = np.linalg.solve(k, mixture_embedding(kernel, TARGET, NODES))
    np.testing.assert_allclose(FOUND.weights, omega / omega.sum(), rtol=1e-7)
    np.testing.assert_allclose(FOUND.log_evidence, np.log(omega.sum()), rtol=1e-9)
    np.testing.assert_allclose(FOUND.condition, np.linalg.cond(k), rtol=1e-6)
    equal = np.full(20, 1 / 20)
    mmd2 = [
        w @ k @ w - 2 * w @ mixture_embedding(kernel, TARGET, NODES)
        for w in (omega, np.asarray(FOUND.weights), equal)
    ]
    assert mmd2[0] < mmd2[1] < mmd2[2]
    with_zero = optimal_quadrature(NODES, ExactEmbedding(TARGET), kernel, 0.0)
    np.testing.assert_allclose(with_zero.weights, FOUND.weights, atol=1e-2)


def test_expectations_are_weighted_sums():
    w = np.asarray(FOUND.weights)
    np.testing.assert_allclose(FOUND.expect(lambda x: x), w @ NODES, rtol=1e-12)
    np.testing.assert_allclose(FOUND.mean, w @ NODES, rtol=1e-12)
    centered = np.asarray(NODES) - w @ NODES
    np.testing.assert_allclose(FOUND.cov, (w[:, None] * centered).T @ centered)
    np.testing.assert_allclose(FOUND.ess, 1 / (w @ w))
    assert FOUND.max_abs_weight == np.abs(w).max()


@pytest.mark.slow
def test_discrepancy_from_a_law_and_from_its_samples():
    kernel, w = GaussianKernel(1.5), np.asarray(FOUND.weights)
    constant = mixture_double_integral(kernel, TARGET, TARGET)
    expected = (
        w @ gram(kernel, NODES) @ w
        - 2 * w @ mixture_embedding(kernel, TARGET, NODES)
        + constant
    )
    np.testing.assert_allclose(FOUND.mmd2(TARGET, 1.5), expected, rtol=1e-9)
    samples = TARGET.sample(jax.random.key(1), 4000)
    close = FOUND.mmd2(samples, kernel)
    np.testing.assert_allclose(close, expected, atol=3 * float(1 - constant) / 4000)
    particles = Particles.from_samples(samples)
    np.testing.assert_allclose(FOUND.mmd2(particles, kernel), close, rtol=1e-12)


@pytest.mark.slow
def test_discrepancy_of_independent_draws():
    constant = mixture_double_integral(GaussianKernel(1.5), TARGET, TARGET)
    expected = {25: 0.0353582, 50: 0.0176791, 10: 0.0883954, 20: 0.0441977}
    for m, mmd2 in expected.items():
        np.testing.assert_allclose((1 - constant) / m, mmd2, rtol=1e-5)


@pytest.mark.slow
def test_kernel_stein_discrepancy_in_closed_form():
    h, w = 1.3, np.asarray(FOUND.weights)
    s = np.asarray(jax.vmap(jax.grad(TARGET.log_density))(NODES))
    r = np.asarray(NODES)[:, None] - np.asarray(NODES)
    r2 = np.sum(r**2, axis=2)
    first = np.einsum("id,ijd->ij", s, r) - np.einsum("jd,ijd->ij", s, r)
    stein = np.exp(-r2 / (2 * h**2)) * (s @ s.T + first / h**2 + 2 / h**2 - r2 / h**4)
    expected = np.sqrt(w @ stein @ w)
    np.testing.assert_allclose(FOUND.ksd(TARGET.log_density, h), expected, rtol=1e-9)


def test_a_kernel_too_wide_is_warned_of():
    nodes = np.linspace(-1, 1, 10)[:, None]
    target = GaussianMixture(np.full((1, 1), 4.0), np.ones((1, 1, 1)), np.ones(1))
    with pytest.warns(UserWarning, match=r"the kernel is too wide .*condition number"):
        optimal_quadrature(nodes, ExactEmbedding(target), GaussianKernel(3.0), 1e-12)


def test_evidence_of_an_unnormalized_density():
    nodes = np.linspace(-5, 5, 21)[:, None]
    log_density = lambda x: -jnp.sum(x**2) / 2 + 3.0
    quadrature = optimal_quadrature(
        nodes, FredholmEmbedding(log_density), GaussianKernel(0.6), 1e-8
    )
    expected = 3 + np.log(2 * np.pi) / 2
    np.testing.assert_allclose(quadrature.log_evidence, expected, atol=1e-3)
    # The deconvolved target has variance 1 - h^2.
    np.testing.assert_allclose(quadrature.cov[0, 0], 1 - 0.36, atol=1e-3)
