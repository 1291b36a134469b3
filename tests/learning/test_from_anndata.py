"""Snapshots out of an AnnData in memory."""

import anndata
import numpy as np
import pandas as pd
import pytest

from wflow.learning import Snapshots


X = np.arange(12.0).reshape(6, 2)
OBS = {
    "day": pd.Categorical([2, 0, 2, 0, 0, 2]),
    "size": [3.0, 1, 3, 1, 1, 3],
    "stage": list("abcabc"),
}
DATA = anndata.AnnData(
    obs=pd.DataFrame(OBS, index=list("uvwxyz")), obsm={"X_pca": X, "X_b": X[:, :1]}
)


@pytest.mark.parametrize(
    ("masses", "expected"),
    [(None, None), ("size", [1, 3]), ("counts", [3, 3]), ([1, 2], [1, 2])],
)
def test_cells_are_gathered_by_their_time(masses, expected):
    found = Snapshots.from_anndata(DATA, time="day", masses=masses)
    np.testing.assert_array_equal(found.times, [0, 2])
    np.testing.assert_array_equal(found[0], X[[1, 3, 4]])
    np.testing.assert_array_equal(found[1], X[[0, 2, 5]])
    if expected is None:
        assert found.masses is None
    else:
        np.testing.assert_array_equal(found.masses, expected)
    assert Snapshots.from_anndata(DATA, time="day", representation="X_b").dim == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "hour"}, "time 'hour' in .obs, found day"),
        ({"time": "stage"}, "time 'stage' to hold numbers"),
        ({"time": "day", "representation": "X"}, "'X' in .obsm, found X_pca, X_b"),
        ({"time": "stage_of"}, "found day, size, stage"),
    ],
)
def test_names_that_are_not_there_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Snapshots.from_anndata(DATA, **options)


def test_masses_are_one_number_for_each_time():
    data = DATA.copy()
    data.obs["size"] = np.arange(6.0)
    with pytest.raises(ValueError, match="the same in all cells of a time"):
        Snapshots.from_anndata(data, time="day", masses="size")
    with pytest.raises(TypeError, match="expected an AnnData"):
        Snapshots.from_anndata(X, time="day")
