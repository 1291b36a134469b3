"""Splits into training and test snapshots."""

import numpy as np
import pytest

from wflow.learning import Snapshots
from wflow.populations.protocols import forecast_split, interpolation_split


TIMES = np.arange(10.0) ** 1.5
SNAPSHOTS = Snapshots(TIMES, [np.full((3, 2), k) for k in range(10)])


@pytest.mark.parametrize(
    ("count", "fraction", "trained"),
    # Halves go to the even number: 2.5 trains 2, 3.5 trains 4.
    [(10, 0.91, 9), (10, 0.5, 5), (5, 0.5, 2), (7, 0.5, 4), (10, 0.01, 2)],
)
def test_forecast_by_fraction(count, fraction, trained):
    split = forecast_split(SNAPSHOTS.take(range(count)), fraction=fraction)
    assert [int(x[0, 0]) for x in split.train] == list(range(trained))
    assert [int(x[0, 0]) for x in split.test] == list(range(trained, count))


def test_forecast_by_number():
    split = forecast_split(SNAPSHOTS, held_out=3)
    np.testing.assert_array_equal(split.train.times, TIMES[:7])
    np.testing.assert_array_equal(split.test.times, TIMES[7:])
    assert split.gap == 1.0


@pytest.mark.parametrize(("time", "trained"), [(1.0, 2), (8.0, 5), (8.1, 5), (26.9, 9)])
def test_forecast_until_a_time(time, trained):
    split = forecast_split(SNAPSHOTS, until=time)
    np.testing.assert_array_equal(split.train.times, TIMES[:trained])
    np.testing.assert_array_equal(split.test.times, TIMES[trained:])


def test_interpolation():
    split = interpolation_split(SNAPSHOTS, [1, 3, 8])
    np.testing.assert_array_equal(split.train.times, TIMES[[0, 2, 4, 5, 6, 7, 9]])
    np.testing.assert_array_equal(split.test.times, TIMES[[1, 3, 8]])
    # Of all snapshots, not of those that train.
    assert split.gap == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 0.99}, "fraction 0.99 of 10 snapshots leaves none to test"),
        ({"fraction": 1.0}, r"fraction in \(0, 1\)"),
        ({"held_out": 0}, "held_out from 1 to 8"),
        ({"held_out": 9}, "held_out from 1 to 8"),
        ({"until": 0.9}, "until with two snapshots .* found 0.9"),
        ({"until": 27.0}, "until with two snapshots .* found 27"),
        ({"until": np.nan}, "until finite"),
        ({"held_out": 2, "fraction": 0.5}, "either fraction, held_out or until"),
        ({}, "either fraction, held_out or until"),
    ],
)
def test_forecast_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        forecast_split(SNAPSHOTS, **arguments)


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ([0], "indices from 1 to 9, found 0"),
        ([10], "indices from 1 to 9, found 10"),
        ([-1], "indices from 1 to 9, found -1"),
        ([2, 2], "different indices"),
        ([], "different indices"),
        (range(1, 10), "9 of 10 snapshots are held out"),
    ],
)
def test_interpolation_refuses(held_out, message):
    with pytest.raises(ValueError, match=message):
        interpolation_split(SNAPSHOTS, held_out)
