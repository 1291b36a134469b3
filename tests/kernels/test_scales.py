"""Mixtures of scales against the sums of their kernels."""

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
    ScaleMixture,
    gram,
)
from wflow.kernels.sums import gradient_matvec
from wflow.measures import Particles
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap


RNG = np.random.default_rng(0)
X, Y = jnp.asarray(RNG.normal(size=(7, 2))), jnp.asarray(RNG.normal(size=(9, 2)))
B = jnp.asarray(RNG.normal(size=9))
SCALES, WEIGHTS = np.array([0.5, 3.0]), np.array([0.2, 1.5])
H = np.array([0.7, 1.2])


@eqx.filter_jit
def sums(kernel, x, y, b):
    mmd = MMD(kernel, Particles.from_samples(y))
    value = mmd.value(Particles.from_samples(x))
    return gram(kernel, x, y), gradient_matvec(kernel, x, y, b), value


@pytest.mark.slow
@pytest.mark.parametrize("kind", [GaussianKernel, InverseMultiquadric])
def test_sums_are_those_of_the_scales(kind):
    found = sums(ScaleMixture(kind(H), SCALES, WEIGHTS), X, Y, B)
    parts = [sums(kind(s * H), X, Y, B) for s in SCALES]
    for values, *each in zip(found, *parts, strict=True):
        expected = WEIGHTS[0] * each[0] + WEIGHTS[1] * each[1]
        np.testing.assert_allclose(values, expected, atol=1e-13)


@pytest.mark.slow
def test_a_distance_has_no_scale():
    # The mean of r / s over the scales is one distance again.
    found = gram(ScaleMixture(EnergyDistance(), [0.5, 2.0]), X, Y)
    np.testing.assert_allclose(found, 1.25 * gram(EnergyDistance(), X, Y), rtol=1e-13)


@pytest.mark.slow
def test_far_points_are_pulled():
    # Ten bandwidths away a Gaussian's force has gone, a wide scale's has not.
    far, origin, one = jnp.array([[10.0, 0.0]]), jnp.zeros((1, 2)), jnp.ones(1)
    force = lambda kernel: gradient_matvec(kernel, far, origin, one)[0, 0]
    assert abs(force(GaussianKernel(1.0))) < 1e-20
    expected = -10 / 16 * np.exp(-100 / 32) / 2
    wide = force(ScaleMixture(GaussianKernel(1.0), [1.0, 4.0]))
    np.testing.assert_allclose(wide, expected, rtol=1e-12)


@pytest.mark.slow
def test_precision_and_transformations():
    kernel = ScaleMixture(GaussianKernel(0.8), SCALES, WEIGHTS)
    x = jnp.asarray(X, jnp.float32)
    assert gram(kernel, x).dtype == jnp.float32
    np.testing.assert_allclose(gram(kernel, x), gram(kernel, X), atol=1e-6)

    @jax.jit
    def total(scales, weights):
        return jnp.sum(gram(ScaleMixture(GaussianKernel(0.8), scales, weights), X, Y))

    p = (jnp.asarray(SCALES), jnp.asarray(WEIGHTS))
    gradients = jax.grad(total, (0, 1))(*p)
    for i, gradient in enumerate(gradients):
        for j in range(2):
            step = [jnp.zeros(2), jnp.zeros(2)]
            step[i] = step[i].at[j].set(1e-5)
            up = total(p[0] + step[0], p[1] + step[1])
            down = total(p[0] - step[0], p[1] - step[1])
            # Central differences in float64.
            np.testing.assert_allclose(gradient[j], (up - down) / 2e-5, rtol=1e-7)
    swept = jax.vmap(total, (0, None))(jnp.stack([p[0], 2 * p[0]]), p[1])
    np.testing.assert_allclose(swept[1], total(2 * p[0], p[1]), rtol=1e-12)
    learnable = unwrap(ScaleMixture(GaussianKernel(0.8), Learnable(SCALES), WEIGHTS))
    np.testing.assert_allclose(gram(learnable, X), gram(kernel, X), rtol=1e-12)


def test_what_is_no_mixture_is_named():
    for scales in (1.0, []):
        with pytest.raises(ValueError, match=r"scales of shape \(S,\) with S >= 1"):
            ScaleMixture(GaussianKernel(1.0), scales)
    with pytest.raises(ValueError, match=r"weights of shape \(2,\), found \(3,\)"):
        ScaleMixture(GaussianKernel(1.0), SCALES, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"expected scales > 0, found 0\.0 at"):
        ScaleMixture(GaussianKernel(1.0), [0.0, 1.0])
    with pytest.raises(ValueError, match=r"expected weights >= 0, found -1\.0 at"):
        ScaleMixture(GaussianKernel(1.0), SCALES, [-1.0, 1.0])
