"""Start velocities."""

import jax
import numpy as np
import pytest
from oscillator import TIMES, weighted

from wflow.learning import Displacement, Given, Learned, Snapshots, Zero


KEY = jax.random.key(0)


def test_given(snapshots):
    for found, v in zip(Given()(snapshots, KEY), snapshots.velocities, strict=True):
        np.testing.assert_array_equal(found, v)
    with pytest.raises(ValueError, match="first snapshot has no velocities"):
        Given()(Snapshots(TIMES, snapshots.clouds), KEY)


def test_zero_and_learned(snapshots):
    first, *rest = Zero()(snapshots, KEY)
    np.testing.assert_array_equal(first, np.zeros_like(snapshots[0]))
    assert rest == [None] * 3
    *learned, last = Learned(Given())(snapshots, KEY)
    np.testing.assert_array_equal(learned[1], snapshots.velocity(1))
    assert last is None
    assert Learned().trained
    assert not Zero().trained


def test_displacement_of_a_translation(snapshots):
    # Order of rows carries no information: the plan finds the translation.
    u, rng = np.array([0.3, -0.2]), np.random.default_rng(0)
    times = [0.0, 0.5, 2.0]
    clouds = [rng.permutation(snapshots[0] + t * u) for t in times]
    for v in Displacement()(Snapshots(times, clouds), KEY):
        np.testing.assert_allclose(v, np.broadcast_to(u, v.shape), rtol=1e-12)


def test_displacement_conserves_the_mean(snapshots):
    unequal = weighted(snapshots)
    found = Displacement()(unequal, KEY)
    means = [unequal.weight(k) @ unequal[k] for k in range(4)]
    for k, j in ((0, 1), (1, 2), (2, 3), (3, 2)):
        rate = (means[j] - means[k]) / (TIMES[j] - TIMES[k])
        np.testing.assert_allclose(unequal.weight(k) @ found[k], rate, rtol=1e-10)


def test_one_snapshot_has_no_displacement(snapshots):
    with pytest.raises(ValueError, match="at least two snapshots"):
        Displacement()(snapshots.take([0]), KEY)
