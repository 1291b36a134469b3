"""Gaussians and mixtures against scipy and moments in closed form."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from wflow.measures import Gaussian, GaussianMixture
from wflow.measures.quadrature import standard_quadrature


MEAN = np.array([0.5, -1.0])
COV = np.array([[1.0, 0.6], [0.6, 2.0]])
WEIGHTS = np.array([1.0, 3.0])  # not normalized
MEANS = np.array([[-1.0, 0.0], [1.0, 2.0]])


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(MEANS, np.stack([COV, 0.3 * np.eye(2)]), WEIGHTS)


@pytest.mark.parametrize("variances", [0.3, [0.3, 0.7]])
def test_components_alike_in_all_directions(variances):
    found = GaussianMixture(MEANS, variances)
    covs = np.broadcast_to(variances, 2)[:, None, None] * np.eye(2)
    np.testing.assert_allclose(found.covs, covs)
    np.testing.assert_allclose(found.weights, [0.5, 0.5])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gaussian(np.zeros(2), np.eye(3)), r"\(2,\) and \(3, 3\)"),
        (lambda: Gaussian(0.0, 1.0), r"\(d,\)"),
        (lambda: Gaussian(np.zeros(1), [[-1.0]]), "positive definite"),
        (lambda: Gaussian(np.zeros(2), [[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (lambda: Gaussian.from_samples(np.ones((3, 2))), "positive definite"),
        (lambda: GaussianMixture(np.zeros(2), np.eye(2), [1.0]), r"means .*\(2,\)"),
        (
            lambda: GaussianMixture(np.zeros((1, 2)), np.eye(2), [1.0]),
            r"covs \(1, 2, 2\)",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def _standard_moment(powers):
    """E of a monomial under N(0, I): double factorials."""
    if any(p % 2 for p in powers):
        return 0.0
    return float(np.prod([math.prod(range(p - 1, 0, -2)) for p in powers]))


@pytest.mark.parametrize(("dim", "degree"), [(1, 15), (2, 9), (4, 5), (5, 5), (7, 5)])
def test_quadrature_is_exact(dim, degree):
    nodes, weights = standard_quadrature(dim)
    powers = [
        p for p in itertools.product(range(degree + 1), repeat=dim) if sum(p) <= degree
    ]
    columns = nodes[:, :, None] ** np.arange(degree + 1)
    for p in powers:
        found = weights @ np.prod([columns[:, k, q] for k, q in enumerate(p)], axis=0)
        scale = _standard_moment([q + q % 2 for q in p])
        np.testing.assert_allclose(found, _standard_moment(p), atol=1e-12 * scale)


@pytest.mark.slow
def test_integrals_and_density(mixture):
    law = Gaussian(MEAN, COV)
    outer = law.integrate(lambda x: jnp.outer(x, x))
    np.testing.assert_allclose(outer, COV + np.outer(MEAN, MEAN), rtol=1e-13)
    # Isserlis: E (z.z)^2 = (tr S)^2 + 2 tr S^2.
    fourth = law.integrate(lambda x: jnp.sum((x - MEAN) ** 2) ** 2)
    np.testing.assert_allclose(
        fourth, np.trace(COV) ** 2 + 2 * np.trace(COV @ COV), rtol=1e-13
    )
    x = np.random.default_rng(0).normal(size=(4, 2)) * 3
    components = [
        scipy.stats.multivariate_normal(m, s)
        for m, s in zip(mixture.means, mixture.covs, strict=True)
    ]
    np.testing.assert_allclose(
        jax.vmap(law.log_density)(x),
        scipy.stats.multivariate_normal(MEAN, COV).logpdf(x),
        rtol=1e-13,
    )
    density = sum(a * c.pdf(x) for a, c in zip(WEIGHTS / 4, components, strict=True))
    np.testing.assert_allclose(
        jax.vmap(mixture.log_density)(x), np.log(density), rtol=1e-12
    )
    np.testing.assert_allclose(mixture.integrate(lambda x: x), mixture.mean, rtol=1e-13)
    centered = mixture.integrate(
        lambda x: jnp.outer(x - mixture.mean, x - mixture.mean)
    )
    np.testing.assert_allclose(centered, mixture.cov, rtol=1e-13)
    np.testing.assert_allclose(mixture.mean, WEIGHTS @ MEANS / 4, rtol=1e-14)


@pytest.mark.slow
def test_samples_have_the_moments(mixture):
    n = 4000
    for law in (Gaussian(MEAN, COV), mixture):
        x = np.asarray(law.sample(jax.random.key(1), n))
        variances = np.diag(law.cov)
        error = np.abs(x.mean(0) - law.mean)
        assert (error <= 5 * np.sqrt(variances / n)).all()
        centered = x - np.asarray(law.mean)
        products = centered[:, :, None] * centered[:, None]
        error = np.abs(products.mean(0) - law.cov)
        assert (error <= 5 * products.std(0) / np.sqrt(n)).all()


def test_from_samples_has_the_samples_moments():
    x = np.random.default_rng(2).normal(size=(9, 3))
    w = np.linspace(0.1, 1, 9)
    law = Gaussian.from_samples(x, w)
    np.testing.assert_allclose(law.mean, np.average(x, 0, w), rtol=1e-13)
    np.testing.assert_allclose(law.cov, np.cov(x.T, aweights=w, ddof=0), rtol=1e-12)


def test_differential_is_the_symmetric_gradient():
    # F = m.C m + tr(B S) + log det S: g = (C + C^T) m, G = sym B + S^-1.
    rng = np.random.default_rng(3)
    b, c = rng.normal(size=(2, 2, 2))
    _, found = Gaussian(MEAN, COV).differential(
        lambda mu: (
            mu.mean @ c @ mu.mean
            + jnp.trace(b @ mu.cov)
            + jnp.linalg.slogdet(mu.cov)[1]
        )
    )
    np.testing.assert_allclose(found.mean, (c + c.T) @ MEAN, rtol=1e-13)
    np.testing.assert_allclose(found.cov, (b + b.T) / 2 + np.linalg.inv(COV))


@pytest.mark.slow
def test_jit_vmap_grad_and_float32():
    means = jnp.asarray(np.random.default_rng(4).normal(size=(3, 2)), jnp.float32)
    cov = jnp.asarray(COV, jnp.float32)

    @jax.jit
    @jax.vmap
    def second_moment(mean):
        def moment(mean, cov):
            law = Gaussian(mean, cov)
            return law.integrate(lambda x: x @ x) + law.log_density(mean)

        return jax.value_and_grad(moment, (0, 1))(mean, cov)

    value, (dmean, dcov) = second_moment(means)
    assert {a.dtype for a in (value, dmean, dcov)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(dmean, 2 * means, rtol=1e-5, atol=1e-5)
    expected = np.eye(2) - np.linalg.inv(COV) / 2
    np.testing.assert_allclose(dcov, np.stack([expected] * 3), rtol=1e-4)
    law = Gaussian(means[0], cov)
    assert law.sample(jax.random.key(0), 2).dtype == jnp.float32
    assert law.dtype == jnp.float32
