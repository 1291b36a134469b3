"""Propagation of chaos: closed forms of the four solvable networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles
from wflow.networks.chaos import (
    Neuron,
    QuadraticRisk,
    SampledRisk,
    SingleIndexRisk,
    Student,
    study_widths,
)
from wflow.networks.chaos.conditions import (
    bound_exponent,
    decay_exponent,
    integral_sqrt_loss,
    verdict,
)
from wflow.networks.chaos.diagonal import power_law, residual_at
from wflow.networks.chaos.risks import DiagonalRisk
from wflow.networks.chaos.tangent import tangent_rates
from wflow.networks.chaos.widths import check_grid, summarize


X = np.random.default_rng(0).normal(size=(6, 4))
TEACHER = jnp.diag(jnp.array([1.0, 0, 0, 0]))


@pytest.mark.slow
def test_moments_move_as_their_neurons():
    """The Gaussian's velocity is that of W^T W / m; copies change nothing (3.13)."""
    risk = QuadraticRisk(TEACHER)
    mu = Particles.from_samples(X)
    flow = GradientFlow(risk, Wasserstein())
    dx, _ = flow.velocity(mu)
    moved = (dx.T @ X + X.T @ dx) / 6
    _, dm = flow.velocity(risk.closure(mu))
    np.testing.assert_allclose(dm, moved, atol=1e-10)
    twice, _ = flow.velocity(Particles.from_samples(np.concatenate([X, X])))
    np.testing.assert_allclose(twice[:6], dx, atol=1e-10)
    gradient = jax.grad(lambda x: risk.value(Particles.from_samples(x)))(jnp.asarray(X))
    np.testing.assert_allclose(dx, -6 * gradient, atol=1e-10)
    assert float(flow.dissipation(mu)) == pytest.approx(
        float(jnp.mean(jnp.sum(dx**2, axis=1))), rel=1e-10
    )


@pytest.mark.slow
def test_initial_fluctuations():
    """m E|Delta_0|^2 = eps^2 (2 + 4/d) = 3 by 2000 draws, 5 standard errors (3.3)."""
    risk, m = QuadraticRisk(TEACHER), 8
    start = Gaussian(jnp.zeros(4), jnp.eye(4) / 4)
    student = Student(risk, start)
    gap = lambda key: risk.gap(student.network(key, m), start)
    gaps = m * np.asarray(jax.vmap(gap)(jax.random.split(jax.random.key(0), 2000)))
    assert abs(gaps.mean() - 3) < 5 * gaps.std() / 2000**0.5


@pytest.mark.slow
def test_single_index_is_tangent():
    """The velocity is that of the specification, tangent to the sphere."""
    risk = SingleIndexRisk(jnp.array([0, 0, 0.5, 0, 0.5]), jnp.eye(4)[0])
    w = X / np.linalg.norm(X, axis=1, keepdims=True)
    dw, _ = GradientFlow(risk, Wasserstein()).velocity(Particles.from_samples(w))
    slope = lambda s: s + 2 * s**3
    force = slope(w[:, :1]) * np.eye(4)[:1] - slope(w @ w.T) @ w / 6
    tangent = force - w * np.sum(w * force, axis=1, keepdims=True)
    np.testing.assert_allclose(dw, tangent, atol=1e-12)


@pytest.mark.parametrize(
    ("powers", "exact"),
    [
        # E s^2 = 1/d and E s^4 = 3 / (d (d + 2)); odd powers vanish.
        ([0.0, 1.0], 1),
        ([0.0, 0.0, 1.0], 3 / 4),
        ([0.0, 0.0, 0.0, 0.0, 1.0], 7 / 8),
        ([5.0, 0.0, 0.5, 1.0, 0.5], 3 / 8 + 1 + 7 / 16),
    ],
)
def test_sampling_variance_of_a_single_index(powers, exact):
    risk = SingleIndexRisk(powers, jnp.eye(4)[0])
    assert float(risk.sampling_variance) == pytest.approx(exact, rel=1e-12)


def test_sampling_variance_is_that_of_draws():
    """By 2000 pairs of networks of 2 neurons, 2 V / 2 apart; five standard errors."""
    risk = SingleIndexRisk([0.0, 0.0, 0.5, 0.5, 1.0], jnp.eye(3)[0])
    draws = np.random.default_rng(0).normal(size=(2, 2000, 2, 3))
    gap = lambda x, y: risk.gap(Particles.from_samples(x), Particles.from_samples(y))
    gaps = np.asarray(jax.vmap(gap)(*jnp.asarray(draws)))
    error = abs(gaps.mean() - float(risk.sampling_variance))
    assert error < 5 * gaps.std() / 2000**0.5


def test_a_network_has_no_risk_on_targets_of_its_own():
    teacher = Particles.from_samples(np.array([[2.0, 1, 0], [-1, 0, 1]]))
    inputs = np.random.default_rng(0).normal(size=(5, 2))
    risk = SampledRisk.of(Neuron("tanh"), inputs, teacher)
    targets = np.tanh(inputs[:, 0]) - np.tanh(inputs[:, 1]) / 2
    np.testing.assert_allclose(risk.network.targets, targets, rtol=1e-12)
    assert float(risk.value(teacher)) == pytest.approx(0, abs=1e-25)


def test_diagonal_closed_form_and_exponent():
    """Its time derivative is the velocity; c = (p + 2u - 1)/p within .05 (3.10)."""
    risk = DiagonalRisk(jnp.array([0.7, 0.3]), jnp.array([1.0, 0.5]))
    f = jnp.array([0.4, 0.8])
    at = lambda t: residual_at(risk, f, t)
    g, rate = jax.jvp(at, (0.3,), (1.0,))
    np.testing.assert_allclose(
        rate, -4 * risk.probabilities * g * (g + risk.teacher), rtol=1e-12
    )
    risk, start = power_law(400, 2.0, 3.0)
    times = jnp.geomspace(30.0, 300.0, 60)
    loss = jax.vmap(lambda t: risk.probabilities @ residual_at(risk, start, t) ** 2)
    assert decay_exponent(times, loss(times), floor=0) == pytest.approx(3.5, abs=0.05)


@pytest.mark.slow
def test_verdicts_and_resampling():
    assert [bound_exponent(c) for c in (3, 4.5, 8)] == [0.5, 0.75, 1]
    assert verdict(-1, 0.01, -0.5) == "not uniform in time"
    assert verdict(-1, 0.01, 2.0) == "outside hypothesis"
    assert verdict(-0.3, 0.01, 4.5) == "inconsistent"
    rng = np.random.default_rng(1)
    gaps = [rng.chisquare(3, (400, 2)) / m for m in (16, 64, 256)]
    report = summarize((16, 64, 256), (0.0, 1.0), gaps, key=jax.random.key(0))
    assert report.interval[0] < -1 < report.interval[1]
    assert not report.flattens
    plateau = [gap + 0.3 for gap in gaps]
    assert summarize((16, 64, 256), (0.0, 1.0), plateau, key=jax.random.key(0)).flattens
    assert report.width_for(0.1)[1] is False
    assert report.width_for(1e-4)[1] is True
    # T_{M*} of a rank-one teacher: 12 once, 4 for mixed directions, 0 beyond.
    rates = np.asarray(tangent_rates(TEACHER))
    np.testing.assert_allclose(rates, [0] * 6 + [4] * 3 + [12], atol=1e-9)


def test_hostile_inputs():
    start = Gaussian(jnp.zeros(2), jnp.eye(2))
    student = Student(QuadraticRisk(jnp.eye(2)), start)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="eigenvalue -1"):
        QuadraticRisk(jnp.diag(jnp.array([1.0, -1.0])))
    with pytest.raises(ValueError, match="sum 0.9"):
        DiagonalRisk(jnp.array([0.5, 0.4]), jnp.ones(2))
    with pytest.raises(ValueError, match="m >= 1"):
        student.network(key, 0)
    with pytest.raises(ValueError, match="expected widths to increase strictly"):
        study_widths(student, (8, 4), 4, (0.0, 1.0), limit=start, key=key)
    wide = Particles.from_samples(jnp.ones((16, 2)))
    with pytest.raises(ValueError, match="at least 4 x 8 neurons"):
        study_widths(student, (4, 8), 4, (0.0, 1.0), limit=wide, key=key)
    with pytest.raises(ValueError, match="start at 0"):
        check_grid([0.1, 0.2])
    with pytest.warns(UserWarning, match="critical point"):
        Student(QuadraticRisk(jnp.eye(2)), Gaussian(jnp.zeros(2), 1e-40 * jnp.eye(2)))


def test_a_root_that_is_not_integrable_is_told():
    times = np.geomspace(1.0, 100.0, 200)
    for exponent in (0.0, 1.0, 2.0):
        with pytest.warns(UserWarning, match="integral over all times diverges"):
            found = integral_sqrt_loss(times, times**-exponent)
        exact = (
            np.log(100)
            if exponent == 2
            else (100 ** (1 - exponent / 2) - 1) / (1 - exponent / 2)
        )
        assert found == pytest.approx(exact, rel=0.02)
    # Faster, or over too short a time to tell, it has nothing to say.
    integral_sqrt_loss(times, times**-3)
    integral_sqrt_loss([0.0, 1.0], [4.0, 4.0])


@pytest.mark.parametrize(
    "numbers",
    [(np.nan, 0.02, 4.0), (-1.0, np.nan, 4.0), (-1.0, -0.1, 4.0), (-1.0, 0.02, np.nan)],
)
def test_no_verdict_on_what_is_no_number(numbers):
    with pytest.raises(ValueError, match="expected (slope|error|decay) .*found"):
        verdict(*numbers)


def test_seeds_that_are_all_alike_have_no_interval():
    times = np.linspace(0, 1, 5)
    gaps = [np.tile(np.exp(-times) / m, (6, 1)) for m in (8, 16, 32)]
    with pytest.raises(ValueError, match="6 seeds of width 8 identical"):
        summarize((8, 16, 32), times, gaps, key=jax.random.key(0))
