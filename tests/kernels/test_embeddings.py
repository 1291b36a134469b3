"""Kernel mean embeddings against quadrature."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import GaussianKernel, gram
from wflow.kernels.embeddings import mixture_double_integral, mixture_embedding
from wflow.measures import GaussianMixture


def nodes(means, covs, weights, size=40):
    """Tensor Gauss-Hermite nodes and weights of a mixture in the plane."""
    z, w = np.polynomial.hermite_e.hermegauss(size)
    z = np.stack(np.meshgrid(z, z, indexing="ij"), -1).reshape(-1, 2)
    w = np.outer(w, w).ravel() / w.sum() ** 2
    points = [m + z @ np.linalg.cholesky(s).T for m, s in zip(means, covs, strict=True)]
    return np.concatenate(points), np.concatenate([a * w for a in weights])


FIRST = (
    np.array([[0.0, 0.5], [1.0, -1.0]]),
    np.array([[[0.5, 0.2], [0.2, 0.3]], [[0.2, 0.0], [0.0, 0.9]]]),
    np.array([0.3, 0.7]),
)
SECOND = (np.array([[-1.0, 0.2]]), np.array([[[0.4, -0.1], [-0.1, 0.2]]]), np.ones(1))


@pytest.mark.slow
@pytest.mark.parametrize("bandwidth", [0.9, np.array([0.8, 1.4])])
def test_embedding_and_double_integral(bandwidth):
    kernel = GaussianKernel(bandwidth)
    double = eqx.filter_jit(mixture_double_integral)
    first = GaussianMixture(FIRST[0], FIRST[1], 5 * FIRST[2])  # normalized on use
    second = GaussianMixture(*SECOND)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))
    (y, v), (z, u) = nodes(*FIRST), nodes(*SECOND)
    np.testing.assert_allclose(
        mixture_embedding(kernel, first, x), gram(kernel, x, jnp.asarray(y)) @ v, 1e-9
    )
    np.testing.assert_allclose(
        double(kernel, first, second),
        v @ gram(kernel, jnp.asarray(y), jnp.asarray(z)) @ u,
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        double(kernel, first, second),
        double(kernel, second, first),
        rtol=1e-14,
    )
