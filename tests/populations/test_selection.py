"""A choice by a held-out snapshot: of fits that are known beforehand."""

import dataclasses

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.populations import select_model


RNG = np.random.default_rng(0)
SHIFT = np.array([2.0, -1.0])
BASE = RNG.normal(size=(40, 2))
TIMES = [0.0, 1.0, 2.0, 3.0]
MOVING = Snapshots(TIMES, [RNG.permutation(BASE + t * SHIFT) for t in TIMES])


@dataclasses.dataclass
class Drift:
    """Moves every point at one velocity, from the first snapshot."""

    velocity: np.ndarray
    train: Snapshots
    gap: float

    def forecast(self, times, start, *, substeps):
        assert start == "initial"
        assert substeps == 5
        return Snapshots(times, [self.train[0] + t * self.velocity for t in times])


def _made(velocity):
    return lambda train, gap: Drift(np.asarray(velocity), train, gap)


GOOD, BAD = _made(SHIFT), _made(-SHIFT)


@pytest.mark.parametrize(("held_out", "index"), [(-1, 3), (2, 2)])
def test_the_best_is_chosen_and_saw_nothing_of_the_held_out(held_out, index):
    candidates = {"bad": BAD, "good": GOOD}
    found = select_model(candidates, MOVING, held_out=held_out, start="initial")
    assert found.winner == "good"
    np.testing.assert_allclose(found.scores["good"], 0, atol=1e-12)
    far = 2 * index * np.hypot(*SHIFT)
    np.testing.assert_allclose(found.scores["bad"], far)
    np.testing.assert_allclose(found.baselines["persistence"], far / 2)
    assert found.time == TIMES[index]
    for fitted in found.fits.values():
        assert TIMES[index] not in fitted.train.times
        assert len(fitted.train) == 3
        assert fitted.gap == 1.0
    assert "Chosen: good" in found.verdict
    assert "beats persistence" in found.verdict


def test_of_two_that_answer_alike_the_first_is_chosen():
    candidates = {"bad": BAD, "simple": GOOD, "larger": GOOD}
    assert select_model(candidates, MOVING, start="initial").winner == "simple"


def test_a_winner_that_loses_to_a_baseline_says_so():
    found = select_model({"bad": BAD}, MOVING, start="initial")
    assert "loses to every baseline: persistence" in found.verdict


def test_what_cannot_be_held_out():
    with pytest.raises(ValueError, match="at least one candidate"):
        select_model({}, MOVING)
    for index in (0, -4, 4):
        with pytest.raises(ValueError, match="from 1 to 3"):
            select_model({"a": GOOD}, MOVING, held_out=index)
