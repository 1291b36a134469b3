"""Distances to one truth: without bias, and differences with intervals that hold."""

import numpy as np
import pytest

from wflow.learning.paired import (
    Chances,
    Difference,
    Interval,
    Traced,
    Truth,
    check_tracked,
    difference,
    verdict,
)
from wflow.transport import w1


RNG = np.random.default_rng(0)


def cloud(x, source, w=None):
    return Traced.of(x, np.ones(len(x)) if w is None else w, source)


def test_scores_are_exact_and_know_no_noise():
    x, y = RNG.normal(size=(2, 60, 2))
    weights = RNG.random(60)
    found = Truth(cloud(y, 1), Chances()).scores(cloud(x, 0, weights))
    np.testing.assert_allclose(found.w1.value, w1(x, y, weights))
    # Samples of one law are on average at the distance zero.
    energies = []
    for k in range(60):
        x, y = np.random.default_rng(k).normal(size=(2, 20, 3))
        energies.append(Truth(cloud(y, 1), Chances()).scores(cloud(x, 0)).energy.value)
    assert abs(np.mean(energies)) < 3 * np.std(energies) / 60**0.5
    assert min(energies) < 0


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_the_error_of_a_difference_is_that_of_new_samples(shift):
    differences, errors = [], []
    for k in range(40):
        rng = np.random.default_rng(k)
        x, y = rng.normal(size=(2, 80, 2))
        truth = Truth(cloud(y + [0.4, 0.0], 1), Chances(seed=k))
        moved = [truth.scores(cloud(x + [s, 0.0], 0)) for s in (shift, -0.2)]
        found = difference(*([score] for score in moved))
        differences.append([found.w1.value, found.energy.value])
        errors.append([found.w1.error, found.energy.error])
    true = np.std(differences, axis=0, ddof=1)
    np.testing.assert_allclose(np.mean(errors, axis=0), true, rtol=0.35)


def test_a_cloud_that_is_drawn_together_is_not_better():
    """In twenty coordinates it is nearer in W1 to every sample but its own."""
    x, y = RNG.normal(size=(2, 150, 20))
    truth = Truth(cloud(y, 1), Chances())
    drawn, still = truth.scores(cloud(0.8 * x, 0)), truth.scores(cloud(x, 0))
    found = difference([drawn], [still])
    assert found.w1.sign == -1
    assert found.energy.sign == 1
    assert found.word == "cannot be told from"


def test_what_follows_the_truth_beats_what_does_not():
    x, y = RNG.normal(size=(2, 100, 2))
    truth = Truth(cloud(y + [1.0, 0.0], 1), Chances())
    near, far = (truth.scores(cloud(x + [s, 0.0], 0)) for s in (1.0, 0.0))
    assert difference([near], [far]).word == "beats"
    assert difference([far], [near]).word == "loses to"


def test_large_clouds_are_thinned():
    x = RNG.normal(size=(50, 2))
    few = cloud(x, 0).thinned(20)
    assert len(few.x) == 20
    np.testing.assert_array_equal(x[few.row], few.x)
    np.testing.assert_allclose(few.w.sum(), 1.0)
    exact = Truth(cloud(x, 0), Chances(), most=None).scores(cloud(x, 0))
    np.testing.assert_allclose(exact.w1.value, 0.0, atol=1e-12)


def test_tracked_rows_have_the_same_chances():
    x = RNG.normal(size=(10, 2))
    for tracked in (True, False):
        chances = Chances(tracked=tracked)
        same = np.allclose(chances(cloud(x, 0)), chances(cloud(x, 3)))
        assert same == tracked
        # What is of no snapshot is of no individual.
        assert not np.allclose(chances(cloud(x, 0)), chances(cloud(x, -1)))
    with pytest.raises(ValueError, match="same individuals at all times, found 3, 4"):
        check_tracked("report", [3, 4])


def test_pairing_tells_small_steps_of_the_same_individuals():
    """Two samples so near would lie apart by chance; those that each moved do not."""
    x = RNG.normal(size=(60, 2))
    moved, words = x + [0.3, 0.1], []
    for tracked in (False, True):
        truth = Truth(cloud(moved, 1), Chances(tracked=tracked))
        exact, still = truth.scores(cloud(moved, 0)), truth.scores(cloud(x, 0))
        words.append(difference([exact], [still]).word)
    assert words == ["cannot be told from", "beats"]
    np.testing.assert_allclose(exact.energy.draws, 0, atol=1e-12)


def test_distances_of_tracked_individuals_are_without_bias():
    """Each is near itself, and the law of all of them is the same."""
    energies = []
    for k in range(100):
        x, e = np.random.default_rng(k).normal(size=(2, 20, 2))
        y = 0.8 * x + 0.6 * e
        truth = Truth(cloud(y, 1), Chances(tracked=True))
        energies.append(truth.scores(cloud(x, 0)).energy.value)
    assert abs(np.mean(energies)) < 3 * np.std(energies) / 10


def test_a_sentence_groups_what_it_says():
    shown = {name: name for name in "abc"}
    one = verdict("It", {"a": -1, "b": 0, "c": 0}, shown)
    assert one == "It beats a, cannot be told from b or c."
    all_lost = verdict("It", {"a": 1, "b": 1, "c": 1}, shown)
    assert all_lost == "It loses to every baseline: a, b and c."
    zero = Interval(0.0, -1.0, 1.0)
    assert Difference(zero, zero).sign == 0
