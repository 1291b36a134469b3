"""Solves of like size are one compiled program, and are what each is by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import Particles, Phase, solve
from wflow.energies import Potential
from wflow.flows import GradientFlow, LagrangianFlow, LangevinFlow
from wflow.geometries import Wasserstein
from wflow.solvers import _solve


CLOUD = Particles.from_samples(jnp.array([[1.0, -0.5], [0.3, 2.0], [-1.0, 0.1]]))
traces = []


def bowl(x):
    """A potential that writes down each time that it is traced."""
    traces.append(x)
    return x @ x / 2 + jnp.cos(x[0])


FALL = GradientFlow(Potential(bowl), Wasserstein())
SWING = LagrangianFlow(Potential(bowl), friction=0.3)
SAVED = (
    [1.0],
    np.linspace(0, 1, 3),
    np.linspace(0.2, 0.9, 7),
    np.linspace(0, 1, 64),
)


@pytest.mark.parametrize(
    ("flow", "mu"),
    [(FALL, CLOUD), (SWING, Phase.at_rest(CLOUD))],
    ids=["fall", "swing"],
)
def test_steps_and_saved_times_are_no_other_program(flow, mu):
    states = lambda times, dt0: solve(flow, mu, 0.0, 1.0, times=times, dt0=dt0)
    states(SAVED[0], 0.1)
    number = len(traces)
    for times, dt0 in zip(SAVED[1:], (0.05, 0.021, 0.2), strict=True):
        found = states(times, dt0)
        assert len(traces) == number
        # Traced by someone else, nothing is filled up.
        alone = jax.jit(lambda mu, t=times, h=dt0: states(t, h).measures)(mu)
        number = len(traces)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15),
            found.measures,
            alone,
        )
        np.testing.assert_array_equal(found.times, times)
        gaps = np.diff([0.0, *times, 1.0])
        steps = np.ceil(gaps / dt0 * (1 - 1e-6)).sum()
        assert int(found.stats["num_steps"]) == steps


def test_adaptive_solves_with_other_saved_times_are_no_other_program():
    solve(FALL, CLOUD, 0.0, 1.0, times=SAVED[1])
    number = len(traces)
    found = solve(FALL, CLOUD, 0.0, 1.0, times=SAVED[2])
    assert len(traces) == number
    assert found.measures.x.shape == (7, 3, 2)
    last = solve(FALL, CLOUD, 0.0, SAVED[2][-1], dt0=1e-3)[-1].x
    np.testing.assert_allclose(found[-1].x, last, rtol=1e-5)


@pytest.mark.slow
def test_large_states_are_not_filled_up():
    # A million numbers and more in 64 of them.
    many = Particles.from_samples(jnp.ones((6_000, 2)))
    for times in ([0.5, 1.0], [0.3, 0.6, 1.0]):
        number = len(traces)
        found = solve(FALL, many, 0.0, 1.0, times=times, dt0=0.5)
        assert len(traces) > number
        assert found.measures.x.shape == (len(times), 6_000, 2)


@pytest.mark.slow
def test_what_is_mapped_over_keys_is_not_filled_up(monkeypatch):
    # A million keys would save 64 states each.
    monkeypatch.setattr(_solve, "filled", None)
    noisy = LangevinFlow(FALL.energy, 1.0)
    draw = lambda key: solve(noisy, CLOUD, 0.0, 1.0, times=[0.5, 1.0], key=key)
    found = jax.vmap(lambda key: draw(key).measures.x)(
        jax.random.split(jax.random.key(0), 5)
    )
    assert found.shape == (5, 2, 3, 2)


@pytest.mark.slow
def test_backwards_and_stopped():
    forth = solve(FALL, CLOUD, 0.0, 1.0, dt0=0.01)[-1]
    back = solve(FALL, forth, 1.0, 0.0, times=[0.7, 0.4, 0.0], dt0=0.01)
    np.testing.assert_allclose(back[-1].x, CLOUD.x, rtol=1e-4)
    fallen = lambda flow, mu, t: mu.mean[1] - 0.4
    times = np.linspace(0.0, 1.0, 6)
    found = solve(FALL, CLOUD, 0.0, 1.0, times=times, dt0=0.1, stop=fallen)
    assert bool(found.stopped)
    assert found.measures.x.shape == (6, 3, 2)
    after = found.times >= found.stats["time_reached"] - 1e-12
    assert 0 < after.sum() < 6
    means = found.measures.x.mean(axis=1)[after]
    np.testing.assert_allclose(means[:, 1], 0.4, rtol=1e-6)
