"""Conditional paths: derivatives of each other, ends, and what they conserve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.learning import (
    BrownianBridge,
    ExactOT,
    Given,
    SmoothPath,
    Snapshots,
    SplinePath,
    StraightPath,
    TravelingDirac,
    Zero,
)
from wflow.learning.matching_paths import Coupled
from wflow.learning.pairs import drawn, plan_between
from wflow.learning.path_choice import chosen_path


KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, H, DELTA = 6, 0.7, 1.3
X0, X1, V0, V1 = (jnp.asarray(RNG.normal(size=(N, 2))) for _ in range(4))
M0, M1 = (jnp.asarray(RNG.uniform(0.5, 2.0, size=N)) for _ in range(2))
PAIRS = Coupled(X0, X1, V0, V1, M0, M1, jnp.asarray(H))
PATHS = {
    "cubic": SplinePath(),
    "bridge": BrownianBridge(0.5),
    "dirac": TravelingDirac(DELTA),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PATHS)
def test_velocity_acceleration_and_growth_are_derivatives(name):
    sample = lambda t: PATHS[name].sample(PAIRS, t / H, KEY)
    for s in (0.2, 0.8):
        at, rates = jax.jvp(sample, (jnp.asarray(s * H),), (jnp.ones(()),))
        np.testing.assert_allclose(rates.x, at.v, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(rates.v, at.a, rtol=1e-10, atol=1e-12)
        growth = jnp.broadcast_to(at.growth, (N,))
        np.testing.assert_allclose(rates.logm, growth, rtol=1e-10)


@pytest.mark.parametrize("name", PATHS)
def test_paths_begin_and_end_at_their_pairs(name):
    for s, x, m in ((1e-12, X0, M0), (1 - 1e-12, X1, M1)):
        at = PATHS[name].sample(PAIRS, s, KEY)
        # The bridge is 5e-7 away, the root of 1e-12.
        np.testing.assert_allclose(at.x, x, atol=5e-6)
        np.testing.assert_allclose(at.logm, jnp.log(m), atol=1e-9)


def test_the_cubic_has_its_slopes():
    for s, v in ((0.0, V0), (1.0, V1)):
        np.testing.assert_allclose(SplinePath().sample(PAIRS, s, KEY).v, v, atol=1e-12)


def test_a_traveling_dirac_moves_at_constant_speed():
    # m (|v|^2 + delta^2 g^2) is 4 delta^2 times the square of a chord in the plane.
    theta = jnp.linalg.norm(X1 - X0, axis=1) / (2 * DELTA)
    chord = M0 + M1 - 2 * jnp.sqrt(M0 * M1) * jnp.cos(theta)
    for s in (0.0, 0.3, 1.0):
        at = TravelingDirac(DELTA).sample(PAIRS, s, KEY)
        action = jnp.sum(at.v**2, axis=1) + DELTA**2 * at.growth**2
        speed = jnp.exp(at.logm) * action * H**2
        np.testing.assert_allclose(speed, 4 * DELTA**2 * chord, rtol=1e-10)


def test_a_dirac_that_stands_still_only_grows():
    still = PAIRS._replace(x1=X0)
    at = TravelingDirac(DELTA).sample(still, 0.5, KEY)
    np.testing.assert_allclose(at.x, X0)
    np.testing.assert_allclose(at.v, 0)
    # The root of the mass is linear.
    root = (jnp.sqrt(M0) + jnp.sqrt(M1)) / 2
    np.testing.assert_allclose(jnp.exp(at.logm / 2), root)


def test_a_bridge_is_pinned_by_its_own_noise():
    # Velocity plus half of sigma^2 times the score is the drift of a pinned motion.
    sigma, s = 0.5, 0.3
    chord = (X1 - X0) / H
    at = BrownianBridge(sigma).sample(PAIRS._replace(v0=chord, v1=chord), s, KEY)
    drift = at.v + sigma**2 / 2 * at.score
    np.testing.assert_allclose(drift, (X1 - at.x) / (H * (1 - s)), rtol=1e-10)


def shuffled(times, places):
    rng = np.random.default_rng(0)
    return Snapshots(
        times, [rng.permutation(np.asarray(X0) + place) for place in places]
    )


def pairs_of(snapshots):
    rng = np.random.default_rng(0)
    every = range(len(snapshots) - 1)
    plans = [plan_between(ExactOT(), snapshots, k, k + 1, 100, rng) for k in every]
    return [drawn(snapshots, plans, k, 2 * N, rng) for k in every]


def test_the_natural_spline_bends_least():
    # Through 0, 1, 0 at unit steps its slopes are 3/2, 0, -3/2.
    seen = shuffled([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])
    (first, middle), (again, last) = SplinePath().slopes(pairs_of(seen), KEY)
    for slopes, expected in ((first, 1.5), (middle, 0), (again, 0), (last, -1.5)):
        np.testing.assert_allclose(slopes, expected, atol=1e-12)
    ((chord, same), _) = StraightPath().slopes(pairs_of(seen), KEY)
    np.testing.assert_allclose([chord, same], 1.0)


def test_a_smooth_path_takes_the_velocities_of_its_rule():
    seen = Snapshots([0.0, 1.0], [X0, X1], [V0, V1])
    pairs = pairs_of(seen)
    ((start, end),) = SmoothPath(Given()).slopes(pairs, KEY)
    np.testing.assert_allclose(start, V0[pairs[0].i])
    np.testing.assert_allclose(end, V1[pairs[0].j])
    with pytest.raises(ValueError, match="Zero to give velocities"):
        SmoothPath(Zero()).slopes(pairs, KEY)


def test_the_path_is_told_from_the_snapshots():
    times, rng = np.arange(5.0), np.random.default_rng(0)
    curve = shuffled(times, np.stack([times, 0.3 * times**2], axis=1))
    assert isinstance(chosen_path(curve, ExactOT(), rng), SplinePath)
    # What halts and goes is met better by a line.
    steps = shuffled(times, 3.0 * (times // 2))
    assert isinstance(chosen_path(steps, ExactOT(), rng), StraightPath)
    assert isinstance(chosen_path(curve.take(range(3)), ExactOT(), rng), StraightPath)


def test_paths_refuse_what_they_cannot_mean():
    with pytest.raises(ValueError, match="sigma > 0"):
        BrownianBridge(0.0)
    with pytest.raises(ValueError, match="length > 0"):
        TravelingDirac(-1.0)
    with pytest.raises(ValueError, match="FlowMatching fills it in"):
        TravelingDirac().sample(PAIRS, 0.5, KEY)
