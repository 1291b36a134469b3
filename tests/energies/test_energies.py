"""Values, forces and algebra of energies in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance as distances
import scipy.stats

from wflow.energies import (
    KDE,
    MMD,
    Entropy,
    FisherInformation,
    Functional,
    GaussianClosure,
    Interaction,
    KernelSteinDiscrepancy,
    KLDivergence,
    Potential,
    SinkhornDivergence,
)
from wflow.geometries import Wasserstein
from wflow.kernels import EnergyDistance, GaussianKernel, LaplaceKernel
from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    Phase,
    UnsupportedMeasureError,
)
from wflow.measures.base import ImplicitEntropyError
from wflow.measures.quadrature import standard_quadrature
from wflow.transport import sinkhorn_divergence


rng = np.random.default_rng(0)
X, W = rng.normal(size=(7, 2)), rng.dirichlet(np.ones(7))
CLOUD = Particles.from_samples(X, W)
Y, V = rng.normal(size=(5, 2)) + 0.5, rng.dirichlet(np.ones(5))
TARGET = Particles.from_samples(Y, V)
A = np.array([[2.0, 0.3], [0.3, 1.0]])
COV = np.array([[0.7, 0.2], [0.2, 0.5]])
MEAN = np.array([0.2, -0.4])


@eqx.filter_jit
def evaluate(energy, mu):
    """Value, force and derivative in the weights."""
    differential = energy.differential(mu)
    velocity, _ = Wasserstein().velocity(mu, differential)
    return energy.value(mu), velocity, differential.w


def force(energy, mu):
    return evaluate(energy, mu)[1]


def cast(tree, dtype):
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, tree
    )


value_of = eqx.filter_jit(lambda energy, mu: energy.value(mu))


@pytest.mark.slow
def test_force_of_confinement_and_attraction():
    b = 0.7
    energy = Potential(lambda x: x @ A @ x / 2) + Interaction(
        lambda x, y: b * jnp.sum((x - y) ** 2) / 2
    )
    for mu in (CLOUD, Particles.from_samples(X)):
        expected = -X @ A - b * (X - np.asarray(mu.mean))
        np.testing.assert_allclose(force(energy, mu), expected, atol=1e-12)
    law = Gaussian(MEAN, COV)
    # A double integral of |x - y|^2 / 2 is the trace of the covariance.
    interaction = Interaction(lambda x, y: jnp.sum((x - y) ** 2) / 2)
    np.testing.assert_allclose(interaction.value(law), np.trace(COV) / 2, rtol=1e-12)
    np.testing.assert_allclose(
        interaction.value(CLOUD), np.trace(CLOUD.cov) / 2, rtol=1e-12
    )


@pytest.mark.slow
def test_densities_of_gaussians():
    law = Gaussian(MEAN, COV)
    normal = scipy.stats.multivariate_normal(MEAN, COV)
    np.testing.assert_allclose(Entropy(0.3).value(law), -0.3 * normal.entropy())
    trace = np.trace(np.linalg.inv(COV))
    np.testing.assert_allclose(FisherInformation(2.0).value(law), trace / 2)
    np.testing.assert_allclose(KLDivergence(law.log_density).value(law), 0, atol=1e-13)
    other = Gaussian(MEAN + 1, 2 * COV)
    # KL(N(m, S) || N(m + 1, 2 S)) in two dimensions.
    shift = np.ones(2) @ np.linalg.inv(COV) @ np.ones(2)
    expected = (1 - 2 + shift / 2 + 2 * np.log(2)) / 2
    divergence = KLDivergence(other.log_density).value(law)
    np.testing.assert_allclose(divergence, expected, rtol=1e-12)
    # A grid, and particles at quadrature nodes through the closure.
    grid = Grid.from_log_density(law.log_density, -5, 5, (64, 64))
    nodes, weights = standard_quadrature(2)
    x = MEAN + nodes @ np.linalg.cholesky(COV).T
    cloud = Particles.from_samples(x, weights)
    for energy in (
        Entropy(0.3, GaussianClosure()),
        FisherInformation(2.0, GaussianClosure()),
        KLDivergence(other.log_density, GaussianClosure()),
    ):
        expected = energy.value(law)
        np.testing.assert_allclose(value_of(energy, cloud), expected, rtol=1e-11)
        np.testing.assert_allclose(value_of(energy, grid), expected, rtol=2e-2)
    # Entropy and information of mass m: m (S + log m), m I.
    heavy = cloud.with_state((cloud.x, cloud.logw + np.log(3.0)))
    closure = GaussianClosure()
    np.testing.assert_allclose(
        closure.entropy(heavy), 3 * (closure.entropy(cloud) + np.log(3.0)), rtol=1e-12
    )


def smoothed(x, h):
    """Density and score of the kernel estimate of CLOUD at points, in numpy."""
    z = (x[:, None] - X[None]) / h
    k = W * np.exp(-(z**2).sum(-1) / 2) / (2 * np.pi * np.prod(h))
    return k.sum(1), -(k[..., None] * z / h).sum(1) / k.sum(1)[:, None]


@pytest.mark.slow
def test_kernel_smoothed_density():
    h = np.array([0.5, 0.8])
    density, score = smoothed(X, h)
    kde = KDE(h)
    np.testing.assert_allclose(kde.log_density(CLOUD), np.log(density), rtol=1e-11)
    np.testing.assert_allclose(
        value_of(Entropy(0.3, kde), CLOUD), 0.3 * W @ np.log(density), rtol=1e-11
    )
    np.testing.assert_allclose(
        value_of(FisherInformation(2.0, kde), CLOUD),
        W @ (score**2).sum(1) / 2,
        rtol=1e-11,
    )
    # The plug-in form moves down the score itself; reaction by its logarithm.
    plug_in = Entropy(0.3, KDE(h, form="plug_in"))
    _, velocity, variation = evaluate(plug_in, CLOUD)
    np.testing.assert_allclose(velocity, -0.3 * score, rtol=1e-10)
    np.testing.assert_allclose(variation, 0.3 * np.log(density), rtol=1e-11)
    with pytest.raises(ValueError, match="'blob' or 'plug_in', found 'exact'"):
        KDE(h, form="exact")


@pytest.mark.slow
def test_padding_of_a_smoothed_density_counts_for_nothing():
    padded = Particles.from_samples(
        np.concatenate([X, [[300.0, 0.0], [0.1, 0.1]]]), np.append(W, [0, 0])
    )
    for energy in (
        Entropy(1.0, KDE(0.4)),
        Entropy(1.0, KDE()),
        FisherInformation(1.0, KDE(0.4)),
        FisherInformation(1.0, GaussianClosure()),
    ):
        found, expected = evaluate(energy, padded), evaluate(energy, CLOUD)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
        np.testing.assert_allclose(found[1][:7], expected[1], rtol=1e-9, atol=1e-12)
        assert np.isfinite(found[2]).all()


@pytest.mark.slow
def test_discrepancies_against_numpy():
    r = distances.cdist(np.concatenate([X, Y]), np.concatenate([X, Y]))
    signed = np.concatenate([W, -V])
    for kernel, k in (
        (GaussianKernel(0.7), np.exp(-(r**2) / (2 * 0.49))),
        (LaplaceKernel(0.7), np.exp(-r / 0.7)),
        (EnergyDistance(), -r),
    ):
        np.testing.assert_allclose(
            value_of(MMD(kernel, TARGET), CLOUD), signed @ k @ signed / 2, rtol=1e-7
        )
        np.testing.assert_allclose(value_of(MMD(kernel, CLOUD), CLOUD), 0, atol=1e-9)
    value = value_of(SinkhornDivergence(TARGET, 0.4), CLOUD)
    expected = sinkhorn_divergence(
        CLOUD.x, TARGET.x, weights_x=CLOUD.w, weights_y=TARGET.w, blur=0.4
    )
    np.testing.assert_allclose(value, expected.value, rtol=1e-12)


@pytest.mark.slow
def test_discrepancy_to_a_density_is_that_to_its_quadrature():
    kernel = GaussianKernel(np.array([3.0, 4.0]))
    law = Gaussian(MEAN, COV)
    nodes, weights = standard_quadrature(2)
    points = MEAN + nodes @ np.linalg.cholesky(COV).T
    sampled = MMD(kernel, Particles.from_samples(points, weights))
    single = GaussianMixture(MEAN[None], COV[None], np.array([2.0]))
    for target in (law, single):
        found = value_of(MMD(kernel, target), CLOUD)
        np.testing.assert_allclose(found, value_of(sampled, CLOUD), rtol=1e-9)
        other = Gaussian(-MEAN, 2 * COV)
        cloud = Particles.from_samples(
            -MEAN + nodes @ np.linalg.cholesky(2 * COV).T, weights
        )
        np.testing.assert_allclose(
            value_of(MMD(kernel, target), other), value_of(sampled, cloud), rtol=1e-6
        )
    with pytest.raises(
        TypeError, match="needs the Gaussian kernel, found LaplaceKernel"
    ):
        MMD(LaplaceKernel(1.0), law)
    with pytest.raises(UnsupportedMeasureError, match="when the target is a Gaussian"):
        sampled.value(law)


def test_stein_discrepancy_against_numpy():
    h = 0.8
    energy = KernelSteinDiscrepancy(
        GaussianKernel(h), lambda x: -jnp.sum(x**2) / 2 + 5.0
    )
    z = X[:, None] - X[None]
    k = np.exp(-(z**2).sum(-1) / (2 * h**2))
    # s(x) = -x: the sum of the four terms of the kernel.
    stein = k * (X @ X.T - (z**2).sum(-1) / h**2 + 2 / h**2 - (z**2).sum(-1) / h**4)
    np.testing.assert_allclose(value_of(energy, CLOUD), W @ stein @ W / 2, rtol=1e-11)
    # Its expectation under the target is zero.
    nodes, weights = standard_quadrature(2)
    exact = KernelSteinDiscrepancy(GaussianKernel(4.0), lambda x: -jnp.sum(x**2) / 2)
    cloud = Particles.from_samples(nodes, weights)
    np.testing.assert_allclose(value_of(exact, cloud), 0, atol=1e-8)


@pytest.mark.slow
def test_first_variation_anywhere():
    points = jnp.asarray(rng.normal(size=(3, 2)))
    potential = Potential(lambda x: jnp.sum(jnp.cos(x)))
    np.testing.assert_allclose(
        potential.first_variation(CLOUD, points),
        np.cos(points).sum(1),
        rtol=1e-13,
    )
    quadratic = Interaction(lambda x, y: jnp.sum((x - y) ** 2) / 2)
    expected = distances.cdist(points, X, "sqeuclidean") @ W / 2
    np.testing.assert_allclose(
        quadratic.first_variation(CLOUD, points), expected, rtol=1e-12
    )
    for energy in (MMD(GaussianKernel(0.7), TARGET), Entropy(1.0, KDE(0.5))):
        np.testing.assert_allclose(
            energy.first_variation(CLOUD, CLOUD.x),
            energy.differential(CLOUD).w,
            rtol=1e-11,
        )


def test_algebra_and_implicit_entropy():
    one = Potential(lambda x: x @ x)
    two = Functional(lambda mu, t: mu.mass * (1 + t))
    energy = 2 * one - two / 4 + (-one) * 0.5
    expected = 1.5 * one.value(CLOUD) - 0.25 * (1 + 0.5)
    np.testing.assert_allclose(energy.value(CLOUD, 0.5), expected, rtol=1e-14)

    divergence = KLDivergence(lambda x: -x @ x)
    for energy, coefficient in (
        (divergence, 1.0),
        (3 * divergence - Entropy(0.5), 2.5),
        (divergence / 2 + one, 0.5),
    ):
        differential = energy.differential(CLOUD)
        np.testing.assert_allclose(differential.entropy, coefficient)
        # On a phase it is that of its measure.
        moving = energy.differential(Phase.at_rest(CLOUD))
        np.testing.assert_allclose(moving.entropy, coefficient)
        with pytest.raises(
            ImplicitEntropyError, match=r"Stein.*LangevinFlow.*density="
        ):
            energy.value(CLOUD)
    np.testing.assert_allclose(divergence.differential(CLOUD).w, (X**2).sum(1))
    with pytest.raises(TypeError, match="unsupported operand"):
        one + 1.0
    with pytest.raises(TypeError, match="unsupported operand"):
        one * two


@pytest.mark.slow
def test_float32_stays_float32_and_maps():
    cloud = Particles.from_samples(X.astype(np.float32), W)
    target = Particles.from_samples(Y.astype(np.float32), V)
    law = Gaussian(np.float32(MEAN), np.float32(COV))
    grid = Grid(np.ones((3, 3), np.float32), 0, 1)
    densities = (
        KLDivergence(law.log_density, KDE())
        + 2.0 * FisherInformation(0.5, KDE(0.5))
        - Entropy(0.3, GaussianClosure()) / 3
    )
    discrepancies = (
        MMD(GaussianKernel(0.7), law)
        + MMD(EnergyDistance(), target)
        + SinkhornDivergence(target, 0.5)
    )
    for energy, mu in (
        (densities, cloud),
        (densities, grid),
        (densities, law),
        (discrepancies, cloud),
        (discrepancies, grid),
    ):
        shapes = jax.eval_shape(
            lambda mu, energy=energy: (energy.value(mu), energy.differential(mu)), mu
        )
        assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {
            jnp.dtype("float32")
        }
    # Mapped over two clouds, and against float64.
    found = eqx.filter_jit(
        jax.vmap(lambda x: evaluate(densities, cloud.with_state((x, cloud.logw))))
    )(jnp.stack([cloud.x, cloud.x]))
    expected = evaluate(cast(densities, jnp.float64), cast(cloud, jnp.float64))
    for single, double in zip(found, expected, strict=True):
        np.testing.assert_allclose(single[1], double, rtol=2e-3, atol=1e-3)
