"""Stopping conditions and arc length: the solve ends at a root, and says so."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import (
    Exponential,
    GradientFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.geometries import Euclidean, Wasserstein
from wflow.measures import (
    Gaussian,
    Particles,
    Point,
    UnsupportedMeasureError,
)
from wflow.networks.canonical import ArcLengthFlow, Traveled
from wflow.solvers import solve


FLOW = GradientFlow(Potential(lambda x: jnp.sum(x**2) / 2), Euclidean())
TIMES = np.array([0.0, 0.3, 1.0, 2.0])
TIGHT = {
    "solver": diffrax.Dopri8(),
    "stepsize_controller": diffrax.PIDController(1e-10, 1e-12),
}


class Below(eqx.Module):
    """Stops where the first coordinate has fallen to a level."""

    level: jax.Array

    def __call__(self, flow, mu, t):
        return mu.value[0] - self.level


@eqx.filter_jit
def stopped(x0, level, dtype=jnp.float64):
    mu = Point(jnp.full((2,), x0, dtype))
    return solve(FLOW, mu, 0.0, 2.0, times=TIMES, stop=Below(level), **TIGHT)


@pytest.mark.slow
def test_the_solve_ends_where_the_condition_falls_through_zero():
    # x(t) = 2 e^{-t} meets 1 at log 2; tolerance of the solver.
    sol = stopped(2.0, jnp.array(1.0))
    when = np.log(2)
    assert bool(sol.stopped)
    np.testing.assert_allclose(sol.stats["time_reached"], when, atol=1e-9)
    np.testing.assert_allclose(sol.times, [0, 0.3, when, when], atol=1e-9)
    expected = 2 * np.exp(-np.array([0, 0.3, when, when]))
    np.testing.assert_allclose(sol.measures.value[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(sol.energy, expected**2, atol=1e-8)


def test_a_condition_that_is_not_met_or_met_at_the_start():
    never = stopped(2.0, jnp.array(0.1))
    assert not bool(never.stopped)
    np.testing.assert_array_equal(never.times, TIMES)
    at_once = stopped(2.0, jnp.array(3.0))
    assert bool(at_once.stopped)
    np.testing.assert_array_equal(at_once.times, np.zeros(4))
    np.testing.assert_array_equal(at_once.measures.value, np.full((4, 2), 2.0))


@pytest.mark.slow
def test_the_stop_goes_under_vmap_and_is_differentiable():
    # d log(2 / level) = -1/level, and nothing where it stops at once.
    def when(level):
        return stopped(2.0, level).stats["time_reached"]

    levels = np.array([0.5, 1.0, 1.5, 3.0])
    times, slopes = jax.jit(jax.vmap(jax.value_and_grad(when)))(levels)
    expected = np.log(2 / np.array([0.5, 1.0, 1.5, 2.0]))
    np.testing.assert_allclose(times, expected, atol=1e-9)
    np.testing.assert_allclose(slopes, [-2, -1, -2 / 3, 0], atol=1e-7)


@pytest.mark.slow
def test_float32_stays_float32():
    sol = stopped(2.0, jnp.array(1.0), jnp.float32)
    assert sol.measures.value.dtype == jnp.float32
    np.testing.assert_allclose(sol.times[-1], np.log(2), atol=1e-5)


@pytest.mark.slow
def test_fixed_steps_stop_between_steps():
    # Tsit5 at h = 0.1 and its interpolation: 1e-6.
    mu = Point(jnp.array([2.0, 2.0]))
    options = {"solver": diffrax.Tsit5(), "dt0": 0.1}
    sol = solve(FLOW, mu, 0.0, 2.0, stop=Below(jnp.array(1.0)), **options)
    np.testing.assert_allclose(sol.times[-1], np.log(2), atol=1e-6)
    at_once = solve(FLOW, mu, 0.0, 2.0, stop=Below(jnp.array(3.0)), **options)
    np.testing.assert_array_equal(at_once.times, [0.0])


@pytest.mark.slow
def test_arc_length_in_the_geometry_of_the_flow():
    # A Gaussian carried by -x: W2 speed of N(m, s^2) is sqrt(|m|^2 + s^2), decaying as
    # e^{-t}. And twice the action is the energy lost.
    mu = Traveled(Gaussian(jnp.array([1.0, 2.0]), 0.25 * jnp.eye(2)))
    flow = GradientFlow(Potential(lambda x: jnp.sum(x**2) / 2), Wasserstein())
    sol = solve(ArcLengthFlow(flow), mu, 0.0, 1.0, times=[0.0, 1.0])
    distance = np.sqrt(5.5) * (1 - np.exp(-1))
    np.testing.assert_allclose(sol[-1].length, distance, atol=1e-7)
    lost = sol.energy[0] - sol.energy[1]
    np.testing.assert_allclose(2 * sol[-1].action, lost, atol=1e-7)


def test_arc_length_of_what_has_none_is_refused():
    x = Particles.from_samples(jnp.ones((3, 2)))
    noisy = LangevinFlow(Potential(lambda x: jnp.sum(x**2)), 1.0)
    with pytest.raises(TypeError, match="has noise"):
        solve(ArcLengthFlow(noisy), Traveled(x), 0.0, 1.0, key=jax.random.key(0))
    with pytest.raises(UnsupportedMeasureError, match="Traveled"):
        solve(ArcLengthFlow(FLOW), Point(jnp.ones(2)), 0.0, 1.0)


def test_bad_stops_are_refused():
    mu = Point(jnp.ones(2))
    with pytest.raises(ValueError, match="one floating-point number"):
        solve(FLOW, mu, 0.0, 1.0, stop=lambda flow, mu, t: mu.value)
    resetting = ResettingFlow(FLOW, Exponential(1.0), jnp.zeros(2))
    with pytest.raises(ValueError, match="without jumps"):
        solve(resetting, mu, 0.0, 1.0, stop=Below(0.5), key=jax.random.key(0))
