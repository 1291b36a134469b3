"""A matrix for a bandwidth is a change of coordinates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import GaussianKernel, InverseMultiquadric, gram
from wflow.kernels.sums import gradient_matvec


rng = np.random.default_rng(0)
H = np.array([[0.8, 0.3], [-0.2, 0.6]])


@pytest.mark.parametrize("kind", [GaussianKernel, InverseMultiquadric])
def test_matrix_bandwidth(kind):
    x, y = (jnp.asarray(rng.normal(size=(n, 2))) for n in (5, 7))
    b = jnp.asarray(rng.normal(size=7))
    inverse = np.linalg.inv(H)
    k = kind(H)
    expected = gram(kind(1.0), x @ inverse.T, y @ inverse.T)
    np.testing.assert_allclose(gram(k, x, y), expected, rtol=1e-12)
    np.testing.assert_allclose(k(x[0], y[1]), expected[0, 1], rtol=1e-12)
    gradient = jax.grad(lambda x: jnp.sum(gram(k, x, y) @ b))(x)
    np.testing.assert_allclose(gradient_matvec(k, x, y, b), gradient, atol=1e-12)
    for adjoint in (False, True):
        there = k.whiten(x, adjoint=adjoint)
        np.testing.assert_allclose(k.colour(there, adjoint=adjoint), x, rtol=1e-12)
    np.testing.assert_allclose(k.log_volume(2), np.log(np.linalg.det(H)), rtol=1e-12)
    diagonal = kind(np.diag([0.7, 1.3]))
    np.testing.assert_allclose(
        gram(diagonal, x, y), gram(kind([0.7, 1.3]), x, y), rtol=1e-12
    )
    assert diagonal.log_volume(2) == pytest.approx(kind([0.7, 1.3]).log_volume(2))
