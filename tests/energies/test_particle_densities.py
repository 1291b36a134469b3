"""Kernel estimates with matrix bandwidths, and what first variations hold fixed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from wflow import solve
from wflow.energies import KDE, Entropy, KLDivergence
from wflow.flows import GradientFlow
from wflow.geometries import HellingerKantorovich, Wasserstein
from wflow.kernels import silverman_bandwidth
from wflow.kernels.bandwidth import silverman_matrix
from wflow.measures import Gaussian, Particles


rng = np.random.default_rng(0)
X = rng.normal(size=(9, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
W = rng.uniform(0.5, 1.5, size=9)
W = W / W.sum()
MU = Particles.from_samples(X, W)
TILTED = np.array([[0.8, 0.0], [0.4, 0.6]])
TARGET = Gaussian([0.5, -1.0], [[1.0, 0.3], [0.3, 0.5]])


def estimate(x, y, w, h):
    """A kernel density estimate and its score, by scipy's normal density."""
    cov = h @ h.T
    k = np.array([[multivariate_normal.pdf(a, b, cov) for b in y] for a in x]) * w
    rho = k.sum(1)
    pulls = np.linalg.solve(cov, (y - x[:, None]).reshape(-1, 2).T).T.reshape(
        len(x), -1, 2
    )
    return rho, np.einsum("ij,ijd->id", k, pulls) / rho[:, None]


@pytest.mark.parametrize(
    ("density", "h"),
    [
        (KDE(0.7), 0.7 * np.eye(2)),
        (KDE(np.array([0.7, 0.4])), np.diag([0.7, 0.4])),
        (KDE(TILTED), TILTED),
        (KDE(correlated=True), np.asarray(silverman_matrix(MU.x, MU.logw))),
        (KDE(), np.diag(silverman_bandwidth(MU.x, MU.logw))),
    ],
)
def test_estimate_with_any_bandwidth(density, h):
    rho, score = estimate(X, X, W, h)
    np.testing.assert_allclose(density.log_density(MU), np.log(rho), rtol=1e-10)
    np.testing.assert_allclose(density.entropy(MU), W @ np.log(rho), rtol=1e-10)
    information = W @ np.sum(score**2, axis=1)
    np.testing.assert_allclose(density.fisher_information(MU), information, rtol=1e-9)


def test_silverman_matrix_is_a_multiple_of_the_covariance():
    h = np.asarray(silverman_matrix(MU.x, MU.logw))
    ess = 1 / np.sum(W**2)
    cov = np.cov(X.T, aweights=W, ddof=0)
    np.testing.assert_allclose(h @ h.T, ess ** (-1 / 3) * cov, rtol=1e-10)
    # So the estimate goes along with every linear map of the space.
    moved = Particles.from_samples(X @ TILTED.T, W)
    expected = KDE(correlated=True).log_density(MU) - np.log(np.linalg.det(TILTED))
    np.testing.assert_allclose(KDE(correlated=True).log_density(moved), expected)
    with pytest.raises(ValueError, match="lie in a plane"):
        silverman_matrix(jnp.asarray(X[:, :1] * [[1.0, 0.0]]))


@pytest.mark.slow
@pytest.mark.parametrize("correlated", [False, True])
def test_plug_in_velocity_is_minus_the_score(correlated):
    # The estimate held fixed: in positions its score, in weights its logarithm.
    density = KDE(form="plug_in", correlated=correlated)
    h = (
        np.asarray(silverman_matrix(MU.x, MU.logw))
        if correlated
        else np.diag(silverman_bandwidth(MU.x, MU.logw))
    )
    rho, score = estimate(X, X, W, h)
    energy = Entropy(density=density)
    velocity = GradientFlow(energy, Wasserstein()).velocity(MU)[0]
    np.testing.assert_allclose(velocity, -score, rtol=1e-9)
    np.testing.assert_allclose(energy.differential(MU).w, np.log(rho), rtol=1e-9)
    y = rng.normal(size=(4, 2))
    elsewhere = np.log(estimate(y, X, W, h)[0])
    np.testing.assert_allclose(energy.first_variation(MU, y), elsewhere, rtol=1e-9)


@pytest.mark.slow
def test_sums_and_multiples_hold_what_their_parts_hold():
    density = KDE(form="plug_in")
    energy = 2.0 * Entropy(0.5, density) + KLDivergence(TARGET.log_density, density)
    whole = energy.differential(MU)
    parts = [
        Entropy(density=density).differential(MU),
        KLDivergence(TARGET.log_density, density).differential(MU),
    ]
    np.testing.assert_allclose(whole.x, parts[0].x + parts[1].x, rtol=1e-10)
    np.testing.assert_allclose(whole.w, parts[0].w + parts[1].w, rtol=1e-10)
    # Of other particles, the estimate is where these are.
    elsewhere = density.log_density(MU, Particles.from_samples(X + 1.0, W))
    h = np.diag(silverman_bandwidth(MU.x, MU.logw))
    expected = np.log(estimate(X, X + 1.0, W, h)[0])
    np.testing.assert_allclose(elsewhere, expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "density", [KDE(0.7), KDE(0.7, "plug_in"), KDE(), KDE(form="plug_in")]
)
def test_values_hold_nothing_fixed(density):
    # Outside of first variations the estimate and its bandwidth move with the measure.
    energy = Entropy(density=density)

    def value(x):
        return energy.value(Particles.from_samples(x, W))

    v = rng.normal(size=X.shape)
    difference = (value(X + 1e-5 * v) - value(X - 1e-5 * v)) / 2e-5
    slope = jax.grad(value)(MU.x)
    np.testing.assert_allclose(jnp.sum(slope * v), difference, rtol=1e-6)
    # The first variation is that slope where it holds nothing fixed either.
    same = np.allclose(energy.differential(MU).x, slope, rtol=1e-10)
    assert same == (density.form == "blob" and density.bandwidth is not None)


def end(p, flow_of):
    """A number that depends on a whole solve, with four parameters."""
    flow = flow_of(p[0], Gaussian(p[1:3], TARGET.cov))
    start = Particles.from_samples(X * p[3], W)
    mu = solve(flow, start, 0.0, 0.4, dt0=0.2)[-1]
    return jnp.sum(mu.mean) + mu.cov[0, 1] + mu.cov[1, 1]


def with_correlated(alpha, target):
    kl = KLDivergence(target.log_density, KDE(form="plug_in", correlated=True))
    return GradientFlow(kl, HellingerKantorovich(alpha, 0.7))


def with_matrix(alpha, target):
    # The bandwidth is a parameter like the others.
    kl = KLDivergence(target.log_density, KDE(alpha * TILTED, form="plug_in"))
    return GradientFlow(kl, Wasserstein())


@pytest.mark.slow
@pytest.mark.parametrize("flow_of", [with_correlated, with_matrix])
def test_gradients_go_through_what_first_variations_hold_fixed(flow_of):
    # The particles of the estimate move along with the solve, and so do derivatives of
    # its end; bandwidths of a rule are not differentiated in velocities alone.
    p = jnp.array([0.8, 0.3, -0.5, 1.1])
    evaluate = eqx.filter_jit(jax.value_and_grad(lambda p: end(p, flow_of)))
    difference = [
        (evaluate(p + d)[0] - evaluate(p - d)[0]) / 2e-5 for d in 1e-5 * jnp.eye(4)
    ]
    np.testing.assert_allclose(evaluate(p)[1], difference, rtol=1e-6, atol=1e-8)
