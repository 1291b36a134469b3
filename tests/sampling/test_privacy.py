"""Conversions, bounds, accountant against closed forms; two flows on a circle."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from wflow.measures import Gaussian, Grid, Particles
from wflow.sampling.privacy import ExponentialMechanism, PrivacyAccountant, privatize
from wflow.sampling.privacy.bounds import drift_term, duhamel_bound, kl_bound
from wflow.sampling.privacy.certificate import (
    UnboundedPrivacyWarning,
    UncertifiedReleaseError,
)
from wflow.sampling.privacy.conversions import (
    delta_from_kl,
    delta_from_pure,
    delta_from_renyi,
    divergence_budget,
    epsilon_from_kl,
    epsilon_from_pure,
    epsilon_from_renyi,
    gaussian_renyi,
    kl_from_pure,
    renyi_from_pure,
)
from wflow.sampling.privacy.ratio import log_ratio, oscillation
from wflow.sampling.privacy.stability import stability


def potential(x):
    return 1.5 * jnp.cos(x[0]) + 0.8 * jnp.cos(2 * x[0] + 0.3)


def discrepancy(x):
    return 0.25 * jnp.sin(x[0] + 0.5) + 0.1 * jnp.cos(3 * x[0])


def target(x):
    return -potential(x)


def neighbor(x):
    return -potential(x) + discrepancy(x)


def circle(n, start=lambda x: -0.9 * jnp.cos(x[0] - 1)):
    return Grid.from_log_density(start, 0.0, 2 * math.pi, (n,), "periodic")


ACCOUNTANT = PrivacyAccountant(
    osc_delta=0.505,
    grad_delta=0.55,
    osc_h0=(3.52, 3.68),
    grad_h0=2.65,
    hess_lower=-3.88,
    osc_source=2.43,
)


# Conversions.


@pytest.mark.parametrize(
    ("kl", "epsilon", "delta"),
    [
        (0.01, 0.1, 0.037439),
        (0.1, 0.5, 0.093329),
        (0.5, 1.0, 0.241777),
        (0.05, 1.0, 0.028005),
        (0.01, 0.0, 0.070671),
    ],
)
def test_delta_from_kl(kl, epsilon, delta):
    found = delta_from_kl(kl, epsilon)
    assert found == pytest.approx(delta, abs=1e-4)
    assert delta_from_kl(kl, 0.0) <= math.sqrt(kl / 2)
    assert divergence_budget(epsilon, found) == pytest.approx(kl, rel=1e-6)
    assert epsilon_from_kl(kl, found) == pytest.approx(epsilon, abs=1e-6)


def test_conversions_are_sharp():
    # Two Bernoulli laws attain them: p - e^eps q at the worst pair on a fine lattice.
    q = np.linspace(1e-3, 1 - 1e-3, 800)[:, None]
    p = np.linspace(1e-3, 1 - 1e-3, 801)[None]
    kl = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    renyi = np.log(p**2 / q + (1 - p) ** 2 / (1 - q))
    for divergence, found in (
        (kl, delta_from_kl(0.2, 0.4)),
        (renyi, delta_from_renyi(0.2, 0.4, 2.0)),
    ):
        best = np.max((p - np.exp(0.4) * q)[(divergence <= 0.2) & (p > q)])
        assert best <= found <= best + 4e-3


@pytest.mark.parametrize(("mean", "epsilon"), [(1.0, 1.0), (0.5, 0.3)])
def test_conversions_dominate_the_gaussian(mean, epsilon):
    exact = norm.cdf(mean / 2 - epsilon / mean) - np.exp(epsilon) * norm.cdf(
        -mean / 2 - epsilon / mean
    )
    if mean == 1.0:
        assert exact == pytest.approx(0.126937, abs=1e-6)
    assert delta_from_kl(mean**2 / 2, epsilon) >= exact
    for order in (1.5, 2.0, 4.0, 16.0):
        delta = delta_from_renyi(order * mean**2 / 2, epsilon, order)
        assert exact <= delta <= 1
        back = epsilon_from_renyi(order * mean**2 / 2, delta, order)
        # Near delta = 1 the margins of 1e-9 of both roots show.
        assert back == pytest.approx(epsilon, abs=1e-5)


def test_renyi_from_pure():
    # Randomized response; order 1 is eps tanh(eps / 2).
    numbers = [(2.0, 0.227336), (8.0, 0.432354), (32.0, 0.484707), (1 + 1e-7, 0.122459)]
    for order, expected in numbers:
        found = renyi_from_pure(0.5, order)
        assert found == pytest.approx(expected, abs=1e-6)
        assert found <= min(0.5, order * 0.125)
    assert kl_from_pure(0.5) == pytest.approx(0.5 * math.tanh(0.25), rel=1e-12)
    assert renyi_from_pure(1e3, 50.0) == pytest.approx(1e3, rel=0.03)
    assert renyi_from_pure(1e-7, 2.0) == pytest.approx(1e-14, rel=1e-6)
    assert renyi_from_pure(math.inf, 2.0) == math.inf


def test_delta_from_pure():
    # One draw: (e^p - e^eps) / (1 + e^p); several add up to pure privacy n p.
    exact = (math.exp(0.8) - math.exp(0.3)) / (1 + math.exp(0.8))
    assert delta_from_pure(0.8, 0.3) == pytest.approx(exact, rel=1e-12)
    assert delta_from_pure(0.8, 2.4, draws=3) == pytest.approx(0.0, abs=1e-15)
    for draws in (1, 3, 20):
        epsilon = epsilon_from_pure(0.8, 1e-3, draws=draws)
        assert epsilon < 0.8 * draws
        delta = delta_from_pure(0.8, epsilon, draws=draws)
        assert delta == pytest.approx(1e-3, rel=1e-5)
    assert epsilon_from_pure(0.8, 0.0, draws=3) == pytest.approx(2.4)


def test_gaussian_renyi():
    mu = Gaussian([0.3, -0.2], [[1.0, 0.3], [0.3, 0.8]])
    nu = Gaussian([0.0, 0.5], mu.cov)
    gap = np.array([0.3, -0.7])
    quadratic = gap @ np.linalg.solve(np.asarray(mu.cov), gap)
    for order in (1, 2.0, 7.5):
        assert gaussian_renyi(mu, nu, order) == pytest.approx(order * quadratic / 2)
    # Unequal variances by quadrature; infinite where the integral diverges.
    wide, narrow = Gaussian([0.0], [[1.0]]), Gaussian([0.4], [[0.7]])
    x = np.linspace(-20, 20, 40001)
    p, q = norm.pdf(x), norm.pdf(x, 0.4, math.sqrt(0.7))
    integral = np.log(np.trapezoid(p**2 / q, x))
    assert gaussian_renyi(wide, narrow, 2) == pytest.approx(integral, rel=1e-8)
    assert gaussian_renyi(wide, narrow, 5) == math.inf


def test_never_above_the_closed_conversion():
    # Canonne, Kamath, Steinke (2020), proposition 12, which dp-accounting computes.
    for order, divergence in ((2.0, 0.1), (8.0, 0.4)):
        rate = divergence + math.log1p(-1 / order)
        for delta in (1e-3, 1e-6):
            closed = rate - math.log(delta * order) / (order - 1)
            assert epsilon_from_renyi(divergence, delta, order) < closed
        for epsilon in (0.3, 0.5):
            closed = math.exp((order - 1) * (rate - epsilon)) / order
            assert delta_from_renyi(divergence, epsilon, order) < closed


# Bounds and accountant.


def test_pure_reaction_is_exact():
    accountant = PrivacyAccountant(osc_delta=0.504914, alpha=0.0, beta=1.0)
    assert accountant.pure(1.0) == pytest.approx((1 - math.exp(-1)) * 0.504914)
    time = accountant.time_for(0.2)
    assert accountant.pure(time) == pytest.approx(0.2, rel=1e-9)
    assert time == pytest.approx(-math.log1p(-0.2 / 0.504914), rel=1e-9)


def test_explicit_source_is_its_integral():
    t = np.linspace(0, 0.7, 4001)
    for lower in (-3.88, 0.0, 1.3):
        osc_f = 2.43 + 2 * 0.55 * 2.65 * np.exp(-(lower + 1) * t)
        drift = drift_term(0.7, 1.0, 1.0, 0.55, 2.65, lower)
        explicit = (1 - math.exp(-0.7)) * 2.43 + drift
        assert duhamel_bound(t, 1.0, osc_f)[-1] == pytest.approx(explicit, rel=1e-6)


@pytest.mark.slow
def test_times_for_a_level():
    early = ACCOUNTANT.time_for(0.3)
    assert ACCOUNTANT.pure(early) == pytest.approx(0.3, rel=1e-8)
    assert ACCOUNTANT.pure(early) <= 0.3
    late = ACCOUNTANT.time_for(0.6, late=True)
    assert ACCOUNTANT.pure(late) == pytest.approx(0.6, rel=1e-8)
    assert ACCOUNTANT.time_for(0.5, late=True) == math.inf  # the targets differ by more
    assert ACCOUNTANT.time_for(10.0) == math.inf
    assert ACCOUNTANT.time_for(10.0, late=True) == 0.0
    relaxed = ACCOUNTANT.time_for(0.3, 1e-2)
    assert relaxed > early
    assert ACCOUNTANT.delta(relaxed, 0.3) == pytest.approx(1e-2, rel=1e-4)
    assert ACCOUNTANT.approximate(relaxed, 1e-2) == pytest.approx(0.3, rel=1e-4)


def test_draws_compose():
    t = 0.01
    assert ACCOUNTANT.pure(t, draws=4) == pytest.approx(4 * ACCOUNTANT.pure(t))
    one = ACCOUNTANT.renyi(t, 8.0)
    assert ACCOUNTANT.renyi(t, 8.0, draws=4) == pytest.approx(4 * one)
    assert ACCOUNTANT.pure(0.0, draws=4) == 0.0


def test_worst_holds_for_all():
    other = PrivacyAccountant(0.3, 0.9, (4.0, 1.0), 1.0, -1.0, 3.0)
    worst = PrivacyAccountant.worst([ACCOUNTANT, other])
    assert worst.osc_h0 == (4.0, 3.68)
    for t in (0.01, 0.5, 4.0):
        assert worst.pure(t) >= max(ACCOUNTANT.pure(t), other.pure(t))


def test_unbounded_quantities_are_named():
    accountant = PrivacyAccountant(grad_delta=0.4, osc_source=1.0)
    assert accountant.pure(0.0) == 0.0
    names = "osc_delta, osc_h0, grad_h0, hess_lower"
    for value in (
        lambda: accountant.pure(1.0),
        lambda: accountant.renyi(1.0, 3.0),
        lambda: accountant.kl(1.0),
        lambda: accountant.approximate(1.0, 1e-5),
    ):
        with pytest.warns(UnboundedPrivacyWarning, match=names):
            assert value() == math.inf
    certificate = accountant.certificate(1.0)
    assert certificate.epsilon == math.inf
    assert "osc_h0" in str(certificate)
    assert accountant.delta(1.0, 2.0) == 1.0
    # A discrepancy that grows without end, on the line.
    assert not any(math.isnan(b) for b in accountant.bounds(1e6).values())


def test_strong_curvature_overflows_to_infinity():
    accountant = PrivacyAccountant(0.5, 0.5, 3.0, 2.0, -1e6, 1.0)
    assert accountant.bounds(100.0)["gradients"] == math.inf
    assert accountant.pure(100.0) == pytest.approx(0.5)


def test_interacting_particles_are_refused():
    cloud = Particles.from_samples(np.zeros((5, 1)))
    with pytest.raises(UncertifiedReleaseError, match="3 of 5 particles"):
        ACCOUNTANT.certificate(1.0, draws=3, measure=cloud)
    one = ACCOUNTANT.certificate(1.0, measure=cloud)
    assert "finite number of particles" in one.scope
    with pytest.raises(UncertifiedReleaseError, match="5 interacting particles"):
        privatize(
            target, cloud, ACCOUNTANT, epsilon=1.0, longest=1.0, key=jax.random.key(0)
        )


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: PrivacyAccountant(alpha=-1.0), "alpha >= 0.*found -1"),
        (lambda: PrivacyAccountant(alpha=0.0, beta=0.0), "both zero"),
        (lambda: PrivacyAccountant(osc_delta=math.nan), "osc_delta >= 0, found nan"),
        (lambda: PrivacyAccountant(hess_lower=math.inf), "hess_lower"),
        (lambda: ACCOUNTANT.pure(-1.0), "t >= 0.*found -1"),
        (lambda: ACCOUNTANT.pure(1.0, draws=0), "draws"),
        (lambda: ACCOUNTANT.renyi(1.0, 1.0), "order > 1, found 1"),
        (lambda: ACCOUNTANT.time_for(-0.1), "epsilon >= 0, found -0.1"),
        (lambda: delta_from_kl(0.1, -1.0), "epsilon >= 0, found -1"),
        (lambda: epsilon_from_kl(0.1, 1.5), r"delta in \[0, 1\], found 1.5"),
        (lambda: ExponentialMechanism(potential, 0.0, 1.0), "sensitivity > 0"),
        (lambda: log_ratio(circle(8), circle(9)), "same domain"),
    ],
)
def test_bad_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_kl_bound_without_discrepancy():
    assert kl_bound(1.0, 1.0, 1.0, 0.0, 0.0, math.inf) == 0.0


def test_exponential_mechanism():
    mechanism = ExponentialMechanism(potential, sensitivity=0.5, epsilon=0.7)
    moved = ExponentialMechanism(lambda x: potential(x) + 0.5 * jnp.sin(x[0]), 0.5, 0.7)
    gap = circle(64).evaluate(lambda x: moved(x) - mechanism(x))
    assert float(oscillation(gap)) <= mechanism.osc_delta
    assert mechanism.osc_delta == pytest.approx(0.7)


@pytest.mark.slow
def test_quantities_of_a_pair_on_a_grid():
    accountant = PrivacyAccountant.on_grid(circle(256), target, neighbor)
    x = np.linspace(0, 2 * math.pi, 20001)
    delta = 0.25 * np.sin(x + 0.5) + 0.1 * np.cos(3 * x)
    assert accountant.osc_delta == pytest.approx(np.ptp(delta), rel=1e-3)
    slope = 0.25 * np.cos(x + 0.5) - 0.3 * np.sin(3 * x)
    assert accountant.grad_delta == pytest.approx(np.abs(slope).max(), rel=1e-3)
    walls = Grid.from_log_density(lambda x: 0.0 * x[0], 0.0, 2 * math.pi, (16,))
    assert PrivacyAccountant.on_grid(walls, target, neighbor).osc_source == math.inf


def test_log_ratio_of_what_vanishes():
    mu, nu = (Grid(d, 0.0, 1.0) for d in ([0.0, 1.0, 2.0], [0.0, 0.0, 3.0]))
    r = np.asarray(log_ratio(mu, nu))
    np.testing.assert_allclose(r, [0.0, np.inf, np.log(2 / 3)])


@pytest.mark.slow
def test_private_draw():
    accountant = PrivacyAccountant.on_grid(circle(16), target, neighbor)
    drawn = privatize(
        target, circle(16), accountant, epsilon=0.3, longest=2.0, key=jax.random.key(0)
    )
    assert drawn.certificate.epsilon == pytest.approx(0.3, rel=1e-6)
    assert drawn.certificate.epsilon <= 0.3
    assert drawn.x.shape == (1,)
    assert 0 <= float(drawn.x[0]) <= 2 * math.pi


# Two flows on a circle.


@pytest.mark.slow
def test_two_flows_on_a_circle():
    # Reference: a spectral solution with 128 modes. A grid of 128 cells is within 4e-4.
    found = stability(target, neighbor, circle(128), [0.05, 0.1, 0.2, 0.5, 1, 2, 4])
    osc = [0.10574, 0.18062, 0.27926, 0.40419, 0.45212, 0.48573, 0.50397]
    sup = [0.06367, 0.11051, 0.17513, 0.25524, 0.27039, 0.28019, 0.28626]
    kl = [4.58e-4, 1.23e-3, 2.72e-3, 6.62e-3, 1.176e-2, 1.629e-2, 1.767e-2]
    b1 = [0.12562, 0.24159, 0.45131, 0.95922, 1.53105, 2.08849, 2.37275]
    b2 = [7.344, 7.011, 6.391, 4.866, 3.150, 1.478, 0.6366]
    np.testing.assert_allclose(found.osc, osc, atol=1e-3)
    np.testing.assert_allclose(found.sup, sup, atol=1e-3)
    np.testing.assert_allclose(found.kl, kl, rtol=0.02)
    np.testing.assert_allclose(found.bounds["source"], b1, rtol=0.02)
    np.testing.assert_allclose(found.bounds["warm start"], b2, rtol=1e-3)
    assert found.slack > 0
    # With the log-Sobolev constant 1 of the uniform law, perturbed by osc(log rho').
    oscillations = max(found.accountant.osc_h0) + 4.6
    known = dataclasses.replace(found.accountant, log_sobolev=math.exp(-oscillations))
    b5 = [known.kl_bounds(t)["log-Sobolev"] for t in found.times]
    assert np.all(found.kl <= b5)


@pytest.mark.slow
def test_reaction_alone_on_a_circle():
    found = stability(target, neighbor, circle(128), [1.0], alpha=0.0)
    exact = (1 - math.exp(-1)) * found.accountant.osc_delta
    np.testing.assert_allclose(found.osc, exact, atol=1e-6)
    np.testing.assert_allclose(found.osc, 0.3191667, atol=1e-3)
