"""Times: counted from the start, told apart, or refused in a sentence."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import (
    Exponential,
    GradientFlow,
    LagrangianFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.geometries import Euclidean, Wasserstein
from wflow.measures import Particles, Phase, Point
from wflow.regression import KnownResets
from wflow.solvers import solve


def half_square(x):
    return x @ x / 2


def pushed(x, t):
    return -x[0] * jnp.cos(t)


DECAY = GradientFlow(Potential(half_square), Wasserstein())
PUSH = GradientFlow(Potential(pushed, with_time=True), Wasserstein())
KEY = jax.random.key(0)


def ones(dtype=jnp.float32):
    return Particles.from_samples(jnp.ones((2, 1), dtype))


def passed(t0, t1, **options):
    """How long the solve took by its own decay."""
    return -jnp.log(solve(DECAY, ones(), t0, t1, **options)[-1].x[0, 0])


@pytest.mark.parametrize(
    ("t0", "length", "options"),
    [
        (1.7e9, 3.0, {}),
        (1e7, 0.4, {}),
        (-1e8, 0.4, {}),
        (1e6, 1.0, {"dt0": 0.05}),
        (2.024e7, -0.5, {}),
        (np.int64(1_700_000_000), 3, {}),
    ],
)
def test_the_interval_passes_wherever_it_lies(t0, length, options):
    # Tolerances 1e-4; the decay says how much time has passed.
    found = passed(t0, t0 + length, **options)
    np.testing.assert_allclose(found, length, rtol=3e-3)


@pytest.mark.slow
def test_saved_times_far_from_zero_are_those_asked_for():
    times = 1.7e9 + np.array([0.0, 0.5, 1.0])
    solution = solve(DECAY, ones(), times[0], times[-1], times=times)
    np.testing.assert_array_equal(solution.times, times)
    assert solution.stats["time_reached"] == times[-1]
    right = np.exp(-np.array([0, 0.5, 1.0]))
    np.testing.assert_allclose(solution.measures.x[:, 0, 0], right, rtol=1e-3)
    assert solution.energy.dtype == jnp.float32


@pytest.mark.parametrize(
    ("times", "t1"),
    [
        (jnp.linspace(0, 0.1, 4, dtype=jnp.float32), 0.1),
        (np.arange(0, 0.31, 0.1), 0.3),
        (jnp.arange(4, dtype=jnp.float32) * jnp.float32(0.1), 0.3),
        (np.linspace(0, 0.7, 4), np.float32(0.7)),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_rounding_is_no_disorder(times, t1, dtype):
    # Two steps between any two of four times: cases share a program.
    x = solve(DECAY, ones(dtype), 0.0, t1, times=times, dt0=t1 / 6).measures.x
    right = np.exp(-np.asarray(times, float))
    np.testing.assert_allclose(x[:, 0, 0], right, rtol=1e-5)


@pytest.mark.slow
def test_close_times_at_fixed_steps():
    # A step of 1e-6 among steps of a tenth.
    times = [0.5, 0.5 + 1e-6, 2.0]
    x = solve(DECAY, ones(), 0.0, 2.0, times=times, dt0=0.1).measures.x[:, 0, 0]
    np.testing.assert_allclose(x, np.exp(-np.array(times)), rtol=1e-5)


@pytest.mark.parametrize(
    ("t0", "t1", "times", "match"),
    [
        (0.0, 1.0, [0.3, 0.3 + 6e-17], "float32 can tell apart"),
        (0.0, 1.0, [0.3, 0.1 + 0.2], "float32 can tell apart, found 0.3 and 0.3000"),
        (0.0, 1.0, [0.5, 1.5], "strict order.*found 1.5"),
        (0.0, 1.0, [0.5, np.nan], "times finite, found nan"),
        (0.0, 1.0, [[0.5]], r"times of shape \(T,\)"),
        (0.0, 1.0, "soon", "times to be a number or an array"),
        (0.0, 1.0, jnp.array([0.5j]), "times to be real"),
        (1234567.0, 1234568.0, [1234567.25, 1234569.5], "1234569.5"),
        (0.0, np.inf, None, "t1 finite"),
        (np.nan, 1.0, None, "t0 finite"),
        (0.0, "1", None, "t1 to be a number"),
        (0.0, [1.0, 2.0], None, "t1 to be one number"),
        (0.0, None, None, "t1 to be a number"),
        (5, 5, None, "t0 and t1 are both 5"),
        (0.0, 1e39, None, "size that float32 can hold"),
        (0.0, 1e-40, None, "size that float32 can hold"),
    ],
)
def test_times_that_mean_nothing_are_refused(t0, t1, times, match):
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        solve(DECAY, ones(), t0, t1, times=times)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("dt0", "match"),
    [
        (np.nan, "dt0 > 0"),
        (np.inf, "dt0 > 0"),
        (-0.1, "dt0 > 0"),
        ("small", "dt0 to be a number"),
        (np.ones(2), "dt0 to be one number"),
        (1e-12, "dt0"),
        (1e-7, "float32 can tell apart"),
    ],
)
def test_first_steps_that_mean_nothing_are_refused(dt0, match):
    with pytest.raises((ValueError, TypeError), match=match):
        solve(DECAY, ones(), 0.0, 1.0, dt0=dt0)


@pytest.mark.slow
def test_a_law_that_depends_on_time_sees_the_time_of_the_caller():
    # x' = cos t, from 1 at t = 5.
    x = solve(PUSH, ones(jnp.float64), 5.0, 7.0)[-1].x[0, 0]
    np.testing.assert_allclose(x, 1 + np.sin(7.0) - np.sin(5.0), rtol=1e-6)
    # Single precision still tells times at 1e4 apart by a thousandth.
    x = solve(PUSH, ones(), 1e4, 1e4 + 2.0)[-1].x[0, 0]
    np.testing.assert_allclose(x, 1 + np.sin(1e4 + 2) - np.sin(1e4), atol=2e-3)
    with pytest.raises(ValueError, match="depends on time, and float32"):
        solve(PUSH, ones(), 1.7e9, 1.7e9 + 10)


def test_the_leapfrog_sees_the_time_of_the_caller():
    # x'' = cos t, at rest at t = 5; order 2 at h = 0.01.
    flow = LagrangianFlow(Potential(pushed, with_time=True))
    phase = Phase.at_rest(ones(jnp.float64))
    x = solve(flow, phase, 5.0, 6.0, dt0=0.01)[-1].measure.x[0, 0]
    right = 1 - (np.cos(6.0) - np.cos(5.0)) - np.sin(5.0)
    np.testing.assert_allclose(x, right, atol=1e-4)


@pytest.mark.slow
def test_derivatives_in_the_times():
    # x(t) = 1 + sin t - sin t0 at every saved time.
    def saved(t0, t1, times):
        at = jnp.stack([times, t1])
        return solve(PUSH, ones(jnp.float64), t0, t1, times=at).measures.x[:, 0, 0]

    found = jax.jacrev(saved, (0, 1, 2))(5.0, 7.0, 6.0)
    right = [-np.cos(5.0) * np.ones(2), [0, np.cos(7.0)], [np.cos(6.0), 0]]
    for one, other in zip(found, right, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_controllers_with_times_of_their_own():
    plain = diffrax.PIDController(1e-4, 1e-6)
    clipped = diffrax.ClipStepSizeController(plain, step_ts=[1e6 + 0.25])
    found = passed(1e6, 1e6 + 1, stepsize_controller=clipped)
    np.testing.assert_allclose(found, 1.0, rtol=1e-3)
    grid = diffrax.StepTo(jnp.linspace(5.0, 6.0, 21))
    found = passed(5.0, 6.0, stepsize_controller=grid)
    np.testing.assert_allclose(found, 1.0, rtol=1e-3)
    with pytest.raises(ValueError, match="StepTo to begin at t0"):
        passed(5.0, 7.0, stepsize_controller=grid)


def test_resets_at_known_times_of_the_caller():
    # Put back to 2 at t = 5.5 and again at 6; one half of decay after that.
    mu = Point(jnp.ones(1))
    flow = GradientFlow(Potential(half_square), Euclidean())
    resets = ResettingFlow(flow, KnownResets([5.5, 6.0, 9.0]), jnp.array([2.0]))
    end = solve(resets, mu, 5.0, 6.5, key=KEY)[-1].value[0]
    np.testing.assert_allclose(end, 2 * np.exp(-0.5), rtol=1e-5)


@pytest.mark.slow
def test_noise_and_resets_far_from_zero():
    noisy = LangevinFlow(Potential(half_square), 1.0)
    resetting = ResettingFlow(noisy, Exponential(1.0), jnp.zeros(1))
    for flow in (noisy, resetting):
        near, far = (
            solve(flow, ones(), t0, t0 + 1.0, dt0=0.25, key=KEY)[-1].x
            for t0 in (0.0, 1e9)
        )
        np.testing.assert_allclose(near, far, rtol=1e-5)
