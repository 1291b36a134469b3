"""Resetting flows of any law: exact at several times, with memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Interaction, Potential
from wflow.flows import (
    BirthDeathFlow,
    Exponential,
    GradientFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.geometries import Euclidean, Wasserstein
from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.regression import Deterministic, Gamma, KnownResets
from wflow.solvers import solve


DECAY = GradientFlow(Potential(lambda x: x @ x / 2), Wasserstein())
ORIGIN = jnp.array([1.0, -2.0])


START = jnp.array([[3.0, 1.0], [2.0, 0.0], [0.5, 0.5]])
EPOCHS = jnp.array([[0.2, 0.9, 0.95], [1.4, jnp.inf, jnp.inf], [0.5, 1.5, jnp.inf]])
TIMES = np.array([0.5, 1.0, 1.3, 2.0])


def followed():
    """x' = -x from the start, reset at the epochs: read off the ages."""
    states = []
    for t in TIMES:
        last = np.where(t >= EPOCHS, EPOCHS, -np.inf).max(1)[:, None]
        reset = ORIGIN * np.exp(-(t - last))
        states.append(np.where(np.isfinite(last), reset, START * np.exp(-t)))
    return np.stack(states)


@pytest.mark.slow
def test_known_resets_are_followed():
    # Between resets x' = -x from the origin: the state at each saved time is read off
    # the age, to the tolerance of the solver; with clocks that forget (a reset between
    # two saved times), remember (none) and ring at a saved time.
    flow = ResettingFlow(DECAY, KnownResets(EPOCHS), ORIGIN)
    moved = solve(
        flow,
        Particles.from_samples(START),
        0.0,
        2.0,
        times=TIMES,
        key=jax.random.key(0),
    ).measures.x
    np.testing.assert_allclose(moved, followed(), rtol=1e-6)


@pytest.mark.slow
def test_interacting_particles_are_split():
    # Resets within half a step of where they are.
    pulled = GradientFlow(
        Potential(lambda x: x @ x / 2) + 0.0 * Interaction(lambda x, y: x @ y),
        Wasserstein(),
    )
    split = solve(
        ResettingFlow(pulled, KnownResets(EPOCHS), ORIGIN),
        Particles.from_samples(START),
        0.0,
        2.0,
        times=TIMES,
        dt0=0.01,
        key=jax.random.key(0),
    ).measures.x
    np.testing.assert_allclose(split, followed(), rtol=6e-3)


@pytest.mark.slow
def test_resets_beside_other_jumps():
    # In a splitting of several jumps all but the last come by halves: no reset is lost
    # or comes twice, and the clocks go on between saved times. Deterministic ones ring
    # at 0.7, 1.4 and 2.1, up to half a step.
    still = 0.0 * Potential(lambda x: x @ x)
    start = Particles.from_samples(jnp.full((3, 2), 5.0))
    pushed = GradientFlow(Potential(lambda x: -jnp.sum(x)), Wasserstein())
    flow = ResettingFlow(pushed, Deterministic(0.7), ORIGIN) + BirthDeathFlow(still)
    moved = solve(
        flow,
        start,
        0.0,
        2.5,
        times=jnp.array([0.6, 0.8, 1.3, 2.5]),
        dt0=0.02,
        key=jax.random.key(0),
    ).measures.x
    ages = jnp.array([0.6, 0.1, 0.6, 0.4])[:, None, None]
    expected = ages + jnp.where(jnp.arange(4)[:, None, None] == 0, 5.0, ORIGIN)
    np.testing.assert_allclose(
        moved, jnp.broadcast_to(expected, moved.shape), atol=0.011
    )


def erlang_mean(t, start):
    """E x(t) of x' = -x under Erlang resets (shape 2, rate 2), by renewal."""
    a = np.linspace(0, t, 4001)
    survival = (1 + 2 * a) * np.exp(-2 * a)
    density = 1 - np.exp(-4 * (t - a))
    memory = np.trapezoid(np.exp(-a) * survival * density, a)
    return start * np.exp(-t) * survival[-1] + np.asarray(ORIGIN) * memory


@pytest.mark.slow
def test_law_at_finite_times():
    # The mean at several times by the equation of renewal, with Erlang's renewal
    # density 1 - e^{-4t}.
    n, times = 8000, np.array([0.4, 1.0, 2.5])
    start = np.array([3.0, 1.0])
    moved = solve(
        ResettingFlow(DECAY, Gamma(1.0, 2.0), ORIGIN),
        Particles.from_samples(np.tile(start, (n, 1))),
        0.0,
        2.5,
        times=times,
        key=jax.random.key(0),
    ).measures.x
    for t, x in zip(times, moved, strict=True):
        z = (x.mean(0) - erlang_mean(t, start)) / (x.std(0) / n**0.5)
        assert np.max(np.abs(z)) < 4


@pytest.mark.slow
def test_noise_and_ages():
    # Far from the start, on a line: both parts of the variance.
    n, tau, temperature = 8000, 1.0, 0.3
    law = Gamma(tau, 2.0)
    flow = ResettingFlow(
        LangevinFlow(Potential(lambda x: x @ x / 2), temperature), law, jnp.ones(1)
    )
    start = Particles.from_samples(jnp.ones((n, 1)))
    moved = solve(flow, start, 0.0, 12.0, dt0=0.1, key=jax.random.key(0))[-1]
    remembered, kept = law.age_laplace(2.0), law.age_laplace(1.0)
    variance = temperature * (1 - remembered) + remembered - kept**2
    assert abs(moved.mean[0] - kept) < 4 * (variance / n) ** 0.5
    # Loose on the fourth moment of what is not Gaussian.
    assert abs(moved.cov[0, 0] / variance - 1) < 5 * (3 / n) ** 0.5


@pytest.mark.slow
def test_a_point_has_one_clock():
    # Also where the energy of particles would not be linear; and float32 stays so.
    flow = ResettingFlow(
        GradientFlow(Potential(lambda p: p["a"] @ p["a"] / 2), Euclidean()),
        Deterministic(1.0),
        {"a": jnp.ones(2), "b": jnp.zeros(())},
    )
    start = Point({"a": jnp.full(2, 3.0, jnp.float32), "b": jnp.ones((), jnp.float32)})
    end = solve(flow, start, 0.0, 2.5, key=jax.random.key(0))[-1].value
    assert end["a"].dtype == jnp.float32
    np.testing.assert_allclose(end["a"], np.exp(-0.5), rtol=1e-4)
    assert end["b"] == 0


@pytest.mark.slow
def test_gradients_through_clocks():
    # Of positions, start and origin, through clocks that are drawn in a loop.
    times, key = jnp.array([0.5, 2.0]), jax.random.key(3)
    x = jnp.array([[3.0, 1.0], [0.2, -1.0]])

    def loss(x, origin):
        flow = ResettingFlow(DECAY, Gamma(1.0, 2.0), origin)
        start = Particles.from_samples(x)
        end = solve(flow, start, 0.0, 2.0, times=times, key=key).measures.x
        return jnp.sum(jnp.array([1.0, 2.0])[:, None, None] * end**2)

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    gradient = both(x, ORIGIN)[1]
    for step, slope in (
        ((jnp.ones_like(x), jnp.zeros(2)), jnp.sum(gradient[0])),
        ((jnp.zeros_like(x), jnp.ones(2)), jnp.sum(gradient[1])),
    ):
        up = both(x + 1e-4 * step[0], ORIGIN + 1e-4 * step[1])[0]
        down = both(x - 1e-4 * step[0], ORIGIN - 1e-4 * step[1])[0]
        np.testing.assert_allclose(slope, (up - down) / 2e-4, rtol=1e-5)


def test_refusals():
    flow = ResettingFlow(DECAY, Exponential(1.0), ORIGIN)
    with pytest.raises(UnsupportedMeasureError, match="Particles and Point"):
        flow.shape(None)
    with pytest.raises(ValueError, match="is random; it needs a key"):
        solve(flow, Particles.from_samples(jnp.ones((2, 2))), 0.0, 1.0)


@pytest.mark.slow
def test_a_point_whose_energy_depends_on_time():
    # x' = t - x: from x0 at t0, x(t) = t - 1 + (x0 - t0 + 1) exp(t0 - t).
    moving = Potential(lambda x, t: jnp.sum((x - t) ** 2) / 2, with_time=True)
    epochs = KnownResets([0.52, 1.17, jnp.inf])
    flow = ResettingFlow(GradientFlow(moving, Euclidean()), epochs, ORIGIN)
    point = Point(jnp.array([3.0, 1.0]))
    assert not flow.exact(point)
    solution = solve(
        flow, point, 0.0, 2.0, times=[0.4, 1.0, 2.0], dt0=0.01, key=jax.random.key(0)
    )
    lasts = [(point.value, 0.0), (ORIGIN, 0.52), (ORIGIN, 1.17)]
    for found, t, (x0, t0) in zip(
        solution.measures.value, (0.4, 1.0, 2.0), lasts, strict=True
    ):
        expected = t - 1 + (x0 - t0 + 1) * jnp.exp(t0 - t)
        # Resets fall on steps of 0.01, at rates of three or so.
        np.testing.assert_allclose(found, expected, atol=0.03)
    # An energy that never looks at the time leaves the ages exact.
    still = GradientFlow(Potential(lambda x: x @ x / 2), Euclidean())
    assert ResettingFlow(still, epochs, ORIGIN).exact(point)
