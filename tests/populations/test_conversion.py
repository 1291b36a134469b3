"""Units of a model and of the data."""

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.populations import Deviation, Mean
from wflow.populations.conversion import Units


RNG = np.random.default_rng(0)
TIMES = np.array([1952.0, 1957.0, 1967.0])
DATA = Snapshots(
    TIMES,
    [RNG.normal(size=(n, 2)) * [2.0, 0.1] + [30.0, 4.0] for n in (5, 6, 7)],
    [RNG.normal(size=(n, 2)) for n in (5, 6, 7)],
    masses=[1.0, 1.2, 1.5],
)


def _units(**changes):
    options = {"standardize": True, "origin": 1952.0, "unit": 5.0, "dtype": "float32"}
    return Units.of(DATA, **{**options, **changes})


def test_a_model_sees_standard_coordinates_and_its_own_clock():
    units = _units(dtype="float64")
    seen = units.to_model(DATA)
    pooled = np.concatenate(seen.clouds)
    np.testing.assert_allclose(pooled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(pooled.std(0), 1)
    np.testing.assert_array_equal(seen.times, [0.0, 1.0, 3.0])
    # A velocity is a length over a time: of both the unit changes.
    std = np.concatenate(DATA.clouds).std(0)
    np.testing.assert_allclose(seen.velocity(1), DATA.velocity(1) * 5 / std)
    np.testing.assert_array_equal(seen.masses, DATA.masses)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back(standardize, dtype):
    units = _units(standardize=standardize, dtype=dtype)
    seen = units.to_model(DATA)
    assert seen.dtype == dtype
    back = units.to_data(seen)
    np.testing.assert_allclose(back.times, TIMES)
    for k in range(3):
        np.testing.assert_allclose(back[k], DATA[k], rtol=2e-6)
        np.testing.assert_allclose(back.velocity(k), DATA.velocity(k), rtol=1e-5)
    assert units.to_data_time(units.to_model_time(1990.5)) == 1990.5
    again = Units(**units.plain)
    np.testing.assert_array_equal(again.std, units.std)
    assert again.plain == units.plain


def test_statistics_in_the_units_of_the_data():
    units = _units(dtype="float64")
    seen, even = units.to_model(DATA)[0], np.full(5, 0.2)
    for summary in (Mean(1), Deviation(0)):
        found = units.to_data_value(summary, np.array([summary(seen, even)]))
        np.testing.assert_allclose(found, [summary(DATA[0], even)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"std": [1.0, 0.0]}, "std > 0"),
        ({"std": [1.0]}, "mean and std of one shape"),
        ({"mean": [0.0, np.nan]}, "mean finite"),
        ({"unit": 0.0}, "unit > 0"),
        ({"origin": np.inf}, "origin finite"),
        ({"dtype": "float16"}, "dtype 'float32' or 'float64'"),
    ],
)
def test_units_that_are_none(changes, words):
    plain = {**_units().plain, **changes}
    with pytest.raises(ValueError, match=words):
        Units(**plain)
