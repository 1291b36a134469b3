"""A second-order law of one's own, and what a law is known to look at."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import Particles, Phase, Point, VelocityFlow, solve
from wflow.energies import Interaction, KLDivergence, MLPPotential, Potential
from wflow.flows import (
    AbstractKineticFlow,
    Diffusion,
    GradientFlow,
    GrowthFlow,
    LangevinFlow,
)
from wflow.flows.base import AbstractIndependentFlow
from wflow.flows.independent import looks_at_time, moves_alone
from wflow.geometries import FisherRao, Wasserstein
from wflow.measures import UnsupportedMeasureError


CLOUD = Particles.from_samples(np.random.default_rng(0).normal(size=(3, 2)))
PHASE = Phase(CLOUD, jnp.ones((3, 2)))


class Spring(AbstractKineticFlow):
    friction: jax.Array
    stiffness: jax.Array

    def force(self, law, t=0.0):
        return -self.stiffness * law.x


SPRING = Spring(jnp.asarray(0.8), jnp.asarray(1.5))


@pytest.mark.slow
def test_a_law_of_ones_own_gets_the_leapfrog():
    # x'' = -k x - gamma x', in closed form; order 2 at steps of 0.01.
    solution = solve(SPRING, PHASE, 0.0, 1.0, dt0=0.01)
    assert solution.stats["solver"] == "DampedLeapfrog"
    g, w = 0.4, np.sqrt(1.5 - 0.16)
    x, v = np.asarray(CLOUD.x), np.ones((3, 2))
    expected = np.exp(-g) * (np.cos(w) * x + np.sin(w) / w * (v + g * x))
    np.testing.assert_allclose(solution[-1].measure.x, expected, atol=1e-4)
    grown = solve(SPRING + GrowthFlow(lambda x, t: 0.5), PHASE, 0.0, 1.0, dt0=0.01)
    assert grown.stats["solver"] == "DampedLeapfrog"
    np.testing.assert_allclose(grown[-1].measure.mass, np.exp(0.5), rtol=1e-12)
    with pytest.raises(UnsupportedMeasureError, match="Phase.at_rest"):
        SPRING.velocity(CLOUD)


class ByEuler(AbstractIndependentFlow):
    def velocity(self, mu, t=0.0):
        return -mu.x, jnp.zeros_like(mu.logw)

    def default_solver(self, mu):
        return diffrax.Euler()


@pytest.mark.slow
def test_the_method_is_the_laws_word():
    # No estimate of the error: fixed steps, a hundred of them.
    solution = solve(ByEuler(), CLOUD, 0.0, 1.0)
    assert solution.stats["solver"] == "Euler"
    np.testing.assert_allclose(solution[-1].x, 0.99**100 * CLOUD.x, rtol=1e-12)
    both = solve(ByEuler(), CLOUD, 0.0, 1.0, solver=diffrax.Tsit5())
    np.testing.assert_allclose(both[-1].x, np.exp(-1) * CLOUD.x, rtol=1e-5)


def half_square(x):
    return x @ x / 2


DECAY = GradientFlow(Potential(half_square), Wasserstein())


class Drift(AbstractIndependentFlow):
    def velocity(self, mu, t=0.0):
        return jnp.ones_like(mu.x), jnp.zeros_like(mu.logw)


@pytest.mark.parametrize(
    ("flow", "alone"),
    [
        (DECAY, True),
        (DECAY + Diffusion(0.3) + Drift(), True),
        (LangevinFlow(2.0 * KLDivergence(half_square)), True),
        (VelocityFlow(lambda x, t: -x), True),
        (GradientFlow(MLPPotential(2, key=jax.random.key(0)), Wasserstein()), True),
        (VelocityFlow.of_measure(lambda mu, t: -mu.x), False),
        (GradientFlow(Potential(half_square), FisherRao()), False),
        (DECAY + GradientFlow(Interaction(lambda x, y: x @ y), Wasserstein()), False),
        (GrowthFlow(lambda x, t: 0.5), False),
    ],
)
def test_particles_that_are_known_to_move_alone(flow, alone):
    assert moves_alone(flow) == alone


@pytest.mark.parametrize(
    ("f", "looks"),
    [
        (lambda x, t: -x, False),
        (lambda x, t: -x * t, True),
        (lambda x, t: jnp.where(t > 1, x, -x), True),
        (lambda x, t: (jnp.sin(t) + x, x)[1], False),
        (jax.jit(lambda x, t: x), False),
        (jax.jit(lambda x, t: (x, t * x)[1]), True),
        (lambda x, t: jax.lax.fori_loop(0, 3, lambda k, y: y + t, x), True),
    ],
    ids=["never", "factor", "branch", "unused", "inner", "inner time", "loop"],
)
def test_whether_a_law_looks_at_the_time(f, looks):
    assert looks_at_time(VelocityFlow(f), Point(jnp.ones(2))) == looks
