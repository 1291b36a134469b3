"""What held-out snapshots speak for, on data whose law is known."""

import functools

import jax
import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.learning.paired import Chances, Traced, Truth
from wflow.populations import _best_fit, _laws, fit_best
from wflow.populations._answers import Scene
from wflow.populations._best_fit import BEYOND, observed_velocity
from wflow.populations._contest import STILL
from wflow.populations._given import ordered


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


def test_components_of_more_cells_than_there_are_count_as_ordered():
    """Their variances fall all the same, in ranks; those of mixed columns do not."""
    falling = np.geomspace(60, 2, 40) * np.exp(0.15 * RNG.normal(size=40))
    uncentered = np.concatenate([[7.0], np.geomspace(44, 1, 49)])
    few, mixed = np.array([1.0, 3.0, 0.5]), RNG.permutation(falling)
    assert (falling[1:] > 1.2 * falling[:-1]).any()
    for variance, expected in (
        (falling, True),
        (uncentered, True),
        (few, False),
        (mixed, False),
        (np.ones(5), True),
    ):
        cloud = np.stack([-np.sqrt(variance), np.sqrt(variance)])
        assert ordered(Snapshots([0.0], [cloud])) is expected


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


def test_observed_velocities_are_those_of_near_points_in_place_and_time():
    places = np.repeat([[0.0, 0.0], [9.0, 0.0]], 6, axis=0)
    seen = Snapshots([0.0, 1.0, 2.0], [places] * 3)
    # Of those on the left the number of the snapshot, on the right ten more.
    rates = [k + 10 * (places > 0) for k in range(3)]
    at = lambda time: observed_velocity(seen, rates, places[[0, -1]] + 0.1, time)[:, 0]
    np.testing.assert_allclose(at(0.25), [0.25, 10.25])
    np.testing.assert_allclose(at(2.0), [2, 12])
    # Beyond the snapshots the velocities at the ends are all that is known.
    np.testing.assert_allclose(at(5.0), [2, 12])
    np.testing.assert_allclose(at(-1.0), [0, 10])


@pytest.mark.slow
@pytest.mark.parametrize("name", _best_fit.LAWS)
def test_every_law_answers_where_velocities_are_known(name):
    x = RNG.normal(size=(30, 2))
    v = np.broadcast_to([1.0, 0.0], x.shape)
    times = np.arange(4.0)
    seen = Snapshots(times, [x + t * v for t in times], [v] * 4)
    scene = Scene(seen, tuple(range(4)), 2)
    law = _best_fit.LAWS[name]
    options = {"path": None, "steps": 2, "padding": 4, "key": jax.random.key(0)}
    found = _laws.Matched.to(law, scene, between=True, **options)
    for time in (1.5, 3.5):
        assert np.isfinite(found(time).x).all()
    assert found.fit.kinetic == law.second


LAWS = {"wells": (wells, 0.35, 6), "spring": (spring, 0.3, 6)}


@functools.cache
def chosen(name):
    """What is chosen for a law, and a later snapshot that the choice has not seen."""
    law, gap, count = LAWS[name]
    rng = np.random.default_rng(0)
    times = gap * np.arange(count)
    seen = Snapshots(times, [law(rng, time) for time in times])
    found = fit_best(seen, key=jax.random.key(0), steps=300, questions=["beyond"])
    return found, law(rng, gap * count), gap * count


@pytest.mark.slow
def test_what_has_no_inertia_is_found_to_be_of_first_order():
    found, *_ = chosen("wells")
    assert found.beyond is not None
    assert found.beyond.winner.startswith("first order")
    assert found.fit is not None
    assert not found.fit.kinetic


@pytest.mark.slow
def test_what_has_inertia_is_not_said_to_stand_still():
    """A field of place and time can follow it too, and is often within the noise."""
    found, *_ = chosen("spring")
    assert found.beyond is not None
    scores = {each.name: each.w1.value for each in found.beyond.standings}
    (second,) = (w1 for name, w1 in scores.items() if name.startswith("second order"))
    assert second < 0.7 * scores[STILL]
    assert found.beyond.winner != STILL
    assert found.fit is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_halving_the_steps_changes_less_than_a_third_of_an_interval(name, monkeypatch):
    found, later, time = chosen(name)
    law = found.fit
    assert law is not None
    last = len(found.snapshots) - 1
    inner = found.units.to_model_time(time)
    truth = (later - found.units.mean) / found.units.std
    truth = Truth(Traced.of(truth, np.ones(len(truth)), last + 1), Chances())
    own, every = _laws.settled, tuple(range(last + 1))

    def forecast():
        x, w, _ = _laws.carried(law, last, inner, 1.0)
        return truth.scores(Traced.of(x, w, last))

    def finer(at, spread):
        levels = []
        own(lambda level: levels.append(level) or at(level), spread)
        return at(levels[-1] + 1)

    scores = forecast()
    monkeypatch.setattr(_laws, "settled", finer)
    again = forecast()
    # The narrowest interval that is printed: of the difference to another answer.
    for score in ("w1", "energy"):
        mine, twice = getattr(scores, score), getattr(again, score)
        widths = []
        for simple in BEYOND.values():
            cloud = simple(Scene(law.snapshots, every, 2))(inner)
            apart = mine.minus(getattr(truth.scores(cloud), score))
            widths.append(apart.high - apart.low)
        assert 0 < abs(twice.value - mine.value) < min(widths) / 3


def test_steps_are_halved_until_that_changes_nothing_that_tells():
    """Heun's method on x' = -20 x over one gap: eight steps leap over the minimum."""
    start, spread = np.linspace(1.0, 2.0, 100)[:, None], 2.0
    mass, seen = np.full(100, 0.01), []

    def at(level):
        seen.append(level)
        h = 20 / (8 * 2**level)
        factor = (1 - h + h**2 / 2) ** (8 * 2**level)
        return _laws.Arrived(start * factor, mass)

    found = _laws.settled(at, spread)
    assert seen == list(range(seen[-1] + 1))
    assert 2 <= seen[-1] < 6
    np.testing.assert_allclose(found.x, start * np.exp(-20), atol=1e-3)
    # What stands still takes one comparison, what never settles an end of steps.
    seen.clear()
    _laws.settled(lambda level: seen.append(level) or _laws.Arrived(start, mass), 1.0)
    assert seen == [0, 1]
    seen.clear()
    wild = lambda level: seen.append(level) or _laws.Arrived(start * level, mass)
    assert _laws.settled(wild, 1.0).x[0] == 6
    # Masses count as places do.
    seen.clear()
    heavier = lambda level: _laws.Arrived(start, mass * (1 + 4.0**-level))
    assert _laws.settled(heavier, 1.0).mass.sum() < 1.002
