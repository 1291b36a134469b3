"""Noise along any axes: amplitudes, their sums, and an Ornstein-Uhlenbeck process."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
import scipy.linalg

from wflow import Gaussian, GradientFlow, Particles, Phase, Point, VelocityFlow, solve
from wflow.energies import Potential
from wflow.flows import Diffusion, LagrangianFlow, LangevinFlow, Noise
from wflow.flows.noise import added
from wflow.geometries import Wasserstein
from wflow.measures import Grid, UnsupportedMeasureError


CLOUD = Particles.from_samples(np.random.default_rng(0).normal(size=(3, 2)))
PHASE = Phase.at_rest(CLOUD)
A = np.array([[1.2, 0.4], [0.4, 0.7]])
ROOT = np.array([[0.9, 0.0], [0.5, 0.2]])
QUADRATIC = Potential(lambda x: x @ A @ x / 2)
OU = GradientFlow(QUADRATIC, Wasserstein()) + Diffusion(ROOT)
KEY = jax.random.key(0)


def covariance(noise, mu):
    """B B^T of the first particle's coordinates, column by column of B."""
    operator = noise.operator(mu)
    columns = []
    for axis in np.eye(2):
        state = jax.tree.map(jnp.zeros_like, mu.state)
        if isinstance(mu, Phase):
            state = (state[0], state[1].at[0].set(axis))
            columns.append(operator.mv(state)[1][0])
        else:
            state = (state[0].at[0].set(axis), state[1])
            columns.append(operator.mv(state)[0][0])
    return np.stack(columns, axis=1) @ np.stack(columns)


@pytest.mark.parametrize("mu", [CLOUD, PHASE], ids=["particles", "phase"])
@pytest.mark.parametrize(
    ("amplitude", "expected"),
    [
        (0.5, 0.25 * np.eye(2)),
        (np.array([0.5, 2.0]), np.diag([0.25, 4.0])),
        (ROOT, ROOT @ ROOT.T),
    ],
    ids=["number", "coordinates", "matrix"],
)
def test_amplitudes_are_what_one_particle_feels(mu, amplitude, expected):
    found = covariance(Diffusion(amplitude).noise(mu), mu)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_variances_of_independent_noises_add():
    still = GradientFlow(QUADRATIC, Wasserstein())
    noisy = still + Diffusion(ROOT) + Diffusion(0.3) + LangevinFlow(QUADRATIC, 0.1)
    expected = ROOT @ ROOT.T + (0.09 + 0.2) * np.eye(2)
    found = covariance(noisy.noise(CLOUD), CLOUD)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    both = Diffusion([0.3, 0.4]) + Diffusion([0.4, 0.3])
    np.testing.assert_allclose(both.noise(CLOUD).on(CLOUD)[0], 0.5, rtol=1e-14)
    point = Point(jnp.ones(2))
    np.testing.assert_allclose(both.noise(point).on(point), [0.5, 0.5], rtol=1e-14)


@pytest.mark.slow
def test_anisotropic_ornstein_uhlenbeck():
    # C' = Q - A C - C A: C(t) = S + e^{-At} (C0 - S) e^{-At} with A S + S A = Q.
    t, start = 0.8, np.array([[0.5, -0.1], [-0.1, 0.3]])
    stationary = scipy.linalg.solve_continuous_lyapunov(A, ROOT @ ROOT.T)
    decay = scipy.linalg.expm(-A * t)
    expected = stationary + decay @ (start - stationary) @ decay
    law = Gaussian(np.array([1.0, -0.5]), start)
    end = solve(OU, law, 0.0, t)[-1]
    np.testing.assert_allclose(end.cov, expected, atol=1e-6)
    np.testing.assert_allclose(end.mean, decay @ law.mean, atol=1e-6)
    # The same of particles, and of a field with noise of its own; five standard errors
    # of a covariance of 20,000 draws, whose entries are at most one.
    cloud = Particles.from_samples(law.sample(jax.random.key(1), 20_000))
    field = VelocityFlow(lambda x, t: -A @ x, noise=ROOT)
    for flow in (OU, field):
        found = solve(flow, cloud, 0.0, t, dt0=0.05, key=KEY)
        assert found.stats["solver"] == "Heun"
        np.testing.assert_allclose(
            found[-1].cov, expected, atol=5 * (2 / 20_000) ** 0.5
        )


def test_the_kicks_of_the_leapfrog_are_those_of_the_temperature():
    # Ornstein-Uhlenbeck over half a step: variance tau (1 - e^{-gamma h}).
    flow, h = LangevinFlow(QUADRATIC, 0.3, 0.7), 0.2
    kicks = flow.kicks(PHASE, 0.0, jnp.asarray(h), KEY)
    draws = jax.random.normal(KEY, (2, 3, 2))
    expected = np.sqrt(0.3 * -np.expm1(-0.7 * h)) * draws
    np.testing.assert_allclose(kicks, expected, rtol=1e-12)


def test_refused():
    operator = Noise(lx.IdentityLinearOperator(jax.eval_shape(lambda: CLOUD.state)))
    with pytest.raises(TypeError, match="expected amplitude to be .*found 'spoiled'"):
        Noise("spoiled")
    with pytest.raises(ValueError, match="kind 'additive', 'ito' or 'stratonovich'"):
        Noise(1.0, "backward")
    with pytest.raises(ValueError, match=r"amplitude of shape .*found \(3,\)"):
        Noise(jnp.ones(3)).on(CLOUD)
    with pytest.raises(ValueError, match="deviation >= 0"):
        Diffusion([1.0, -1.0])
    with pytest.raises(ValueError, match=r"deviation of shape \(d, d\)"):
        Diffusion(np.ones((2, 3)))
    with pytest.raises(UnsupportedMeasureError, match="Diffusion .* Grid"):
        Diffusion(1.0).velocity(Grid(jnp.ones(4), 0, 1))
    with pytest.raises(TypeError, match="Ito's and Stratonovich's"):
        added([Noise(1.0, "ito"), Noise(1.0, "stratonovich")], CLOUD)
    with pytest.raises(TypeError, match="keep one noisy part"):
        added([operator, Noise(1.0)], CLOUD)
    assert added([Noise(1.0, "ito"), Noise(1.0)], CLOUD).kind == "ito"
    assert LagrangianFlow(QUADRATIC).noise(PHASE) is None
