"""Random features against the kernels that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Interaction
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    LaplaceKernel,
    Matern32,
    Matern52,
    RandomFeatures,
    gram,
)
from wflow.measures import Particles
from wflow.parameters import Learnable


KEY, COUNT = jax.random.key(0), 20_000
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(9, 2)))
W = jnp.asarray(RNG.dirichlet(np.full(9, 5.0)))
CLOUD = Particles.from_samples(X, W)
OBLIQUE = np.array([[1.0, 0.0], [0.5, 0.7]])


@pytest.mark.parametrize(
    "kernel",
    [
        GaussianKernel(0.8),
        GaussianKernel(OBLIQUE),
        LaplaceKernel(np.array([0.8, 1.5])),
        Matern32(0.8),
        Matern52(0.8),
        InverseMultiquadric(0.8),
        InverseMultiquadric(0.8, 2.0),
    ],
)
def test_waves_have_the_spectrum_of_the_kernel(kernel):
    waves = RandomFeatures(kernel, 2, COUNT, key=KEY)
    found = jax.vmap(lambda x: jax.vmap(lambda y: waves(x, y))(X))(X)
    # Four standard errors of a mean of cosines, whose variance is below one half.
    np.testing.assert_allclose(found, gram(kernel, X, X), atol=4 * (2 * COUNT) ** -0.5)


def test_the_sum_over_pairs_its_error_and_its_force():
    kernel = GaussianKernel(0.8)
    waves = RandomFeatures(kernel, 2, COUNT, key=KEY)
    exact, found = Interaction(kernel), Interaction(waves)
    w = CLOUD.w
    error = waves.error(X, w)
    assert 0 < error < 0.01
    # The energy is half of the sum over pairs.
    assert abs(found.value(CLOUD) - exact.value(CLOUD)) < 4 * error / 2
    bare = Interaction(waves, diagonal=False).value(CLOUD)
    np.testing.assert_allclose(found.value(CLOUD) - bare, jnp.sum(w**2) / 2, rtol=1e-12)
    velocities = [
        GradientFlow(energy, Wasserstein()).velocity(CLOUD)[0]
        for energy in (found, exact)
    ]
    # A force adds the frequency, of size 1 / 0.8, to the error of a wave.
    np.testing.assert_allclose(*velocities, atol=4 * COUNT**-0.5 / 0.8)


def test_what_has_no_spectrum_is_refused():
    with pytest.raises(TypeError, match="RandomFeatures: expected kernel to be a Gau"):
        RandomFeatures(EnergyDistance(), 2, 10, key=KEY)
    with pytest.raises(TypeError, match="a kernel of numbers, found a Learnable"):
        RandomFeatures(GaussianKernel(Learnable(1.0)), 2, 10, key=KEY)
    with pytest.raises(ValueError, match="bandwidth to be a number or of shape"):
        RandomFeatures(GaussianKernel(np.ones(3)), 2, 10, key=KEY)
    waves = RandomFeatures(GaussianKernel(1.0), 3, 10, key=KEY)
    with pytest.raises(ValueError, match="points of dimension 3, that of the freq"):
        Interaction(waves).value(CLOUD)
    waves = RandomFeatures(GaussianKernel(1.0), 2, 10, key=KEY)
    with pytest.raises(ValueError, match="features do not close on a torus"):
        Interaction(waves).value(Particles.from_samples(X, W, period=10.0))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_precision_and_derivative_in_the_bandwidth(dtype):
    cloud = Particles.from_samples(X.astype(dtype), W.astype(dtype))

    @jax.jit
    @jax.value_and_grad
    def energy(bandwidth):
        waves = RandomFeatures(GaussianKernel(bandwidth), 2, 50, key=KEY)
        return Interaction(waves).value(cloud)

    value, slope = energy(jnp.asarray(0.8, dtype))
    assert value.dtype == dtype
    step = 1e-3
    ends = [energy(jnp.asarray(0.8 + side * step, dtype))[0] for side in (1, -1)]
    atol = 1e-5 if dtype == jnp.float64 else 2e-3
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), atol=atol)
