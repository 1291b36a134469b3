"""Derivatives of KL at a time t, through whole spherical HK flows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import KDE, KLDivergence
from wflow.flows import GradientFlow
from wflow.geometries import HellingerKantorovich, Wasserstein
from wflow.measures import Gaussian, Grid, Particles
from wflow.sampling import ReweightingFlow
from wflow.sampling.gaussian import gaussian_shk


class Tilted(eqx.Module):
    """A smooth log-density with two parameters, not Gaussian where one is not zero."""

    mean: jax.Array
    tilt: jax.Array

    def __call__(self, x):
        return -jnp.sum((x - self.mean) ** 2) / 2 + self.tilt * jnp.sum(jnp.cos(x))


LAW = Gaussian([1.0, -0.5], [[0.5, 0.2], [0.2, 0.8]])
LINE = Grid.from_log_density(lambda x: -2 * jnp.sum((x - 0.5) ** 2), -3.0, 3.0, (24,))
PLANE = Grid.from_log_density(lambda x: -jnp.sum((x - 0.5) ** 2), -3.0, 3.0, (8, 8))
CLOUD = Particles.from_samples(
    np.random.default_rng(0).normal(size=(16, 2)), np.linspace(0.5, 1.5, 16) / 16
)


def at_once(kl, alpha, beta):
    return GradientFlow(kl, HellingerKantorovich(alpha, beta))


def by_splitting(kl, alpha, beta):
    """Deterministic transport, and the reaction by exact weights."""
    return GradientFlow(alpha * kl, Wasserstein()) + ReweightingFlow(kl, beta)


def divergence(p, make, start):
    """KL to the target at t = 0.3, in fixed steps: differences see the same program."""
    alpha, beta, mean, tilt = p
    density = KDE(0.5, "plug_in") if isinstance(start, Particles) else None
    kl = KLDivergence(Tilted(mean, tilt), density)
    return kl.value(solve(make(kl, alpha, beta), start, 0.0, 0.3, dt0=0.05)[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "start"),
    [
        (at_once, LAW),
        (at_once, PLANE),
        (at_once, CLOUD),
        (by_splitting, LINE),
        (by_splitting, CLOUD),
    ],
)
def test_kl_at_t(make, start):
    p = jnp.array([0.7, 0.9, 0.3, 0.2])
    evaluate = eqx.filter_jit(jax.value_and_grad(lambda p: divergence(p, make, start)))
    _, gradient = evaluate(p)
    difference = [
        (evaluate(p + d)[0] - evaluate(p - d)[0]) / 2e-5 for d in 1e-5 * jnp.eye(4)
    ]
    # Central differences in float64 have errors of about 1e-10.
    np.testing.assert_allclose(gradient, difference, rtol=1e-6, atol=1e-8)
    # Of both strengths the flow makes use: more of either lowers the divergence.
    assert np.all(np.asarray(gradient[:2]) < 0)


@pytest.mark.slow
def test_gradients_of_the_solve_are_those_of_the_closed_form():
    # On Gaussians, where KL at t is known: alpha, beta and the target's mean.
    cov = jnp.array([[1.0, 0.3], [0.3, 0.5]])

    def kl_of(p, mu):
        return KLDivergence(Gaussian(p[2:], cov).log_density).value(mu)

    def solved(p):
        kl = KLDivergence(Gaussian(p[2:], cov).log_density)
        flow = GradientFlow(kl, HellingerKantorovich(p[0], p[1]))
        return kl_of(p, solve(flow, LAW, 0.0, 0.5, dt0=0.02)[-1])

    def exact(p):
        mu = gaussian_shk(LAW, Gaussian(p[2:], cov), 0.5, alpha=p[0], beta=p[1])
        return kl_of(p, mu)

    p = jnp.array([0.7, 0.9, 0.3, 0.2])
    # 25 steps of order five.
    np.testing.assert_allclose(
        jax.jit(jax.grad(solved))(p), jax.jit(jax.grad(exact))(p), rtol=1e-6
    )


@pytest.mark.slow
def test_slope_in_time_is_minus_the_dissipation():
    kl = KLDivergence(Tilted(jnp.array(0.3), jnp.array(0.2)))
    flow = GradientFlow(kl, HellingerKantorovich(0.7, 0.9))

    def value(t):
        return kl.value(solve(flow, LAW, 0.0, t)[-1])

    slope = jax.jit(jax.grad(value))(0.4)
    end = solve(flow, LAW, 0.0, 0.4)[-1]
    # Adaptive, to 1e-7.
    np.testing.assert_allclose(slope, -flow.dissipation(end), rtol=1e-4)
