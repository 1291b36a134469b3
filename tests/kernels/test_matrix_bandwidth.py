"""A matrix for a bandwidth is a change of coordinates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import GaussianKernel, InverseMultiquadric, gram
from wflow.kernels.sums import gradient_matvec


rng = np.random.default_rng(0)
H = np.array([[0.8, 0.3], [-0.2, 0.6]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [GaussianKernel, InverseMultiquadric])
def test_matrix_bandwidth(kind):
    x, y, b = rng.normal(size=(5, 2)), rng.normal(size=(7, 2)), rng.normal(size=7)
    inverse = np.linalg.inv(H)

    @jax.jit
    def of_both(k, white, x, y):
        back = [k.color(k.whiten(x, adjoint=a), adjoint=a) for a in (False, True)]
        return (
            gram(white, x @ inverse.T, y @ inverse.T),
            gram(k, x, y),
            k(x[0], y[1]),
            jax.grad(lambda x: jnp.sum(gram(k, x, y) @ b))(x),
            gradient_matvec(k, x, y, b),
            k.log_volume(2),
            *back,
        )

    found = map(np.asarray, of_both(kind(H), kind(1.0), x, y))
    expected, whole, one, gradient, sums, volume, *back = found
    np.testing.assert_allclose(whole, expected, rtol=1e-12)
    np.testing.assert_allclose(one, expected[0, 1], rtol=1e-12)
    np.testing.assert_allclose(sums, gradient, atol=1e-12)
    for there_and_back in back:
        np.testing.assert_allclose(there_and_back, x, rtol=1e-12)
    np.testing.assert_allclose(volume, np.log(np.linalg.det(H)), rtol=1e-12)

    @jax.jit
    def of_lengths(k):
        return gram(k, x, y), k.log_volume(2)

    diagonal, lengths = of_lengths(kind(np.diag([0.7, 1.3]))), kind([0.7, 1.3])
    for a, c in zip(diagonal, of_lengths(lengths), strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-12)
