"""Product kernels against the product of their factors."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import MMD
from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    ProductKernel,
    gram,
)
from wflow.kernels.sums import gradient_matvec, matvec
from wflow.measures import Particles


RNG = np.random.default_rng(0)
U, V = jnp.asarray(RNG.normal(size=(7, 3))), jnp.asarray(RNG.normal(size=(9, 3)))
B = jnp.asarray(RNG.normal(size=9))
KX, KY = GaussianKernel([0.7, 1.2]), InverseMultiquadric(0.6)
KERNEL = ProductKernel((KX, KY), (2, 1))


@eqx.filter_jit
def sums(kernel, u, v, b, block):
    return (
        gram(kernel, u, v),
        matvec(kernel, u, v, b, block),
        matvec(kernel, v, None, b, block),
        gradient_matvec(kernel, u, v, b, block),
    )


@pytest.mark.slow
def test_sums_are_those_of_the_factors():
    @jax.jit
    def of_factors(u, v, b):
        whole = gram(KX, u[:, :2], v[:, :2]) * gram(KY, u[:, 2:], v[:, 2:])
        own = gram(KX, v[:, :2]) * gram(KY, v[:, 2:])
        at = lambda u: jax.vmap(lambda v: KX(u[:2], v[:2]) * KY(u[2:], v[2:]))(v) @ b
        return whole, own, jax.vmap(jax.grad(at))(u)

    whole, own, slope = map(np.asarray, of_factors(U, V, B))
    for block in (None, 4):
        values = sums(KERNEL, U, V, B, block)
        for found, expected in zip(
            values, (whole, whole @ B, own @ B, slope), strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(KERNEL(U[1], V[2]), whole[1, 2], rtol=1e-13)


@pytest.mark.slow
def test_discrepancy_of_joint_laws_and_its_gradients():
    target = Particles.from_samples(V)

    @eqx.filter_jit
    @functools.partial(jax.value_and_grad, argnums=(0, 1))
    def evaluate(u, h):
        kernel = ProductKernel(
            (GaussianKernel(h[0]), InverseMultiquadric(h[1])), (2, 1)
        )
        return MMD(kernel, target).value(Particles.from_samples(u))

    value = lambda u, h: evaluate(u, h)[0]
    h = jnp.array([0.8, 0.6])
    kx, ky = GaussianKernel(h[0]), InverseMultiquadric(h[1])
    both = jnp.concatenate([U, V])
    signed = jnp.concatenate([jnp.full(7, 1 / 7), jnp.full(9, -1 / 9)])
    matrix = gram(kx, both[:, :2]) * gram(ky, both[:, 2:])
    np.testing.assert_allclose(value(U, h), signed @ matrix @ signed / 2, rtol=1e-11)

    grad_u, grad_h = evaluate(U, h)[1]
    direction, step = jnp.asarray(RNG.normal(size=U.shape)), 1e-6
    slope = (value(U + step * direction, h) - value(U - step * direction, h)) / step
    np.testing.assert_allclose(jnp.vdot(grad_u, direction), slope / 2, rtol=1e-7)
    slope = (value(U, h * (1 + step)) - value(U, h * (1 - step))) / step
    np.testing.assert_allclose(grad_h @ h, slope / 2, rtol=1e-7)


@pytest.mark.slow
def test_an_infinite_bandwidth_takes_a_coordinate_out():
    one = ProductKernel((KX, GaussianKernel([0.5, jnp.inf])), (2, 2))
    other = ProductKernel((KX, GaussianKernel(0.5)), (2, 1))
    extra = jnp.asarray(RNG.normal(size=(7, 1))) * 1e3
    u = jnp.concatenate([U, extra], axis=1)
    np.testing.assert_array_equal(gram(one, u), gram(other, U))
    slopes = gradient_matvec(one, u, u, jnp.ones(7))
    assert jnp.all(jnp.isfinite(slopes))
    np.testing.assert_array_equal(slopes[:, 3], 0)


@pytest.mark.slow
def test_kronecker_tells_classes_apart():
    labels = np.array([[0.0], [2.0], [0.0], [7.0], [2.0]])
    expected = (labels == labels.T).astype(float)

    @jax.jit
    def grams(labels, other, points):
        joint = jnp.concatenate([points, labels], axis=1)
        return (
            gram(Kronecker(), labels),
            gram(Kronecker(), labels, other),
            gram(ProductKernel((KX, Kronecker()), (2, 1)), joint),
            gram(KX, points),
            jax.grad(lambda x: jnp.sum(gram(Kronecker(), x)))(labels),
        )

    own, other, joint, part, grads = grams(labels, labels, U[:5, :2])
    np.testing.assert_array_equal(own, expected)
    np.testing.assert_array_equal(other, expected)
    np.testing.assert_allclose(joint, part * expected, atol=1e-14)
    np.testing.assert_array_equal(grads, 0)


@pytest.mark.slow
def test_float32_and_vmap():
    kernel = ProductKernel((EnergyDistance(), KY), (2, 1))
    u, v, b = (array.astype(jnp.float32) for array in (U, V, B))
    values = sums(kernel, u, v, b, None)
    assert {value.dtype for value in values} == {jnp.dtype("float32")}
    exact = sums(kernel, U, V, B, None)
    for found, expected in zip(values, exact, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    each = eqx.filter_vmap(
        lambda h: gram(ProductKernel((GaussianKernel(h), KY), (2, 1)), U)
    )(jnp.array([0.5, 2.0]))
    np.testing.assert_allclose(
        each[1], gram(ProductKernel((GaussianKernel(2.0), KY), (2, 1)), U), rtol=1e-13
    )


def test_wrong_blocks_are_named():
    with pytest.raises(ValueError, match="found 1 kernels and 2 blocks"):
        ProductKernel((KX,), (2, 1))
    with pytest.raises(ValueError, match=r"dims >= 1, found 0"):
        ProductKernel((KX, KY), (2, 0))
    with pytest.raises(ValueError, match="points of dimension 3, found 2"):
        gram(KERNEL, U[:, :2])
