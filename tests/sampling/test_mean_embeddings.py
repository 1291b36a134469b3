"""Embeddings of targets against each other, Monte Carlo and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import GaussianKernel, gram
from wflow.kernels.embeddings import log_mixture_embedding, mixture_embedding
from wflow.measures import Gaussian, GaussianMixture, Particles
from wflow.sampling import (
    ExactEmbedding,
    GaussHermite,
    GradientFreeEmbedding,
    GradientInformedEmbedding,
    MonteCarlo,
    RadialSpherical,
)


rng = np.random.default_rng(0)
TILTED = np.array([[0.8, 0.0], [0.4, 0.6]])
POINTS = jnp.asarray(rng.normal(size=(5, 2)))
NORMAL = Gaussian(np.array([0.3, -0.5]), np.array([[0.8, 0.3], [0.3, 0.6]]))


@pytest.mark.slow
def test_mixture_embedding_against_monte_carlo():
    roots = 0.6 * rng.normal(size=(3, 2, 2)) + 0.5 * np.eye(2)
    target = GaussianMixture(
        rng.normal(size=(3, 2)), roots @ roots.transpose(0, 2, 1), [0.2, 0.3, 0.5]
    )
    kernel = GaussianKernel(TILTED)
    x = target.sample(jax.random.key(0), 400_000)
    k = gram(kernel, POINTS, x)
    log_v0, shift = ExactEmbedding(target)(kernel, POINTS)
    np.testing.assert_allclose(np.exp(log_v0), k.mean(1), rtol=0.01)
    v1 = (POINTS + shift) * np.exp(log_v0)[:, None]
    np.testing.assert_allclose(v1, k @ x / len(x), atol=0.01)
    np.testing.assert_allclose(
        mixture_embedding(kernel, target, POINTS), np.exp(log_v0), rtol=1e-12
    )
    far = log_mixture_embedding(kernel, target, jnp.full((1, 2), 1e3))
    assert np.isfinite(far).all()


@pytest.mark.slow
@pytest.mark.parametrize("bandwidth", [0.7, TILTED])
def test_all_agree_under_exact_quadrature(bandwidth):
    kernel, rule = GaussianKernel(bandwidth), GaussHermite(20)
    log_v0, shift = ExactEmbedding(NORMAL)(kernel, POINTS)
    for embedding in (
        GradientFreeEmbedding(NORMAL.log_density, rule),
        GradientInformedEmbedding(NORMAL.log_density, rule, 0.9),
        GradientInformedEmbedding(NORMAL.log_density, rule, 0.2),
    ):
        found, moved = embedding(kernel, POINTS)
        # The whole value, constant included, not only differences.
        np.testing.assert_allclose(found, log_v0, atol=1e-8)
        np.testing.assert_allclose(moved, shift, atol=1e-8)


@pytest.mark.slow
def test_embedding_of_data_is_a_finite_sum():
    data = Particles.from_samples(rng.normal(size=(30, 2)), rng.uniform(size=30))
    kernel = GaussianKernel(TILTED)
    log_v0, shift = ExactEmbedding(data)(kernel, POINTS)
    k = gram(kernel, POINTS, data.x) * data.w
    np.testing.assert_allclose(np.exp(log_v0), k.sum(1), rtol=1e-10)
    mean = k @ data.x / k.sum(1)[:, None]
    np.testing.assert_allclose(POINTS + shift, mean, atol=1e-10)


@pytest.mark.slow
def test_nodes_outside_the_support_count_for_nothing():
    log_density = lambda x: jnp.where(x[0] > 0, jnp.log(jnp.maximum(x[0], 0)), -jnp.inf)
    y = jnp.array([[0.1, 0.0], [-50.0, 0.0]])
    for make in (GradientFreeEmbedding, GradientInformedEmbedding):
        log_v0, shift = make(log_density, GaussHermite(3))(GaussianKernel(0.5), y)
        assert np.isfinite(shift).all()
        assert np.isfinite(log_v0[0])
        assert log_v0[1] == -np.inf


@pytest.mark.parametrize(
    "rule",
    [
        GaussHermite(3),
        MonteCarlo(20_000, jax.random.key(0)),
        RadialSpherical(10_000, jax.random.key(0)),
    ],
)
def test_rules_integrate_moments(rule):
    z, b = rule.nodes(3)
    np.testing.assert_allclose(b.sum(), 1, rtol=1e-12)
    assert (b > 0).all()
    np.testing.assert_allclose(b @ z, 0, atol=0.03)
    np.testing.assert_allclose(z.T @ (b[:, None] * z), np.eye(3), atol=0.05)
    again = rule.redrawn(jax.random.key(1)).nodes(3)[0]
    assert np.array_equal(again, z) == isinstance(rule, GaussHermite)


def test_radii_are_exact_in_the_squared_radius():
    z, b = RadialSpherical(2, jax.random.key(0), radii=3).nodes(5)
    r2 = np.sum(z**2, axis=1)
    # Chi-squared moments with 5 degrees of freedom, to degree 2 * 3 - 1.
    moments = np.cumprod([5.0, 7, 9, 11, 13])
    for k, moment in enumerate(moments, 1):
        np.testing.assert_allclose(b @ r2**k, moment, rtol=1e-10)


def test_bad_rules_are_named():
    with pytest.raises(ValueError, match="order >= 1"):
        GaussHermite(0)
    with pytest.raises(ValueError, match=r"3\^10 nodes"):
        GaussHermite(3).nodes(10)
    with pytest.raises(ValueError, match="size >= 1"):
        MonteCarlo(0, jax.random.key(0))
    with pytest.raises(ValueError, match="directions >= 1"):
        RadialSpherical(0, jax.random.key(0))
