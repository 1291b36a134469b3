"""Every interior snapshot from the others."""

from types import SimpleNamespace

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.populations import hold_outs
from wflow.populations.leave_one_out import (
    reach,
    reversed_time,
    score,
    yardsticks,
)
from wflow.populations.scores import half_sample_w1, noise_floor


TIMES = np.array([0.0, 1.0, 3.0, 4.0])
SHIFT = np.array([2.0, -1.0])
BASE = np.random.default_rng(0).normal(size=(40, 2))
# A translation at constant velocity.
MOVING = Snapshots(TIMES, [BASE + t * SHIFT for t in TIMES])


def _drift(train, held, backwards):
    """Moves every point at the mean velocity between neighbors."""

    def interpolate(time, substeps):
        k = train.before(time)
        rate = (train[k + 1] - train[k]).mean(0) / np.diff(train.times)[k]
        cloud = train[k] + (time - train.times[k]) * rate
        return Snapshots([time], [cloud])

    return SimpleNamespace(interpolate=interpolate, backwards=backwards)


def test_each_interior_snapshot_is_held_out_once():
    found = hold_outs(MOVING)
    assert [held.index for held in found] == [1, 2]
    for held in found:
        np.testing.assert_array_equal(held.truth[0], MOVING[held.index])
        assert held.time not in held.train.times
        assert len(held.train) == 3
        assert held.gap == 1.0
    np.testing.assert_allclose([held.share for held in found], [1 / 3, 2 / 3])
    with pytest.raises(ValueError, match="at least three"):
        hold_outs(MOVING.take([0, 1]))


def test_reversed_time_twice_is_nothing():
    velocities = [np.full_like(x, k) for k, x in enumerate(MOVING)]
    given = Snapshots(TIMES, MOVING.clouds, velocities)
    back = reversed_time(given)
    np.testing.assert_array_equal(back.times, [-4, -3, -1, 0])
    np.testing.assert_array_equal(back[0], MOVING[3])
    np.testing.assert_array_equal(back.velocity(0), -velocities[3])
    again = reversed_time(back)
    np.testing.assert_array_equal(again.clouds, given.clouds)
    np.testing.assert_array_equal(again.velocities, given.velocities)


@pytest.mark.parametrize("both", [False, True])
def test_the_true_drift_reaches_the_truth_in_the_data_units(both):
    for held in hold_outs(MOVING):
        cloud, sides, fits = reach(held, _drift, both_sides=both)
        assert [fitted.backwards for fitted in fits] == [False, True][: 1 + both]
        # Of two sides that agree every pair is a point and itself.
        assert len(cloud[0]) == len(BASE)
        np.testing.assert_allclose(cloud[1].sum(), 1)
        assert score(cloud, held) < 1e-6
        assert max(score(side, held) for side in sides) < 1e-6


def test_training_sees_nothing_of_the_held_out_cells():
    held = hold_outs(MOVING)[0]
    other = held._replace(truth=Snapshots(held.truth.times, [BASE * 100]))
    for a, b in zip(reach(held, _drift)[0], reach(other, _drift)[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_yardsticks_of_a_translation():
    held = hold_outs(MOVING)[1]
    found = yardsticks(held)
    assert found.ot_midpoint < 1e-9
    np.testing.assert_allclose(found.nothing_moves, 2 * np.linalg.norm(SHIFT))
    half = half_sample_w1(held.truth[0], splits=5)
    assert found.half_sample == half
    np.testing.assert_allclose(noise_floor(held.truth[0], splits=5), half / 2**0.5)


def test_standardized_scores_are_those_of_standardized_clouds():
    held = hold_outs(MOVING)[0]
    units = held.train.standardize()[1]
    standard = held.standardized()
    pooled = np.concatenate(standard.train.clouds)
    np.testing.assert_allclose(pooled.std(axis=0), 1)
    np.testing.assert_allclose(pooled.mean(axis=0), 0, atol=1e-12)
    # Nothing moves: the cloud is off by one shift, the same of every point.
    still = (held.train[0], held.train.weight(0))
    found = score(still, held, standardized=True)
    np.testing.assert_allclose(found, np.linalg.norm(SHIFT / units.std))
    np.testing.assert_allclose(yardsticks(standard).nothing_moves, found)
    assert score(still, held) != found


def test_errors_of_the_two_sides_average_out():
    for held in hold_outs(MOVING):

        def off(train, held, backwards):
            there = _drift(train, held, backwards).interpolate

            def interpolate(time, substeps):
                # In units of the training: away by s forwards, back by 1 - s.
                by = -(1 - held.share) if backwards else held.share
                return Snapshots([time], [there(time, substeps)[0] + by])

            return SimpleNamespace(interpolate=interpolate)

        cloud, sides, _ = reach(held, off)
        assert score(cloud, held) < 1e-6
        assert min(score(side, held) for side in sides) > 0.1
