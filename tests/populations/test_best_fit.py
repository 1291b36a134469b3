"""What held-out snapshots speak for, on data whose law is known."""

import jax
import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.populations import fit_best
from wflow.populations._contest import STILL


RNG = np.random.default_rng(0)
QUICK = {"key": jax.random.key(0), "steps": 300}


def test_two_snapshots_are_joined_by_lines_which_nothing_chose():
    x = RNG.normal(size=(40, 2))
    ends = Snapshots([0.0, 2.0], [x, x + [3.0, 0.0]])
    found = fit_best(ends, **QUICK)
    assert found.between is None
    assert not found.moves
    middle = found.forecast([1.0])
    np.testing.assert_allclose(middle.weight(0) @ middle[0], x.mean(0) + [1.5, 0.0])
    source, row = found.origins(1.0)
    assert set(source) == {0, 1}
    assert row.max() < 40
    # Beyond, nothing says that it goes on.
    np.testing.assert_allclose(found.forecast([5.0])[0], x + [3.0, 0.0])


@pytest.mark.slow
def test_large_clouds_are_said_to_be_thinned():
    x = RNG.normal(size=(2001, 1))
    found = fit_best(Snapshots([0.0, 1.0], [x, x + 1]), **QUICK)
    assert "more than 2000 points are scored by as many" in found.reasons[0]


@pytest.mark.slow
def test_samples_of_one_law_do_not_move():
    sizes = (150, 90, 200, 120)
    clouds = [RNG.normal(size=(n, 3)) for n in sizes]
    found = fit_best(Snapshots(range(4), clouds), **QUICK)
    assert found.between is not None
    assert found.between.winner == STILL
    assert found.beyond is not None
    assert found.beyond.winner == STILL
    assert found.fit is None
    assert "nothing moves" in str(found)


def wells(rng, time):
    """A double well in one coordinate and a bowl in the other, of first order."""
    x = rng.normal(size=(150, 2)) * [0.5, 1.0] + [0.1, 2.5]
    for _ in range(round(time / 0.01)):
        x -= 0.01 * np.stack([2 * x[:, 0] * (x[:, 0] ** 2 - 1), x[:, 1]], 1)
    return x


def spring(rng, time):
    """A damped oscillator that is kicked aside, of second order."""
    x = rng.normal(size=(150, 2)) * 0.25 + [2.0, 0.0]
    v = rng.normal(size=(150, 2)) * 0.1 + [0.0, 3.0]
    for _ in range(round(time / 0.01)):
        v += 0.01 * (-4 * x - 0.5 * v)
        x += 0.01 * v
    return x


def chosen(law, gap, count):
    rng = np.random.default_rng(0)
    times = gap * np.arange(count)
    seen = Snapshots(times, [law(rng, time) for time in times])
    return fit_best(seen, key=jax.random.key(0), steps=300, questions=["beyond"])


@pytest.mark.slow
def test_what_has_no_inertia_is_found_to_be_of_first_order():
    found = chosen(wells, 0.35, 6)
    assert found.beyond is not None
    assert found.beyond.winner.startswith("first order")
    assert found.fit is not None
    assert not found.fit.kinetic


@pytest.mark.slow
def test_what_has_inertia_is_not_said_to_stand_still():
    """A field of place and time can follow it too, and is often within the noise."""
    found = chosen(spring, 0.3, 6)
    assert found.beyond is not None
    scores = {each.name: each.w1.value for each in found.beyond.standings}
    (second,) = (w1 for name, w1 in scores.items() if name.startswith("second order"))
    assert second < 0.7 * scores[STILL]
    assert found.beyond.winner != STILL
    assert found.fit is not None
