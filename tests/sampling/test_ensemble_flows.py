"""Ensemble samplers on Gaussian targets; discrepancies to an embedded target."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import MMD
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.kernels import GaussianKernel
from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    UnsupportedMeasureError,
)
from wflow.sampling import ExactEmbedding, GaussHermite, GradientFreeEmbedding
from wflow.sampling.discrepancy import EmbeddedDiscrepancy
from wflow.sampling.ensemble import (
    ALDIFlow,
    ConsensusFlow,
    GaussianInverseProblem,
    GradientFreeALDIFlow,
)


KEY = jax.random.key(0)
# A long and thin one.
TARGET = Gaussian([0.5, -1.0], [[4.0, 0.9], [0.9, 0.25]])
DESIGN = np.array([[1.0, 0.3], [0.2, -0.7], [0.5, 0.5]])


class Linear(eqx.Module):
    matrix: jax.Array

    def __call__(self, x):
        return self.matrix @ x


PROBLEM = GaussianInverseProblem(
    Linear(jnp.asarray(DESIGN)),
    np.array([0.4, -0.2, 1.0]),
    np.array([0.5, 1.0, 0.8]),
    Gaussian([0.2, 0.1], [[1.0, 0.2], [0.2, 2.0]]),
)


def posterior():
    """Of the linear problem, in closed form."""
    noise, prior = np.diag(1 / np.array([0.5, 1.0, 0.8]) ** 2), PROBLEM.prior
    precision = np.linalg.inv(prior.cov)
    cov = np.linalg.inv(DESIGN.T @ noise @ DESIGN + precision)
    pull = DESIGN.T @ noise @ np.asarray(PROBLEM.data) + precision @ prior.mean
    return Gaussian(cov @ pull, cov)


POSTERIOR = posterior()
N = 100
TIMES = np.linspace(10.0, 40.0, 301)


def time_average(flow, target, dt0):
    """Mean and covariance over the ensemble and over late times."""
    # Off the target, not by much: far from it explicit steps of ALDI must be shorter.
    x = 1.3 * target.sample(KEY, N)
    start = Particles.from_samples(x)
    measures = solve(flow, start, 0.0, 40.0, times=TIMES, dt0=dt0, key=KEY).measures
    x = np.asarray(measures.x).reshape(-1, 2)
    root = np.linalg.cholesky(target.cov)
    # In coordinates in which the target is standard.
    z = np.linalg.solve(root, (x - np.asarray(target.mean)).T)
    return z.mean(1), z @ z.T / z.shape[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "target"),
    [
        (ALDIFlow(TARGET.log_density), TARGET),
        (ALDIFlow(PROBLEM), POSTERIOR),
        (GradientFreeALDIFlow(PROBLEM), POSTERIOR),
    ],
)
def test_the_target_is_stationary(flow, target):
    # Rate one whatever the target: 30 x 100 / 2 independent draws; five standard
    # errors, and half the step for the bias of Euler's steps.
    mean, cov = time_average(flow, target, 0.05)
    np.testing.assert_allclose(mean, 0, atol=5 / 1500**0.5)
    np.testing.assert_allclose(cov, np.eye(2), atol=5 * 2**0.5 / 1500**0.5 + 0.025)


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.5, 1.0])
def test_consensus_is_stationary(b):
    # Euler steps of length h leave the variance times 1 + h (1 + 1/b) / 2 to first
    # order; n particles instead of many leave order 1/n.
    mean, cov = time_average(ConsensusFlow(TARGET.log_density, b), TARGET, 0.05)
    bias = 0.05 * (1 + 1 / b) / 2
    np.testing.assert_allclose(mean, 0, atol=0.3)
    np.testing.assert_allclose(cov, np.eye(2) * (1 + bias), atol=0.35)


@pytest.mark.slow
def test_consensus_has_the_target_as_its_fixed_point():
    # On a quadrature of the target itself: m_b is its mean, and the noise balances the
    # pull, 2 (1 + b) C_b = 2 C.
    z, w = np.polynomial.hermite_e.hermegauss(20)
    points = np.stack(np.meshgrid(z, z, indexing="ij"), -1).reshape(-1, 2)
    x = np.asarray(TARGET.mean) + points @ np.linalg.cholesky(TARGET.cov).T
    mu = Particles.from_samples(x, np.outer(w, w).ravel() / w.sum() ** 2)
    for b in (0.3, 1.0):
        flow = ConsensusFlow(TARGET.log_density, b)
        np.testing.assert_allclose(
            flow.drift(mu), np.asarray(TARGET.mean) - x, atol=1e-4
        )
        np.testing.assert_allclose(flow.spread(mu), 2 * TARGET.cov, rtol=1e-4)


MAP = np.array([[0.7, 0.4], [-0.2, 1.3]])
SHIFT = np.array([1.0, -2.0])


def moved(problem):
    """The problem in the coordinates y = MAP x + SHIFT."""
    inverse = jnp.asarray(np.linalg.inv(MAP))
    prior = problem.prior
    return GaussianInverseProblem(
        lambda y: problem.forward(inverse @ (y - SHIFT)),
        problem.data,
        problem.noise_std,
        Gaussian(MAP @ prior.mean + SHIFT, MAP @ prior.cov @ MAP.T),
    )


CLOUD = Particles.from_samples(
    np.random.default_rng(0).normal(size=(12, 2)), np.linspace(0.5, 1.5, 12)
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [ALDIFlow, GradientFreeALDIFlow, lambda p: ConsensusFlow(p, 0.7)]
)
def test_affine_invariance(make):
    # Drift and noise go along with every linear change of coordinates.
    image = Particles(CLOUD.x @ MAP.T + SHIFT, CLOUD.logw)
    flow, there = make(PROBLEM), make(moved(PROBLEM))
    np.testing.assert_allclose(
        there.drift(image), flow.drift(CLOUD) @ MAP.T, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        there.spread(image), MAP @ flow.spread(CLOUD) @ MAP.T, rtol=1e-9
    )
    # The noise is a root of the spread, the same for all.
    noise = flow.noise(CLOUD).operator(CLOUD)
    unit = jnp.eye(2)[:, None] * jnp.ones((12, 1))
    columns = jnp.stack([noise.mv((u, jnp.ones(12)))[0][0] for u in unit])
    np.testing.assert_allclose(columns.T @ columns, flow.spread(CLOUD), atol=1e-10)


@pytest.mark.slow
def test_gradient_free_is_exact_for_linear_models():
    exact, free = ALDIFlow(PROBLEM), GradientFreeALDIFlow(PROBLEM)
    np.testing.assert_allclose(free.drift(CLOUD), exact.drift(CLOUD), rtol=1e-9)
    # For others it needs values alone: a forward map without a derivative.
    steps = GaussianInverseProblem(
        lambda x: jnp.floor(4 * DESIGN @ x) / 4,
        PROBLEM.data,
        PROBLEM.noise_std,
        PROBLEM.prior,
    )
    gap = GradientFreeALDIFlow(steps).drift(CLOUD) - exact.drift(CLOUD)
    assert float(jnp.max(jnp.abs(gap))) < 2


@pytest.mark.slow
def test_the_correction_is_the_divergence_of_the_covariance():
    def covariance(x):
        return Particles(x, CLOUD.logw).cov

    d = jax.jacfwd(covariance)(CLOUD.x)  # (a, b, i, a')
    divergence = jnp.einsum("abia->ib", d)
    flat = ALDIFlow(lambda x: jnp.zeros(()))
    np.testing.assert_allclose(flat.drift(CLOUD), divergence, rtol=1e-9, atol=1e-12)


def test_inverse_problem_is_its_log_density():
    x = np.array([0.3, -0.4])
    gap = POSTERIOR.log_density(x) - POSTERIOR.log_density(np.zeros(2))
    np.testing.assert_allclose(PROBLEM(x) - PROBLEM(jnp.zeros(2)), gap, rtol=1e-9)


@pytest.mark.slow
def test_few_particles_stay_in_their_plane():
    # Two in the plane span a line; nothing pushes them off it.
    start = Particles.from_samples(np.array([[0.0, 0.0], [1.0, 1.0]]))
    mu = solve(ALDIFlow(TARGET.log_density), start, 0.0, 0.5, dt0=0.1, key=KEY)[-1]
    x = np.asarray(mu.x)
    np.testing.assert_allclose(x[:, 0], x[:, 1], atol=1e-9)


@pytest.mark.slow
def test_float32_and_vmap():
    problem = jax.tree.map(lambda a: a.astype(jnp.float32), PROBLEM)
    start = Particles(CLOUD.x.astype(jnp.float32), CLOUD.logw.astype(jnp.float32))
    for flow in (GradientFreeALDIFlow(problem), ConsensusFlow(problem)):
        mu = solve(flow, start, 0.0, 0.2, dt0=0.1, key=KEY)[-1]
        assert mu.x.dtype == mu.logw.dtype == jnp.float32
        assert flow.spread(start).dtype == flow.drift(start).dtype == jnp.float32
    keys = jax.random.split(KEY, 2)
    many = jax.vmap(lambda k: solve(flow, start, 0.0, 0.2, dt0=0.1, key=k)[-1].x)(keys)
    one = solve(flow, start, 0.0, 0.2, dt0=0.1, key=keys[1])[-1].x
    np.testing.assert_allclose(many[1], one, rtol=1e-4, atol=1e-4)


def with_changes(**changes):
    fields = {
        "forward": PROBLEM.forward,
        "data": PROBLEM.data,
        "noise_std": PROBLEM.noise_std,
        "prior": PROBLEM.prior,
    }
    return GaussianInverseProblem(**(fields | changes))


@pytest.mark.slow
def test_a_problem_in_the_coordinates_of_its_posterior_is_standard_normal():
    # The posterior of a linear model is the Gaussian; the normalizer is added.
    white = PROBLEM.whitened(POSTERIOR)
    root = jnp.linalg.cholesky(POSTERIOR.cov)
    z = jax.random.normal(KEY, (5, 2))
    found, at_zero = jax.vmap(white)(z), white(jnp.zeros(2))
    np.testing.assert_allclose(found - at_zero, -jnp.sum(z**2, 1) / 2, rtol=1e-9)
    _, log_det = jnp.linalg.slogdet(root)
    exact = jax.vmap(PROBLEM)(POSTERIOR.mean + z @ root.T) + log_det
    np.testing.assert_allclose(found, exact, rtol=1e-10)
    np.testing.assert_allclose(
        white.predict(z[0]), PROBLEM.predict(POSTERIOR.mean + root @ z[0])
    )
    with pytest.raises(UnsupportedMeasureError, match="Gaussian"):
        PROBLEM.whitened(CLOUD)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: with_changes(noise_std=0.0), ValueError, "noise_std > 0"),
        (lambda: with_changes(noise_std=np.ones(2)), ValueError, r"\(3,\), found \(2,"),
        (lambda: with_changes(data=np.ones((3, 1))), ValueError, r"data of shape \(k,"),
        (lambda: with_changes(forward=jnp.sum)(jnp.ones(2)), ValueError, "predictions"),
        (
            lambda: with_changes(prior=CLOUD),
            TypeError,
            "prior to be a Gaussian, found Part",
        ),
        (lambda: GradientFreeALDIFlow(TARGET), TypeError, "found Gaussian"),
        (lambda: ConsensusFlow(PROBLEM, 0.0), ValueError, "inverse_temperature > 0"),
        (lambda: ConsensusFlow(PROBLEM, np.nan), ValueError, "found nan"),
        (
            lambda: ALDIFlow(PROBLEM).velocity(TARGET),
            UnsupportedMeasureError,
            "Gaussian",
        ),
        (lambda: ALDIFlow(PROBLEM).noise(TARGET), UnsupportedMeasureError, "Gaussian"),
        (
            lambda: solve(ALDIFlow(PROBLEM), CLOUD, 0.0, 1.0, dt0=0.5),
            ValueError,
            "needs a key",
        ),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


# The discrepancy to an embedded target.

KERNEL = GaussianKernel(np.array([[0.8, 0.0], [0.4, 0.6]]))
MIXTURE = GaussianMixture(
    np.random.default_rng(1).normal(size=(2, 2)),
    np.stack([np.eye(2), 0.5 * np.eye(2)]),
    np.array([0.4, 0.6]),
)


@eqx.filter_jit
def differential(energy, mu):
    return energy.differential(mu)[:2]


@eqx.filter_jit
def value(energy, mu):
    return energy.value(mu)


@pytest.mark.slow
@pytest.mark.parametrize(
    "target",
    [
        Particles.from_samples(np.random.default_rng(2).normal(size=(9, 2))),
        TARGET,
        MIXTURE,
    ],
)
def test_embedded_discrepancy_is_half_the_squared_one(target):
    # Up to the target's own part, which does not depend on the particles.
    energy = EmbeddedDiscrepancy(ExactEmbedding(target), KERNEL)
    whole = MMD(KERNEL, target)
    for x in (CLOUD.x, CLOUD.x + 0.5):
        mu = Particles(x, CLOUD.logw)
        gap = value(whole, mu) - value(energy, mu)
        if isinstance(target, Particles):
            np.testing.assert_allclose(gap, -value(energy, target), rtol=1e-9)
        else:
            nothing = Particles(CLOUD.x, np.full(12, -np.inf))
            np.testing.assert_allclose(gap, value(whole, nothing), rtol=1e-9)
    for a, b in zip(differential(energy, mu), differential(whole, mu), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


@pytest.mark.slow
def test_a_normalizer_is_divided_out():
    shifted = GradientFreeEmbedding(
        lambda x: TARGET.log_density(x) + 3.0, GaussHermite(24)
    )
    energy = EmbeddedDiscrepancy(shifted, KERNEL, 3.0)
    exact = EmbeddedDiscrepancy(ExactEmbedding(TARGET), KERNEL)
    found, expected = value(energy, CLOUD), value(exact, CLOUD)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    flow = GradientFlow(exact, Wasserstein())
    velocity = eqx.filter_jit(flow.velocity)(CLOUD)[0]
    assert velocity.shape == CLOUD.x.shape
    single = Particles(CLOUD.x.astype(jnp.float32), CLOUD.logw.astype(jnp.float32))
    low = jax.tree.map(lambda a: a.astype(jnp.float32), exact)
    assert value(low, single).dtype == jnp.float32


def test_embedded_discrepancy_is_of_particles():
    with pytest.raises(UnsupportedMeasureError, match="Grid"):
        EmbeddedDiscrepancy(ExactEmbedding(TARGET), KERNEL).value(
            Grid(np.ones((3, 3)), 0.0, 1.0)
        )
