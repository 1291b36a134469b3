"""Snapshots from data frames, masked arrays, dates and other kinds of arrays."""

import datetime

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from wflow.learning import Snapshots


X = np.arange(8.0).reshape(4, 2)


def frame(order, x=X):
    return pd.DataFrame(x, columns=["a", "b"])[list(order)]


@pytest.mark.parametrize("orders", [("ab", "ba"), ("ba", "ab"), ("ba", "ba")])
def test_columns_take_the_order_of_the_first(orders):
    first, second = Snapshots([0, 1], [frame(order) for order in orders])
    expected = X if orders[0] == "ab" else X[:, ::-1]
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second, expected)


def test_columns_of_velocities_too():
    clouds = [frame("ab")] * 2
    moving = Snapshots([0, 1], clouds, [frame("ab"), frame("ba")])
    np.testing.assert_array_equal(moving.velocity(1), X)
    with pytest.raises(ValueError, match=r"velocities 1 .* index"):
        Snapshots([0, 1], clouds, [frame("ab"), frame("ab").iloc[::-1]])


@pytest.mark.parametrize(
    ("columns", "found"), [(["a", "c"], "a, c"), (["a", "b", "c"], "a, b, c")]
)
def test_other_columns_are_refused(columns, found):
    other = pd.DataFrame(np.ones((4, len(columns))), columns=columns)
    with pytest.raises(ValueError, match=f"columns of all clouds .* a, b, .*{found}"):
        Snapshots([0, 1], [frame("ab"), other])
    twice = pd.DataFrame(X, columns=["a", "a"])
    with pytest.raises(ValueError, match="columns of different names"):
        Snapshots([0], [twice])


@pytest.mark.parametrize("kind", [float, np.float32, int])
@pytest.mark.parametrize("hidden", [0, 3])
def test_masked_rows_are_left_out(kind, hidden):
    mask = np.zeros_like(X, bool)
    mask[hidden] = True
    cloud = np.ma.masked_array(X.astype(kind), mask)
    np.testing.assert_array_equal(
        Snapshots([0], [cloud])[0], np.delete(X, hidden, axis=0)
    )
    mask[hidden, 1] = False
    with pytest.warns(UserWarning, match="1 of 4 rows of snapshot 0"):
        Snapshots([0], [np.ma.masked_array(X.astype(kind), mask)])


def test_missing_entries_of_frames_count_as_nan():
    cloud = pd.DataFrame({"a": [1, None, 3], "b": [4, 5, 6]}, dtype="Int64")
    with pytest.warns(UserWarning, match="1 of 3 rows"):
        np.testing.assert_array_equal(Snapshots([0], [cloud])[0], [[1, 4], [3, 6]])


@pytest.mark.parametrize(
    ("times", "days"),
    [
        (pd.to_datetime(["2024-01-01", "2024-01-02", "2024-03-01"]), [0, 1, 60]),
        (np.array(["2024-02-28", "2024-02-29", "2024-03-01"], "M8[D]"), [0, 1, 2]),
        (np.array(["2024-01", "2024-02", "2024-03"], "M8[M]"), [0, 31, 60]),
        ([datetime.date(2024, 1, k) for k in (1, 2, 4)], [0, 1, 3]),
        (pd.to_datetime(["2024-01-01T00", "2024-01-01T12"], utc=True), [0, 0.5]),
        (pd.to_timedelta([12, 24, 48], unit="h"), [0.5, 1, 2]),
        (np.array([1, 2], "m8[W]"), [7, 14]),
    ],
)
def test_dates_become_days(times, days):
    snapshots = Snapshots(times, [X] * len(days))
    np.testing.assert_array_equal(snapshots.times, days)


@pytest.mark.parametrize(
    ("clouds", "message"),
    [
        ([scipy.sparse.csr_matrix(X)], r"sparse csr_matrix; pass value.toarray\(\)"),
        ({0: X}, r"clouds .* dict; pass list\(clouds.values\(\)\)"),
        ([{0: X}], "clouds to be a number or an array"),
        ([X.astype(str)], "clouds to be a number"),
        ([pd.DataFrame({"a": ["p", "q"], "b": [1, 2]})], "clouds to be a number"),
        (frame("ab"), "sequence of arrays"),
        ("ab", "sequence of arrays"),
        ([[[1, 2], [3]]], "rows of unequal length"),
        ([None], "clouds to be a number"),
        (None, "clouds to be a sequence"),
    ],
)
def test_what_is_no_number_is_refused(clouds, message):
    with pytest.raises(TypeError, match=message):
        Snapshots([0], clouds)


def test_numbers_in_other_arrays_are_taken():
    np.testing.assert_array_equal(Snapshots([0], [X.astype(object)])[0], X)
    assert Snapshots([0], [X.astype("f2")]).dtype == np.float32
    assert Snapshots([0], [X.astype(np.longdouble)]).dtype == np.float64
    with pytest.raises(ValueError, match="clouds of real numbers, found complex"):
        Snapshots([0], [X + 1j])


def test_a_missing_date_is_refused():
    with pytest.raises(ValueError, match="finite times"):
        Snapshots(pd.to_datetime(["2024-01-01", None]), [X, X])
