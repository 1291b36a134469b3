"""Laws that are one function, or a class with one method."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import AbstractContinuousFlow, Particles, Phase, Point, VelocityFlow, solve
from wflow.energies import Potential
from wflow.flows import GrowthFlow, LagrangianFlow, LangevinFlow


X = np.random.default_rng(0).normal(size=(6, 2))
CLOUD = Particles.from_samples(X, np.linspace(0.1, 0.6, 6))


def turn(x, t):
    return jnp.stack([-x[1], x[0]]) * t


def turned(x, angle):
    c, s = np.cos(angle), np.sin(angle)
    return x @ np.array([[c, s], [-s, c]])


class Network(eqx.Module):
    linear: eqx.nn.Linear

    def __call__(self, x, t):
        return self.linear(x) * t


NETWORK = VelocityFlow(Network(eqx.nn.Linear(2, 2, key=jax.random.key(0))))


@pytest.mark.slow
def test_a_field_moves_points_and_keeps_weights():
    # x' = t J x turns by t^2 / 2; Tsit5 to its default tolerance.
    flow = VelocityFlow(turn)
    end = solve(flow, CLOUD, 0.0, 2.0)[-1]
    np.testing.assert_allclose(end.x, turned(X, 2.0), atol=1e-6)
    np.testing.assert_array_equal(end.logw, CLOUD.logw)
    end = solve(flow, Point(jnp.asarray(X[0])), 0.0, 2.0)[-1]
    np.testing.assert_allclose(end.value, turned(X[0], 2.0), atol=1e-6)


def test_arrays_of_a_network_are_parameters():
    leaves = jax.tree.leaves(eqx.filter(NETWORK, eqx.is_inexact_array))
    assert sorted(leaf.shape for leaf in leaves) == [(2,), (2, 2)]

    def total(flow):
        return jnp.sum(flow.velocity(CLOUD, 2.0)[0])

    slope = eqx.filter_grad(total)(NETWORK).f.linear
    np.testing.assert_allclose(slope.bias, [12.0, 12.0])
    np.testing.assert_allclose(slope.weight, 2 * np.tile(X.sum(0), (2, 1)))


@pytest.mark.slow
def test_a_function_of_the_measure():
    # Everyone goes to the mean: x - m decays as exp(-t).
    flow = VelocityFlow.of_measure(lambda mu, t: mu.mean - mu.x)
    end = solve(flow, CLOUD, 0.0, 1.0)[-1]
    m = np.asarray(CLOUD.mean)
    np.testing.assert_allclose(end.x, m + np.exp(-1) * (X - m), atol=1e-6)
    both = VelocityFlow.of_measure(lambda mu, t: (-mu.x, jnp.ones(mu.n)))
    x, logw = both.velocity(CLOUD)
    np.testing.assert_array_equal(x, -X)
    np.testing.assert_array_equal(logw, np.ones(6))


@pytest.mark.slow
def test_one_method_is_a_law():
    class Decay(AbstractContinuousFlow):
        def velocity(self, mu, t=0.0):
            return -mu.x, jnp.zeros_like(mu.logw)

    solution = solve(Decay(), CLOUD, 0.0, 1.0)
    np.testing.assert_allclose(solution[-1].x, np.exp(-1) * X, atol=1e-6)
    with pytest.raises(TypeError, match="Decay has no one energy"):
        _ = solution.energy


def test_records_are_numbers_of_the_law():
    phase = Phase.at_rest(CLOUD)
    energy = Potential(lambda x: x @ x / 2)
    law = LagrangianFlow(energy, 0.5) + GrowthFlow(lambda x, t: x[0])
    records = law.records(phase)
    assert set(records) == {"friction"}
    assert float(records["friction"]) == 0.5
    assert set(LangevinFlow(energy, 0.3).records(CLOUD)) == {"temperature"}
    assert NETWORK.records(CLOUD) == {}


def test_refused():
    with pytest.raises(TypeError, match="f to be a function of a point and a time"):
        VelocityFlow(1.5)
    with pytest.raises(TypeError, match="a function of the measure and a time"):
        VelocityFlow.of_measure(None)
    with pytest.raises(ValueError, match="noise >= 0"):
        VelocityFlow(turn, noise=-1.0)
    with pytest.raises(TypeError, match="does not act on Phase"):
        VelocityFlow(turn).velocity(Phase.at_rest(CLOUD))
    with pytest.raises(ValueError, match=r"a velocity of shape .*\(6, 2\).*\(6,\)"):
        VelocityFlow(lambda x, t: x[0]).velocity(CLOUD)
