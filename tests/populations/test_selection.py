"""A choice by a held-out snapshot: of fits that are known beforehand."""

import dataclasses

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.learning.report import Report
from wflow.populations import select_model


SHIFT = np.array([2.0, -1.0])
BASE = np.random.default_rng(0).normal(size=(20, 2))
TIMES = [0.0, 1.0, 2.0, 3.0]
MOVING = Snapshots(TIMES, [BASE + t * SHIFT for t in TIMES])


@dataclasses.dataclass
class Drift:
    """Reaches every snapshot with a given error."""

    error: float
    train: Snapshots
    gap: float

    def report(self, test, *, start, substeps):
        scores = {
            "model": np.full(len(test), self.error),
            "persistence": np.full(len(test), 1.5),
        }
        assert start == "initial"
        assert substeps == 5
        return Report("", test.times, scores)


def _made(error):
    return lambda train, gap: Drift(error, train, gap)


@pytest.mark.parametrize(("held_out", "index"), [(-1, 3), (2, 2)])
def test_the_best_is_chosen_and_saw_nothing_of_the_held_out(held_out, index):
    candidates = {"bad": _made(2.0), "good": _made(1.0)}
    found = select_model(candidates, MOVING, held_out=held_out, start="initial")
    assert found.winner == "good"
    assert found.scores == {"bad": 2.0, "good": 1.0}
    assert found.baselines == {"persistence": 1.5}
    assert found.time == TIMES[index]
    for fitted in found.fits.values():
        assert TIMES[index] not in fitted.train.times
        assert len(fitted.train) == 3
        assert fitted.gap == 1.0
    assert "Chosen: good" in found.verdict
    assert "beats persistence (1.5)" in found.verdict


def test_a_winner_that_loses_to_a_baseline_says_so():
    found = select_model({"bad": _made(2.0)}, MOVING, start="initial")
    assert "loses to persistence" in found.verdict


def test_what_cannot_be_held_out():
    with pytest.raises(ValueError, match="at least one candidate"):
        select_model({}, MOVING)
    for index in (0, -4, 4):
        with pytest.raises(ValueError, match="from 1 to 3"):
            select_model({"a": _made(1.0)}, MOVING, held_out=index)
