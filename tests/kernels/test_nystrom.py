"""Nystrom's approximation against the kernels that it stands for."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Interaction
from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    Matern32,
    Nystrom,
    ProductKernel,
    gram,
)
from wflow.measures import Particles


RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(60, 2)))
W = jnp.asarray(RNG.dirichlet(np.full(60, 5.0)))
CLOUD = Particles.from_samples(X, W)
KERNELS = (
    GaussianKernel(np.array([[1.0, 0.0], [0.5, 0.7]])),
    ProductKernel((Matern32(1.0), GaussianKernel(2.0)), (1, 1)),
)


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_the_projection_on_the_landmarks(kernel):
    seen = Nystrom(kernel, X[:8])
    matrix = jax.vmap(lambda x: jax.vmap(lambda y: seen(x, y))(X))(X)
    exact = np.asarray(gram(kernel, X, X))
    cross = exact[:, :8]
    found = cross @ np.linalg.solve(exact[:8, :8], cross.T)
    np.testing.assert_allclose(matrix, found, atol=1e-9)
    np.testing.assert_allclose(matrix[:8], exact[:8], atol=1e-9)
    np.testing.assert_allclose(jnp.diagonal(matrix), seen.diagonal(X), rtol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_bound_holds_and_closes(kernel):
    exact = 2 * Interaction(kernel).value(CLOUD)
    for landmarks in (X[:3], X[:20], X):
        seen = Nystrom(kernel, landmarks)
        lacks = exact - 2 * Interaction(seen).value(CLOUD)
        # What is missing is positive definite; rounding at the end.
        assert -1e-9 < lacks <= seen.error(X, W) + 1e-9
    assert seen.error(X, W) < 1e-9
    bare = Interaction(seen, diagonal=False).value(CLOUD)
    alone = Interaction(kernel, diagonal=False).value(CLOUD)
    np.testing.assert_allclose(bare, alone, rtol=1e-8)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_precision_and_the_derivative_in_a_bandwidth(dtype):
    cloud = Particles.from_samples(X.astype(dtype))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def value(bandwidth):
        seen = Nystrom(GaussianKernel(bandwidth), cloud.x[:5])
        return Interaction(seen).value(cloud)

    found, slope = value(jnp.asarray(2.0, dtype))
    assert found.dtype == dtype
    ends = [value(jnp.asarray(2.0 + side, dtype))[0] for side in (0.01, -0.01)]
    atol = 1e-5 if dtype == jnp.float64 else 2e-3
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 0.02, atol=atol)


def test_refusals():
    with pytest.raises(ValueError, match="positive definite at the landmarks, found E"):
        Nystrom(EnergyDistance(), X[:4])
    with pytest.raises(ValueError, match=r"Nystrom: expected landmarks \(m, d\)"):
        Nystrom(GaussianKernel(1.0), jnp.ones(3))
    with pytest.raises(ValueError, match="points of dimension 3, that of the landm"):
        Interaction(Nystrom(GaussianKernel(1.0), jnp.eye(3))).value(CLOUD)
    torus = Particles.from_samples(X, W, period=10.0)
    with pytest.raises(ValueError, match="features do not close on a torus, found a p"):
        Interaction(Nystrom(GaussianKernel(1.0), X[:3])).value(torus)
