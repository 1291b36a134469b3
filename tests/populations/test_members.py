"""Laws of resampled cells, and of all batches but one, on motions that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import VelocityFlow
from wflow.learning import Fit, Snapshots, StraightPath
from wflow.populations import BestFit, fit_best
from wflow.populations._answers import Scene
from wflow.populations._batches import leave_batches_out
from wflow.populations._laws import VELOCITY, Matched
from wflow.populations._members import members, spread
from wflow.populations.conversion import Units
from wflow.studies.population._fates import fates


KEY = jax.random.key(0)
DRIFT = np.array([2.0, 0.0])


def _best(snapshots, fit):
    units = Units(np.zeros(2), np.ones(2), 0.0, 1.0, "float64")
    laws = {"between": VELOCITY.name}
    fits = {"between": fit}
    return BestFit(snapshots, None, None, 2, fits, laws, units, (), 0.0, {}, {})


def _matched(snapshots, steps=150):
    scene = Scene(snapshots, tuple(range(len(snapshots))), 2)
    options = {"between": True, "path": StraightPath(), "steps": steps}
    return Matched.to(VELOCITY, scene, padding=len(snapshots), key=KEY, **options).fit


def _drifting(count, seed=0):
    rng = np.random.default_rng(seed)
    clouds = [rng.normal(size=(count, 2)) + t * DRIFT for t in range(3)]
    return Snapshots(range(3), clouds)


def test_bands_are_those_of_student():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    deviation, reach = spread(values)
    np.testing.assert_allclose(deviation, np.sqrt(5 / 3))
    np.testing.assert_allclose(reach, 3.1824 * deviation, rtol=1e-4)


def test_fates_have_the_bands_of_their_members():
    """Laws that part cells at edges of their own: those far from all are sure."""
    x = np.stack([np.linspace(-1, 1, 20), np.zeros(20)], 1)
    ends = np.stack([np.repeat([-6.0, 6.0], 10), np.zeros(20)], 1)
    shots = Snapshots([0.0, 1.0], [x, ends])
    names = np.array(["start"] * 20 + ["left"] * 10 + ["right"] * 10)

    def law(edge):
        flow = VelocityFlow(lambda x, t: 8 * jnp.array([1.0, 0.0]) * (x[0] - edge))
        return _best(shots, Fit(flow, shots, (None, None), {}))

    found = fates(law(0.0), names, [law(edge) for edge in (-0.2, -0.1, 0.1, 0.2)])
    assert found is not None
    low, value, high = (
        found.columns[f"fate_left{end}"] for end in ("_low", "", "_high")
    )
    # Cells far from the edge have one fate by all laws, those beside it by some.
    sure = np.abs(x[:, 0]) > 0.3
    np.testing.assert_allclose(low[:20][sure], value[:20][sure])
    np.testing.assert_allclose(high[:20][sure], value[:20][sure])
    assert (high - low)[:20][~sure].max() > 0.5
    assert (low >= 0).all()
    assert (high <= 1).all()
    row = found.table["to"].index("left")
    assert found.table["mass"][row] == pytest.approx(0.5)
    assert found.table["mass_low"][row] < 0.5 < found.table["mass_high"][row]


def test_rates_that_are_known_give_masses():
    """Twice as many after a unit of time, four times after two."""
    x = np.random.default_rng(0).normal(size=(3, 12, 2))
    rates = [np.full(12, np.log(2.0))] * 3
    shots = Snapshots([0.0, 1.0, 2.0], x)
    two = fit_best(shots.take([0, 2]), key=KEY, growth=rates[:2])
    np.testing.assert_allclose(two.forecast([0.0, 1.0, 2.0]).masses, [1, 2, 4])
    with pytest.raises(ValueError, match="growth for each of 3 snapshots, found 2"):
        fit_best(shots, key=KEY, growth=rates[:2])


@pytest.mark.slow
def test_a_law_is_as_sure_as_its_cells_are_many():
    """The drift of resampled clouds has the error of a difference of two means."""
    errors = []
    for count in (40, 360):
        shots = _drifting(count)
        best = _best(shots, _matched(shots))
        found = members(best, 6, key=KEY)
        middle = np.zeros((1, 2))
        each = np.array([law.velocity(middle + DRIFT, 1.0)[0] for law in found])
        np.testing.assert_allclose(each.mean(0), DRIFT, atol=4 * (2 / count) ** 0.5)
        errors.append(spread(each)[0].mean())
    assert 1.5 < errors[0] / errors[1] < 8
    assert members(best, 6, key=KEY, seconds=0.0) == []


@pytest.mark.slow
def test_a_batch_that_goes_another_way_is_not_foretold_by_the_others():
    rng = np.random.default_rng(1)
    names = [["a"] * 40 + ["b"] * 40 + ["c"] * 40] * 3
    for turn, sign in ((1, -1), (-1, 1)):
        way = np.repeat([1.0, 1.0, turn], 40)[:, None] * DRIFT
        clouds = [rng.normal(size=(120, 2)) * 0.3 + t * way for t in range(3)]
        shots = Snapshots(range(3), clouds)
        found = leave_batches_out(_best(shots, _matched(shots)), names, 8, key=KEY)
        assert found is not None
        assert found.names == ("a", "b", "c")
        third = found.law[2] / found.still[2]
        assert third < 0.5 if turn == 1 else third > 1.5
        if turn == 1:
            assert found.difference.sign == sign
    few = [["a"] * 5 + ["b"] * 115] * 3
    assert leave_batches_out(_best(shots, _matched(shots)), few, 8, key=KEY) is None
