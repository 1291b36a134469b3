"""Identities of kernel embeddings that the transport rests on."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import MMD
from wflow.filtering.transport.attraction import Simulated, Smoothed
from wflow.filtering.transport.coupling import derangements
from wflow.filtering.transport.joint import sampling_floor
from wflow.kernels import GaussianKernel, InverseMultiquadric, gram
from wflow.kernels.embeddings import mixture_double_integral
from wflow.kernels.sums import matvec
from wflow.measures import Gaussian as Normal
from wflow.measures import GaussianMixture, Particles


RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


@pytest.mark.slow
def test_embedded_gaussians_and_the_unbiased_estimate():
    # Closed form, and the U-statistic of 4000 samples within 3 standard errors.
    n, width = 4000, 0.8
    laws = [
        (np.array([0.3, -0.2]), np.array([[0.5, 0.1], [0.1, 0.4]])),
        (np.array([-0.1, 0.2]), np.array([[0.4, -0.1], [-0.1, 0.6]])),
    ]

    def closed(a, b):
        total = width**2 * np.eye(2) + a[1] + b[1]
        apart = a[0] - b[0]
        ratio = np.linalg.det(total / width**2) ** -0.5
        return ratio * np.exp(-apart @ np.linalg.solve(total, apart) / 2)

    mixtures = [GaussianMixture(m[None], s[None], np.ones(1)) for m, s in laws]
    found = mixture_double_integral(GaussianKernel(width), *mixtures)
    np.testing.assert_allclose(found, closed(*laws), rtol=1e-12)

    x, y = (jnp.asarray(RNG.multivariate_normal(m, s, size=n)) for m, s in laws)
    sums = eqx.filter_jit(lambda a, b: matvec(GaussianKernel(width), a, b, jnp.ones(n)))
    xx, xy, yx, yy = sums(x, None), sums(x, y), sums(y, x), sums(y, None)
    estimate = (jnp.sum(xx + yy) - 2 * n) / (n * (n - 1)) - 2 * jnp.mean(xy) / n
    exact = closed(laws[0], laws[0]) + closed(laws[1], laws[1]) - 2 * closed(*laws)
    # The influence of a sample on the statistic, to first order.
    influence = 2 * np.stack([xx - xy, yy - yx]) / n
    error = np.sqrt(np.sum(np.var(influence, axis=1)) / n)
    assert abs(estimate - exact) < 3 * error


def test_sampling_floor():
    # E |m_n - m|^2 = (1 - E k(U, U')) / n; 2000 replicates of 50.
    x = jax.random.normal(KEY, (2000, 50, 1))
    energy = MMD(GaussianKernel(1.0), Normal(np.zeros(1), np.eye(1)))

    @jax.jit
    @jax.vmap
    def squares(x):
        y = jnp.zeros((50, 1, 1))
        floor = sampling_floor(
            GaussianKernel(1.0), Simulated(GaussianKernel(1.0), y), x
        )
        return 2 * energy.value(Particles.from_samples(x)), 2 * floor

    found, estimated = squares(x)
    exact = (1 - 1 / np.sqrt(3)) / 50
    np.testing.assert_allclose(exact, 8.453e-3, rtol=1e-4)
    # The standard error of 2000 is 2 %; the estimate from the samples has less.
    np.testing.assert_allclose(np.mean(found), exact, rtol=0.06)
    np.testing.assert_allclose(np.mean(estimated), exact, rtol=0.02)


@pytest.mark.slow
def test_rao_blackwellized_weights_are_the_limit_of_many_draws():
    # R = 0.5, l_y = 0.7, y* = 0.3, 1e5 simulated observations of each.
    x = RNG.normal(size=(12, 1))
    draws = x[:, None] + np.sqrt(0.5) * RNG.normal(size=(12, 100_000, 1))
    kernel, observed = GaussianKernel(0.7), jnp.array([[0.3]])
    found = Simulated(kernel, jnp.asarray(draws)).at(observed)
    smoothed = Smoothed(kernel, jnp.asarray(x), jnp.array([[0.5]]))
    limit = smoothed.at(observed)
    np.testing.assert_allclose(found, limit, rtol=0.05)
    total = 0.5 + 0.49
    normal = np.exp(-((0.3 - x[:, 0]) ** 2) / (2 * total)) / np.sqrt(2 * np.pi * total)
    formula = np.sqrt(2 * np.pi * 0.49) * normal
    np.testing.assert_allclose(limit[0], formula, rtol=1e-12)
    # Among members: 2000 draws of each, in pairs of members.
    few = Simulated(kernel, jnp.asarray(draws[:4, :500])).among()
    limit = Smoothed(kernel, jnp.asarray(x[:4]), jnp.array([[0.5]])).among()
    apart = ~np.eye(4, dtype=bool)  # a draw with itself is no pair of two
    np.testing.assert_allclose(few[apart], limit[apart], rtol=0.05)


def test_smoothing_in_several_dimensions():
    cov = np.array([[0.5, 0.2], [0.2, 0.4]])
    width = np.array([0.7, 0.9])
    mean, labels = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 2))
    found = Smoothed(GaussianKernel(width), jnp.asarray(mean), jnp.asarray(cov)).at(
        jnp.asarray(labels)
    )
    total = np.diag(width**2) + cov
    apart = labels[:, None] - mean
    quadratic = np.einsum("kni,ij,knj->kn", apart, np.linalg.inv(total), apart)
    height = np.sqrt(np.prod(width**2) / np.linalg.det(total))
    np.testing.assert_allclose(found, height * np.exp(-quadratic / 2), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 11])
def test_derangements(n):
    found = np.asarray(derangements(KEY, n, n - 1))
    for row in found:
        np.testing.assert_array_equal(np.sort(row), np.arange(n))
    # No fixed point, and no pair twice: all pairs of different members once.
    pairs = {(i, j) for row in found for i, j in enumerate(row)}
    assert pairs == {(i, j) for i in range(n) for j in range(n) if i != j}
    other = np.asarray(derangements(jax.random.key(1), 11, 1))
    if n == 11:
        assert np.any(other != found[:1])
    with pytest.raises(ValueError, match=f"permutations from 1 to {n - 1}"):
        derangements(KEY, n, n)


@pytest.mark.slow
def test_kernel_of_observations_is_averaged_over_draws():
    y = jnp.asarray(RNG.normal(size=(4, 3, 2)))
    labels = jnp.asarray(RNG.normal(size=(5, 2)))
    kernel = InverseMultiquadric(0.8)
    expected = np.mean([gram(kernel, labels, y[:, k]) for k in range(3)], axis=0)
    np.testing.assert_allclose(Simulated(kernel, y).at(labels), expected, rtol=1e-12)
    among = np.mean(
        [gram(kernel, y[:, k], 1 * y[:, l]) for k in range(3) for l in range(3)], axis=0
    )
    np.testing.assert_allclose(Simulated(kernel, y).among(), among, atol=1e-7)
