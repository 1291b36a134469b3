"""Orders, limits and symmetries of flows that are solved by splitting."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import KDE, GaussianClosure, KLDivergence
from wflow.flows import (
    BirthDeathFlow,
    GradientFlow,
    LangevinFlow,
)
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles
from wflow.sampling import MetropolisLangevinFlow, ReweightingFlow
from wflow.sampling.gaussian import gaussian_shk


TARGET = Gaussian([0.0], [[1.3]])
KL = KLDivergence(TARGET.log_density)
START = Gaussian([2.0], [[0.3]])
TRANSPORT, REACTION = GradientFlow(KL, Wasserstein()), ReweightingFlow(KL)
KEY = jax.random.key(0)


def composed(steps, *pieces):
    """Mean and variance by exact substeps, after ``steps`` of the splitting over T=1.

    Pieces are (kind, share of the step).
    """
    m, c, s, h = 2.0, 0.3, 1.3, 1 / steps
    for _ in range(steps):
        for kind, share in pieces:
            if kind == "T":
                decay = np.exp(-share * h / s)
                m, c = decay * m, s + decay**2 * (c - s)
            else:
                kept = np.exp(-share * h)
                precision = kept / c + (1 - kept) / s
                m, c = kept * m / c / precision, 1 / precision
    return m, c


def solved(steps, splitting, start=START):
    """At T=1 after steps in tens: solves that follow each other share a program."""
    ends = np.linspace(0.0, 1.0, steps // 10 + 1)
    for t0, t1 in itertools.pairwise(ends):
        start = solve(
            TRANSPORT + REACTION, start, t0, t1, dt0=1 / steps, splitting=splitting
        )[-1]
    return start


def test_reference():
    exact = gaussian_shk(START, TARGET, 1.0)
    np.testing.assert_allclose(exact.mean[0], 0.4729165967, atol=1e-9)
    np.testing.assert_allclose(exact.cov[0, 0], 1.1904324674, atol=1e-9)


@pytest.mark.slow
def test_lie_is_of_order_one():
    # Errors of the mean printed to four digits.
    exact = gaussian_shk(START, TARGET, 1.0)
    errors = [abs(float(solved(n, "lie").mean[0] - exact.mean[0])) for n in (10, 20)]
    np.testing.assert_allclose(errors, [1.354e-2, 6.906e-3], rtol=1e-3)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1.0, abs=0.1)
    # The same by hand; one Runge-Kutta step for a substep of transport is off by 1e-7.
    m, c = composed(10, ("T", 1.0), ("R", 1.0))
    mu = solved(10, "lie")
    np.testing.assert_allclose([mu.mean[0], mu.cov[0, 0]], [m, c], atol=1e-6)


def test_strang_is_of_order_two():
    exact = gaussian_shk(START, TARGET, 1.0)
    errors = [abs(float(solved(n, "strang").mean[0] - exact.mean[0])) for n in (10, 20)]
    np.testing.assert_allclose(errors, [4.142e-4, 1.038e-4], rtol=2e-3)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    m, c = composed(10, ("T", 0.5), ("R", 1.0), ("T", 0.5))
    mu = solved(10, "strang")
    np.testing.assert_allclose([mu.mean[0], mu.cov[0, 0]], [m, c], atol=1e-6)


@pytest.mark.slow
def test_strang_with_transport_inside():
    # R/2 T R/2 is T R between half a reaction back and half a reaction on: exact
    # reactions are a group.
    half = jnp.asarray(0.05)
    start = REACTION.jump(START, 0.0, half, KEY)
    mu = REACTION.jump(solved(10, "lie", start), 0.0, -half, KEY)
    m, c = composed(10, ("R", 0.5), ("T", 1.0), ("R", 0.5))
    np.testing.assert_allclose([mu.mean[0], mu.cov[0, 0]], [m, c], atol=1e-6)
    exact = gaussian_shk(START, TARGET, 1.0)
    assert abs(m - float(exact.mean[0])) < 5e-4


def test_without_one_part_the_other_is_exact():
    alone = solve(REACTION, START, 0.0, 1.0, dt0=0.25)[-1]
    exact = gaussian_shk(START, TARGET, 1.0, alpha=0.0)
    np.testing.assert_allclose(alone.cov, exact.cov, rtol=1e-12)
    np.testing.assert_allclose(alone.mean, exact.mean, rtol=1e-12)
    still = TRANSPORT + ReweightingFlow(KL, 0.0)
    moved = solve(still, START, 0.0, 1.0, dt0=0.1)[-1]
    exact = gaussian_shk(START, TARGET, 1.0, beta=0.0)
    np.testing.assert_allclose(moved.cov, exact.cov, atol=1e-7)


def test_splitting_is_named():
    with pytest.raises(ValueError, match="'strang' or 'lie', found 'yoshida'"):
        solve(TRANSPORT + REACTION, START, 0.0, 1.0, dt0=0.5, splitting="yoshida")


@pytest.mark.slow
def test_jumps_with_a_gaussian_closure():
    # 4000 particles, Lie steps of 0.02 as in the reference run (.2409 and 1.213 there):
    # tolerances of three standard errors, jumps doubling the variance.
    n = 4000
    x = Gaussian([1.0], [[0.25]]).sample(KEY, n)
    kl = KLDivergence(TARGET.log_density, GaussianClosure())
    flow = LangevinFlow(KL) + BirthDeathFlow(kl)
    mu = solve(
        flow, Particles.from_samples(x), 0.0, 1.0, dt0=0.02, splitting="lie", key=KEY
    )[-1]
    exact = gaussian_shk(Gaussian([1.0], [[0.25]]), TARGET, 1.0)
    assert float(exact.mean[0]) == pytest.approx(0.2411, abs=1e-4)
    assert float(exact.cov[0, 0]) == pytest.approx(1.183, abs=1e-3)
    assert float(mu.mean[0]) == pytest.approx(0.2411, abs=0.05)
    assert float(mu.cov[0, 0]) == pytest.approx(1.183, abs=0.08)


# Symmetries, on particles in the plane.

N = 40
X = np.random.default_rng(0).normal(size=(N, 2)) + np.array([1.0, 0.0])
PLANE = Gaussian([0.5, -1.0], [[1.0, 0.3], [0.3, 0.5]])
ANGLE = 0.7
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])


class Shifted(eqx.Module):
    """A Gaussian log-density plus a constant: what is swept compiles nothing anew."""

    law: Gaussian
    constant: jax.Array

    def __call__(self, x):
        return self.law.log_density(x) + self.constant


def deterministic(law, constant=0.0):
    """Probability flow and weights: no noise that a rotation would turn."""
    target = Shifted(law, jnp.asarray(constant))
    kl = KLDivergence(target, KDE(0.6, "plug_in"))
    return GradientFlow(kl, Wasserstein()) + ReweightingFlow(kl, 0.8)


def moved(flow, x):
    mu = solve(flow, Particles.from_samples(x), 0.0, 0.4, dt0=0.1, splitting="lie")[-1]
    return np.asarray(mu.x), np.asarray(mu.logw)


@pytest.mark.slow
def test_symmetries_of_particles():
    x, logw = moved(deterministic(PLANE), X)
    assert np.ptp(logw) > 0.1
    # A constant in the potential.
    again = moved(deterministic(PLANE, 1e3), X)
    np.testing.assert_allclose(again[0], x, atol=1e-10)
    np.testing.assert_allclose(again[1], logw, atol=1e-10)
    # Another order of the particles.
    order = np.random.default_rng(1).permutation(N)
    again = moved(deterministic(PLANE), X[order])
    np.testing.assert_allclose(again[0], x[order], atol=1e-10)
    np.testing.assert_allclose(again[1], logw[order], atol=1e-10)
    # A rotation of space, the kernel being round.
    turned = Gaussian(TURN @ PLANE.mean, TURN @ PLANE.cov @ TURN.T)
    again = moved(deterministic(turned), X @ TURN.T)
    np.testing.assert_allclose(again[0], x @ TURN.T, atol=1e-10)
    np.testing.assert_allclose(again[1], logw, atol=1e-10)


@pytest.mark.parametrize("jump", ["weights", "births", "metropolis"])
@pytest.mark.slow
def test_a_constant_in_the_potential_changes_no_draw(jump):
    def end(constant):
        target = Shifted(PLANE, jnp.asarray(constant))
        kl = KLDivergence(target, KDE(0.6, "plug_in"))
        part = {
            "weights": ReweightingFlow(kl, 0.8, 0.5),
            "births": BirthDeathFlow(kl, 0.8),
            "metropolis": MetropolisLangevinFlow(target),
        }[jump]
        flow = LangevinFlow(KLDivergence(target)) + part
        start = Particles.from_samples(X)
        mu = solve(flow, start, 0.0, 0.4, dt0=0.1, splitting="lie", key=KEY)[-1]
        return np.asarray(mu.x), np.asarray(mu.logw)

    for a, b in zip(end(0.0), end(100.0), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def whitened(law, n):
    """Draws with exactly the mean and the covariance of a Gaussian."""
    z = np.random.default_rng(2).normal(size=(n, 2))
    z = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T
    return np.asarray(law.mean) + z @ np.linalg.cholesky(law.cov).T


@pytest.mark.slow
def test_the_target_is_a_fixed_point():
    # Of the law of Gaussians, to rounding.
    still = solve(TRANSPORT + REACTION, TARGET, 0.0, 1.0, dt0=0.1)[-1]
    np.testing.assert_allclose(still.mean, TARGET.mean, atol=1e-12)
    np.testing.assert_allclose(still.cov, TARGET.cov, atol=1e-12)
    # Of particles with a Gaussian closure whose moments are the target's: every excess
    # is zero; weights stay, and so does the probability flow.
    kl = KLDivergence(Shifted(PLANE, jnp.zeros(())), GaussianClosure())
    x = whitened(PLANE, N)
    flow = GradientFlow(kl, Wasserstein()) + ReweightingFlow(kl)
    end = moved(flow, x)
    np.testing.assert_allclose(end[0], x, atol=1e-10)
    np.testing.assert_allclose(end[1], -np.log(N), atol=1e-10)
    # Of draws as they are, up to the error of their moments: an excess is a quadratic
    # whose coefficients are off by 1 / sqrt(n).
    x = PLANE.sample(KEY, 4000)
    excess = eqx.filter_jit(kl.differential)(Particles.from_samples(x)).w
    assert np.std(excess) < 5 * 2 / 4000**0.5
