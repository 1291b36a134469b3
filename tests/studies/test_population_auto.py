"""What a choice by hold-outs says, on choices that somebody made up."""

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.learning.paired import Drawn
from wflow.populations import BestFit
from wflow.populations._contest import STILL, Contest, Standing
from wflow.populations.conversion import Units
from wflow.studies.population import _auto


NOISE = np.linspace(-1, 1, 400)
LAW = "first order, energy"


def _standing(name, w1, energy, learned=False):
    drawn = [Drawn(value, value + 0.1 * NOISE) for value in (w1, w1, energy)]
    return Standing(name, learned, *drawn, seconds=0.0)


def _best(*standings):
    x = np.random.default_rng(0).normal(size=(3, 20, 2))
    snapshots = Snapshots([0.0, 1.0, 2.0], x)
    units = Units(np.zeros(2), np.full(2, 2.0), 0.0, 1.0, "float32")
    contest = Contest.of(standings, [1.0])
    return BestFit(snapshots, contest, None, 2, {}, {}, units, (), 0.0, {}, {})


@pytest.mark.parametrize(
    ("w1", "energy", "said"),
    [
        (0.5, 0.2, f'"{LAW}", beats "{STILL}" (W1 -1 to -1, energy distance -0.6 to'),
        (1.0, 0.2, f'"{LAW}", cannot be told from "{STILL}" (W1 +0 to +0, energy'),
        (1.5, 0.9, f'"{LAW}", loses to "{STILL}" (W1 +1 to +1, energy distance +0.8'),
    ],
)
def test_a_law_beats_what_both_distances_tell_it_from(w1, energy, said):
    """In units of the data, of which the model's is two: their noise cancels."""
    best = _best(_standing(STILL, 1.0, 0.5), _standing(LAW, w1, energy, learned=True))
    assert best.between is not None
    assert said in _auto.judged(best, "day").remarks[-1]
    sign = {0.5: -1, 1.0: 0, 1.5: 1}[w1]
    assert best.between.sign(LAW, STILL) == sign
