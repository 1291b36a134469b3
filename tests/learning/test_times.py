"""Times that nearly coincide, far from zero, or look alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import trained

from wflow.energies import MLPPotential, Potential
from wflow.flows import LagrangianFlow
from wflow.learning import (
    DICE,
    CharacteristicDistance,
    Displacement,
    Snapshots,
    simulate,
)
from wflow.learning.clock import shown
from wflow.learning.report import Report
from wflow.parameters import Learnable


KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)


def clouds(times):
    shift = np.array([1, 0], np.float32)
    return Snapshots(times, [x + k * shift for k, x in enumerate(X)])


FLOW = LagrangianFlow(Potential(lambda x: jnp.sum(x**2) / 2), Learnable(0.5))


def train(snapshots, flow=FLOW):
    return trained(
        flow,
        snapshots,
        steps=2,
        key=KEY,
        loss=CharacteristicDistance(8),
        velocity=Displacement(),
        progress=False,
    )


@pytest.mark.parametrize("gap", [1e-4, 1e-6, 1e-12])
def test_times_that_all_but_coincide(gap):
    with pytest.raises(ValueError, match=r"at most 10,000 steps .* times 0 and"):
        train(clouds([0, gap, 2]))


def test_times_that_coincide_but_for_rounding():
    with pytest.raises(
        ValueError, match=r"coincide, 0.3 and 0.30000000000000004; join"
    ):
        clouds([0.0, 0.3, 0.1 + 0.2])


@pytest.mark.slow
@pytest.mark.parametrize("first", [2.024e7, 1.7e9, -3e8])
def test_times_far_from_zero_change_nothing(first):
    """In single precision, which rounds these times to even numbers and more."""
    near, far = (
        train(clouds(t + np.arange(3))).forecast([t + 3, t + 3.5]) for t in (0.0, first)
    )
    np.testing.assert_array_equal(far.times, [first + 3, first + 3.5])
    for k in range(2):
        np.testing.assert_allclose(far[k], near[k], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_flow_of_time_is_refused_there():
    start = Snapshots([2.024e7], X[:1], X[:1])
    timed = MLPPotential(2, width=2, depth=1, time_dim=2, key=KEY)
    with pytest.raises(ValueError, match="times that float32 tells apart"):
        simulate(LagrangianFlow(timed), start, [2.024e7 + 1], 0.1)
    with pytest.raises(ValueError, match="times that float32 tells apart"):
        train(clouds(2.024e7 + np.arange(3)), flow=LagrangianFlow(timed))


@pytest.mark.slow
def test_dice_does_not_see_where_times_begin():
    rule = DICE(steps=3, width=4, batch=4)
    near, far = (rule(clouds(t + np.arange(3.0)), KEY) for t in (0.0, 2.024e7))
    for a, b in zip(near, far, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("first", "second"),
    [(20240101.0, 20240100.0), (0.1, 0.1 + 1e-13), (1.7e9, 1.7e9 + 0.25), (0.0, 1e-9)],
)
def test_different_times_look_different(first, second):
    assert shown(first, second) != shown(second, first)
    assert float(shown(first, second)) == pytest.approx(first, rel=1e-11)


def test_times_keep_their_digits():
    days = [20240101.0, 20240102.0, 20240103.0]
    snapshots = clouds(days)
    assert "times in [20240101, 20240103]" in repr(snapshots)
    with pytest.raises(ValueError, match="20240101, on, found 20240100"):
        snapshots.before(20240100.0)
    with pytest.raises(ValueError, match="time 1 is 20240101 after 20240102"):
        clouds([20240102.0, 20240101.0, 20240103.0])
    table = str(Report("title", np.array(days), {"model": np.ones(3)})).splitlines()
    assert table[1].split() == ["t", "=", "20240101", "t", "=", "20240102"] + [
        *("t", "=", "20240103", "mean")
    ]
    assert len(table[1]) == len(table[2])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([2.0, 1.0], "times to increase strictly, found 2.0 before 1.0"),
        ([np.nan], "times finite"),
        ([], "times"),
        ([-1.0], "from 0 on"),
        ([1e9], "1,000,000 steps"),
        ("later", "times"),
        (np.array(["2024-01-01"], "M8[D]"), "found dates; give days"),
    ],
)
def test_times_of_a_forecast(times, message):
    start = Snapshots([0.0], X[:1], X[:1])
    still = LagrangianFlow(Potential(lambda x: 0 * jnp.sum(x)))
    with pytest.raises((ValueError, TypeError), match=message):
        simulate(still, start, times, 0.1)
