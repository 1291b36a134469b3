"""Methods driven by hand, one step at a time."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import sample
from wflow.measures import Particles
from wflow.sampling import (
    ALDI,
    CBS,
    MALA,
    NUTS,
    SHK,
    SMCWFR,
    SVGD,
    ULA,
    WFRMMD,
    MeanShift,
    MMDFlow,
)


KEY = jax.random.key(0)
START = Particles.from_samples(
    jnp.asarray(np.random.default_rng(0).normal(size=(12, 2)) + 1)
)


def log_density(x):
    return -jnp.sum(x**2 / jnp.array([1.0, 0.5])) / 2


def driven(method, steps, start=START):
    step = eqx.filter_jit(method.step)
    state = method.init(log_density, start, key=KEY)
    for k in range(steps):
        state = step(state, jax.random.fold_in(KEY, k))
    return state


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        SVGD(0.1, 4),
        MeanShift(0.1, 4),
        MMDFlow(0.1, 4),
        WFRMMD(0.1, 4),
        SHK(0.1, 4, transport="probability_flow", reaction="weights", settle=0.5),
        SHK(0.1, 4, transport="none", reaction="weights"),
    ],
    ids=lambda method: type(method).__name__,
)
def test_steps_without_chance_are_those_of_sample(method):
    """Four steps are the run of four steps, up to the rounding of other programs."""
    state = driven(method, 4)
    found = sample(log_density, START, key=KEY, method=method, saves=1)
    np.testing.assert_allclose(state.particles.x, found.particles, rtol=1e-9)
    assert int(state.taken) == 4


@pytest.mark.slow
def test_the_injected_noise_falls_with_the_steps_taken():
    """The level is 0 from the last step on, so that the key makes no difference."""
    method = MMDFlow(0.1, 4, noise=0.5)
    state = method.init(log_density, START, key=KEY)
    late = eqx.tree_at(lambda s: s.taken, state, jnp.asarray(4))
    step = eqx.filter_jit(method.step)
    first = [step(state, jax.random.key(k)).particles.x for k in (1, 2)]
    last = [step(late, jax.random.key(k)).particles.x for k in (1, 2)]
    assert np.abs(first[0] - first[1]).max() > 1e-3
    np.testing.assert_array_equal(*last)


@pytest.mark.slow
def test_a_chain_is_at_rest_in_its_own_law():
    """Euler's chain has variance s / (1 - h / (2 s)) where the target has s."""
    h, n = 0.2, 4000
    method = ULA(h)
    start = Particles.from_samples(
        jnp.asarray(np.random.default_rng(1).normal(size=(n, 2)))
    )
    x = driven(method, 40, start).particles.x
    s = np.array([1.0, 0.5])
    # Four standard errors of a variance of n draws.
    np.testing.assert_allclose(
        np.var(x, axis=0), s / (1 - h / (2 * s)), rtol=4 * np.sqrt(2 / n)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [MALA(0.1), SMCWFR(0.1), ALDI(0.1), CBS(0.1), SHK(0.1, 4)],
    ids=lambda method: type(method).__name__,
)
def test_random_steps_are_the_same_under_the_same_key(method):
    state = method.init(log_density, START, key=KEY)
    step = eqx.filter_jit(method.step)
    one, same, other = (step(state, jax.random.key(k)).particles for k in (1, 1, 2))
    np.testing.assert_array_equal(one.x, same.x)
    assert one.x.shape == START.x.shape
    assert np.isfinite(one.x).all()
    assert np.abs(one.x - other.x).max() > 0


@pytest.mark.slow
def test_chains_of_nuts_go_on_from_their_adaptation():
    """Means of 4 chains, 100 draws of each, are within five standard errors of 0."""
    pytest.importorskip("blackjax")
    method = NUTS(warmup=100, thin=2, chains=4)
    step = eqx.filter_jit(method.step)
    state = method.init(log_density, START, key=KEY)
    draws = []
    for k in range(100):
        state = step(state, jax.random.fold_in(KEY, k))
        draws.append(np.asarray(state.particles.x))
    assert state.particles.x.shape == (4, 2)
    error = np.sqrt(np.array([1.0, 0.5]) / 400)
    assert (np.abs(np.mean(draws, axis=(0, 1))) < 5 * error).all()


def test_starts_that_cannot_move_are_refused():
    one = Particles.from_samples(START.x[:1])
    with pytest.raises(ValueError, match=r"SVGD: expected at least 2 particles"):
        SVGD().init(log_density, one, key=KEY)
    with pytest.raises(TypeError, match=r"ULA: expected initial to be Particles"):
        ULA().init(log_density, START.x, key=KEY)
