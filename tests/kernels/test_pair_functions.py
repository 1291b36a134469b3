"""What points feel of each other, in one pass, against derivatives of double sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Interaction
from wflow.kernels import GaussianKernel, Matern32, ProductKernel
from wflow.kernels.functions import pair_field, pair_sum
from wflow.kernels.sums import gradient_matvec, matvec, matvec_and_slope
from wflow.measures import Particles


RNG = np.random.default_rng(0)
X, W = jnp.asarray(RNG.normal(size=(11, 3))), jnp.asarray(RNG.uniform(0.1, 1, 11))
AXIS = jnp.array([1.0, 2.0, 0.5])


def mutual(x, y):
    return jnp.log1p(jnp.sum((x - y) ** 2)) + jnp.sum(jnp.sin(x) * jnp.sin(y))


def one_sided(x, y):
    """x sees more of what is ahead of it than of what is behind."""
    return jnp.exp(-jnp.sum((x - y) ** 2)) * (2 + jnp.tanh(AXIS @ (y - x)))


def distance(x, y):
    """With a kink where a point meets itself, at which the sum has slope zero."""
    return jnp.sum(jnp.abs(x - y))


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize(
    ("pair", "symmetric"), [(mutual, True), (distance, True), (one_sided, False)]
)
def test_a_field_is_the_derivative_of_the_double_sum(pair, symmetric, diagonal):
    options = {"diagonal": diagonal}

    def half(x, w):
        return pair_sum(pair, x, w, x, w, **options) / 2

    of_x, of_w = jax.jit(jax.grad(half, (0, 1)))(X, W)
    for block in (None, 4):
        potential, slope = jax.jit(
            lambda x, w, block=block: pair_field(
                pair, x, w, block, symmetric=symmetric, **options
            )
        )(X, W)
        np.testing.assert_allclose(potential, of_w, rtol=1e-12)
        np.testing.assert_allclose(W[:, None] * slope, of_x, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("pair", [mutual, one_sided, GaussianKernel(0.8)])
def test_a_differential_is_that_of_the_value(pair):
    # Whether the sides of a pair are equal is seen, not assumed.
    for period in (None, 7.0):
        mu = Particles.from_samples(X, W / W.sum(), period=period)
        energy = Interaction(pair)
        value, exact = mu.differential(energy.value)
        found = energy.differential(mu)
        np.testing.assert_allclose(found.x, exact.x, rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(found.w, exact.w, rtol=1e-10)
        # Homogeneous of degree two in the masses.
        np.testing.assert_allclose(mu.w @ found.w, 2 * value, rtol=1e-10)


def test_a_pair_may_be_defined_nearby_alone():
    # Nothing is asked of it but what the cloud asks, where numbers that are none raise.
    dome = Interaction(lambda x, y: -jnp.sqrt(1 - jnp.sum((x - y) ** 2)))
    mu = Particles.from_samples(X / 10)
    _, exact = mu.differential(dome.value)
    with jax.debug_nans(True):
        found = dome.differential(mu)
    np.testing.assert_allclose(found.x, exact.x, rtol=1e-10, atol=1e-16)


def test_both_sums_of_a_kernel_in_one_pass():
    kernel = ProductKernel((Matern32(1.0), GaussianKernel(2.0)), (1, 2))
    y, g = jnp.asarray(RNG.normal(size=(7, 3))), jnp.asarray(RNG.normal(size=(7, 2)))
    b = g[:, 0] * 2
    for period in (None, 5.0):
        options = {"block": 3, "period": period}
        sums, slope = matvec_and_slope(kernel, X, y, g, b, **options)
        np.testing.assert_allclose(sums, matvec(kernel, X, y, g, **options), rtol=1e-12)
        exact = jax.jacobian(lambda x: matvec(kernel, x, y, b, **options))(X)
        exact = jnp.einsum("iik->ik", exact)
        np.testing.assert_allclose(slope, exact, rtol=1e-10, atol=1e-13)
        alone = gradient_matvec(kernel, X, y, b, **options)
        np.testing.assert_allclose(slope, alone, rtol=1e-12)
