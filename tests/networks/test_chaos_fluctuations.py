"""Propagation of chaos: fluctuations pushed through the flow, and sampled ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Entropy
from wflow.measures import Gaussian, Particles
from wflow.networks import NetworkRisk
from wflow.networks.chaos import (
    QuadraticRisk,
    SampledRisk,
    SingleIndexRisk,
    Student,
    clt_variance,
    study_widths,
)
from wflow.networks.chaos.conditions import gronwall_factor, integral_sqrt_loss
from wflow.networks.chaos.diagonal import diagonal_gaps
from wflow.networks.chaos.linearized import clt_bias
from wflow.networks.chaos.risks import DiagonalRisk, FrozenRisk
from wflow.networks.chaos.sampled import SampledQuadraticRisk
from wflow.networks.chaos.student import UniformSphere
from wflow.networks.chaos.tangent import lipschitz_rate
from wflow.networks.chaos.widths import follow


X = np.random.default_rng(0).normal(size=(6, 2))
INPUTS = np.random.default_rng(1).normal(size=(9, 2))
TEACHER = jnp.diag(jnp.array([1.0, 0.2]))
START = Gaussian(jnp.zeros(2), 0.1 * jnp.eye(2))
STUDENT = Student(QuadraticRisk(TEACHER), START)
TIMES = (0.0, 0.3)


def quadratic(w, x):
    return (w @ x) ** 2


def test_risks_on_a_fixed_set_of_inputs():
    """Both are the general network risk, whose gap is the mean square difference."""
    mu, nu = Particles.from_samples(X), Particles.from_samples(X[:3])
    targets = jax.vmap(lambda x: x @ TEACHER @ x)(INPUTS)
    network = NetworkRisk(quadratic, jnp.asarray(INPUTS), targets)
    sampled = SampledQuadraticRisk(INPUTS, TEACHER)
    assert float(sampled.value(mu)) == pytest.approx(float(network.value(mu)))
    outputs = lambda w: np.mean((w @ INPUTS.T) ** 2, axis=0)
    gap = np.mean((outputs(X) - outputs(X[:3])) ** 2)
    assert float(SampledRisk(network).gap(mu, nu)) == pytest.approx(gap, rel=1e-12)
    with pytest.raises(ValueError, match="not finite at sample 1"):
        SampledQuadraticRisk([[1.0, 0.0], [np.nan, 0.0]], TEACHER)


def test_norm_of_a_quadratic_is_its_mean_over_inputs():
    """4e5 inputs, five standard errors."""
    inputs = jax.random.normal(jax.random.key(0), (400_000, 2))
    mu = Particles.from_samples(X)
    error = X.T @ X / 6 - TEACHER
    values = np.asarray(jnp.sum((inputs @ error) * inputs, axis=1) ** 2)
    off = float(QuadraticRisk(TEACHER).loss(mu)) - values.mean()
    assert abs(off) < 5 * values.std() / len(values) ** 0.5


@pytest.mark.slow
def test_variance_and_bias_are_derivatives_of_the_flow():
    """Against differences along each direction, and at t = 0 the exact start (3.3)."""
    variance = clt_variance(STUDENT, TIMES)
    s = lambda b: 2 * jnp.sum(b**2) + jnp.trace(b) ** 2
    units = [jnp.diag(jnp.array([2**0.5, 0])), jnp.diag(jnp.array([0, 2**0.5]))]
    units.append(jnp.array([[0.0, 1], [1, 0]]))
    directions = [0.1 * unit for unit in units]
    exact = sum(s(e) for e in directions)
    np.testing.assert_allclose(variance[0], exact, rtol=1e-10)

    def end(cov):
        return follow(STUDENT, Gaussian(jnp.zeros(2), cov), TIMES).measures.cov[-1]

    step, middle, total, bias = 1e-2, end(START.cov), 0.0, 0.0
    for e in directions:
        up, down = end(START.cov + step * e), end(START.cov - step * e)
        total += float(s((up - down) / (2 * step)))
        bias = bias + (up - 2 * middle + down) / (2 * step**2)
    # Differences of this step: relative 1e-4 of the curvature.
    assert float(variance[-1]) == pytest.approx(total, rel=1e-3)
    np.testing.assert_allclose(clt_bias(STUDENT, TIMES)[-1], bias, rtol=5e-3, atol=1e-4)


@pytest.mark.slow
def test_frozen_features_in_closed_form():
    """m E|Delta_t|^2 = tr(C e^{-2Ct}), oracle 3.11, at t = 0, 1, 5."""
    c = 1.0 / jnp.arange(1, 7) ** 2
    student = Student(
        FrozenRisk(jnp.diag(c), jnp.zeros(6)), Gaussian(jnp.zeros(6), jnp.eye(6))
    )
    zero = Particles.from_samples(jnp.zeros((1, 6)))
    keys = jax.random.split(jax.random.key(0), 1000)
    times = (0.0, 1.0, 5.0)

    def gaps(key):
        moved = follow(student, student.network(key, 4), times, dt0=0.05).measures
        return jax.vmap(lambda mu: 4 * student.risk.gap(mu, zero))(moved)

    found = np.asarray(jax.jit(jax.vmap(gaps))(keys))
    exact = [float(jnp.sum(c * jnp.exp(-2 * c * t))) for t in times]
    np.testing.assert_allclose(exact, [1.49139, 0.49430, 0.13845], atol=1e-5)
    error = found.std(axis=0) / len(keys) ** 0.5
    np.testing.assert_array_less(np.abs(found.mean(axis=0) - exact), 4 * error)


@pytest.mark.slow
def test_diagonal_networks_start_with_their_variance():
    """m E|Delta_0|^2 = 2 sum kappa f(0)^2, four standard errors (3.10)."""
    risk = DiagonalRisk(jnp.array([0.7, 0.3]), jnp.ones(2))
    start = jnp.array([1.5, 1.2])
    gaps = 32 * np.asarray(
        diagonal_gaps(risk, start, 32, (0.0, 2.0), jax.random.key(0), 2000)
    )
    exact = 2 * float(risk.probabilities @ start**2)
    assert abs(gaps[:, 0].mean() - exact) < 4 * gaps[:, 0].std() / 2000**0.5
    assert gaps[:, 1].mean() < gaps[:, 0].mean()


@pytest.mark.slow
def test_growth_is_bounded_by_gronwall():
    """The linearized flow grows at most at the largest rate along its path."""
    times = np.linspace(0, 0.3, 7)
    path = follow(STUDENT, START, times).measures.cov
    rate = float(lipschitz_rate(STUDENT.risk, path))
    grown = np.asarray(clt_variance(STUDENT, TIMES))
    assert 1 < grown[1] / grown[0] < gronwall_factor(rate, 0.3)
    assert integral_sqrt_loss([0, 1, 2], [4.0, 1.0, 0.0]) == pytest.approx(2)


@pytest.mark.slow
def test_studies_with_a_reference_network_and_with_noise():
    """Initial gaps of both are as in (3.3): tangent neurons, and noisy ones."""
    key = jax.random.key(0)
    single = Student(
        SingleIndexRisk([0.0, 0, 0.5, 0, 0.5], jnp.eye(5)[0]), UniformSphere(5)
    )
    reference = single.network(jax.random.key(1), 256)
    report = study_widths(single, (8, 32), 100, (0.0, 1.0), limit=reference, key=key)
    # 1 - E q, of 100 draws each; one reference adds its own error, of the same size.
    at_start = report.mean[:, 0] * report.widths
    np.testing.assert_allclose(at_start, 0.857143, rtol=0.25)

    noisy = Student(STUDENT.risk, START, STUDENT.risk + Entropy(0.01))
    report = study_widths(
        noisy, (8, 32), 200, (0.0, 0.2), limit=START, key=key, dt0=0.02
    )
    expected = 0.1**2 * 4 * (2 + 4 / 2)
    np.testing.assert_allclose(report.mean[:, 0] * report.widths, expected, rtol=0.4)
    assert np.isfinite(report.mean).all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_and_precision(dtype):
    """Of a gap in the teacher, against differences; the dtype is that of the start."""
    cov = jnp.asarray(START.cov, dtype)

    def gap(teacher):
        student = Student(QuadraticRisk(teacher), Gaussian(jnp.zeros(2, dtype), cov))
        ends = follow(student, student.start, TIMES).measures
        first, last = (jax.tree.map(lambda leaf, k=k: leaf[k], ends) for k in (0, 1))
        return student.risk.gap(first, last)

    teacher = jnp.asarray(TEACHER, dtype)
    found = jax.jit(jax.grad(gap))(teacher)
    assert found.dtype == dtype
    if dtype is np.float64:
        e = jnp.zeros((2, 2)).at[0, 0].set(1e-5)
        difference = (gap(teacher + e) - gap(teacher - e)) / 2e-5
        assert float(found[0, 0]) == pytest.approx(float(difference), rel=1e-5)
    assert jax.vmap(gap)(jnp.stack([teacher, 2 * teacher])).shape == (2,)
