"""Cells pushed and pulled by a law that is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import GrowthFlow, VelocityFlow
from wflow.learning import Fit, Snapshots
from wflow.populations import ancestors, descendants


RNG = np.random.default_rng(0)
LEFT = RNG.normal(size=(30, 2)) * 0.1 - [1, 0]
RIGHT = RNG.normal(size=(10, 2)) * 0.1 + [1, 0]
START = np.concatenate([LEFT, RIGHT])
END = START * [2.0, 1.0]
LABELS = [["early"] * 40, ["left"] * 30 + ["right"] * 10]


def _fit(flow, masses=None):
    snapshots = Snapshots([0.0, 1.0], [START, END], None, None, masses)
    return Fit(flow, snapshots, (None, None), {})


def _stretch(x, t):
    """exp(t log 2) along the first axis: twice as far after one unit of time."""
    del t
    return x * jnp.asarray([np.log(2.0), 0.0])


def test_types_are_pushed_and_pulled():
    fitted = _fit(VelocityFlow(_stretch))
    later = descendants(fitted, LABELS, 0, 1, neighbors=5)
    assert later.types == ("early", "left", "right")
    np.testing.assert_allclose(later.cells[:30], np.tile([0, 1, 0], (30, 1)))
    np.testing.assert_allclose(later.mass[0], [0, 0.75, 0.25])
    np.testing.assert_allclose(later.mass[1:], 0)
    sides = [["l"] * 30 + ["r"] * 10, ["x"] * 40]
    before = ancestors(fitted, sides, 0, 1, neighbors=5)
    np.testing.assert_allclose(before.cells[30:], np.tile([0, 1, 0], (10, 1)))
    np.testing.assert_allclose(before.mass[:, 2], [0.75, 0.25, 0])


def test_what_grows_has_more_descendants():
    # The right side doubles in a unit of time, the left one stays as it is.
    rate = GrowthFlow(lambda x, t: jnp.where(x[0] > 0, np.log(2.0), 0.0))
    fitted = _fit(VelocityFlow(_stretch) + rate, [1.0, 1.25])
    later = descendants(fitted, LABELS, 0, 1, neighbors=5)
    np.testing.assert_allclose(later.mass[0], [0, 0.75, 0.5], atol=1e-3)


@pytest.mark.parametrize(
    ("labels", "start", "end", "words"),
    [
        ([["a"] * 40, ["b"] * 39], 0, 1, "labels of 40, 40 cells"),
        (LABELS, 1, 1, "start before end"),
    ],
)
def test_labels_and_snapshots_have_to_fit(labels, start, end, words):
    with pytest.raises(ValueError, match=words):
        descendants(_fit(VelocityFlow(_stretch)), labels, start, end)
