"""What is found in a file before it is used."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest

from wflow.io import Keys, SnapshotFileError, read_snapshots
from wflow.io.look import look


ROWS = 60
T = np.repeat([0, 1, 2], ROWS // 3)
X = np.random.default_rng(0).normal(size=(ROWS, 2))


def _adata(**obs):
    index = [f"cell{k}" for k in range(ROWS)]
    data = anndata.AnnData(
        np.ones((ROWS, 4), "f4"), obs=pd.DataFrame({"day": T, **obs}, index=index)
    )
    data.obsm["X_umap"] = X
    data.obsm["X_pca"] = np.tile(X, 3)
    return data


KINDS = pd.Categorical(np.where(X[:, 0] > 0, "a", "b"))


@pytest.mark.filterwarnings("ignore:Writing zarr")
@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_anndata(tmp_path, suffix):
    path = tmp_path / f"cells.{suffix}"
    data = _adata(
        leiden=KINDS[::-1],
        cell_type=KINDS,
        donor=np.where(X[:, 1] > 0, "x", "y"),
        n_counts=X[:, 0],
        mass=1.5**T,
        barcode=[f"A{k}" for k in range(ROWS)],
    )
    data.obs["barcode"] = [f"A{k % 55}-{k}" for k in range(ROWS)]
    (data.write_h5ad if suffix == "h5ad" else data.write_zarr)(path)
    found = look(path)
    assert (found.time, found.positions, found.dim) == ("day", "X_pca", 6)
    assert found.counts == (20, 20, 20)
    assert found.times == (0, 1, 2)
    assert found.rows == ROWS
    assert found.annotations == {"leiden": 2, "cell_type": 2, "barcode": ROWS}
    assert found.annotation == "cell_type"
    assert found.batches == {"donor": 2}
    assert found.masses == "mass"
    left = dict(found.left_out)
    assert "for pictures" in left[".obsm 'X_umap'"]
    assert "single cells" in left[".obs 'n_counts'"]
    keys = Keys(time="day", positions="X_pca", masses="mass")
    read = read_snapshots(path, keys).snapshots
    assert read.sizes == (20, 20, 20)
    np.testing.assert_allclose(read.masses / read.masses[0], [1, 1.5, 2.25])
    assert look(path, representation="X_umap").dim == 2


def test_masses_that_differ_within_a_time_are_none(tmp_path):
    path = tmp_path / "cells.h5ad"
    _adata(mass=1 + np.arange(ROWS)).write_h5ad(path)
    found = look(path)
    assert found.masses is None
    assert "one number at each time" in dict(found.left_out)[".obs 'mass'"]
    with pytest.raises(SnapshotFileError, match="repeated in its rows"):
        read_snapshots(path, Keys(masses="mass"))


def test_genes_alone_are_refused_with_the_way_out(tmp_path):
    path = tmp_path / "cells.h5ad"
    data = _adata()
    data = anndata.AnnData(np.ones((ROWS, 300), "f4"), obs=data.obs)
    data.write_h5ad(path)
    with pytest.raises(SnapshotFileError, match="scanpy.pp.pca"):
        look(path)


FRAME = pd.DataFrame(
    {
        "name": [f"n{k}" for k in range(ROWS)],
        "hour": T,
        "x": X[:, 0],
        "y": X[:, 1],
        "cluster": 1 + (X[:, 0] > 0),
        "code": np.arange(ROWS) % 7,
        "batch": T % 2,
        "weight": 1.0,
        "group": KINDS,
    }
)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.csv", {}),
        ("a.csv", {"sep": ";", "decimal": ","}),
        ("a.tsv", {"sep": "\t"}),
        ("a.tsv.gz", {"sep": "\t"}),
    ],
)
def test_tables(tmp_path, name, options):
    path = tmp_path / name
    FRAME.to_csv(path, **options)
    found = look(path)
    assert (found.time, found.columns) == ("hour", ("x", "y"))
    assert found.weights == "weight"
    assert found.batches == {"batch": 2}
    assert found.annotations == {"group": 2, "cluster": 2, "name": ROWS}
    assert "whole numbers" in dict(found.left_out)["column 'code'"]
    read = read_snapshots(path, Keys(time="hour", columns=("x", "y"))).snapshots
    np.testing.assert_allclose(np.concatenate(read.clouds), X)


def test_velocities_of_a_table_and_a_time_that_is_named(tmp_path):
    path = tmp_path / "a.csv"
    frame = FRAME[["hour", "x", "y"]].assign(vx=1.5, vy=2.5, week=T + 1)
    frame.to_csv(path, index=False)
    with pytest.raises(SnapshotFileError, match="'hour', 'week'"):
        look(path)
    found = look(path, time="week")
    assert (found.time, found.times) == ("week", (1, 2, 3))
    assert (found.columns, found.velocities) == (("x", "y"), "v")
    assert dict(found.left_out) == {"column 'hour'": "another time"}


def test_a_cut_gz_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(FRAME.to_csv().encode())[:-20])
    with pytest.raises(SnapshotFileError, match=r"is not a whole \.gz file"):
        look(path)


def test_arrays(tmp_path):
    path = tmp_path / "a.npz"
    stacked = X.reshape(3, 20, 2)
    np.savez(path, x=stacked, v=stacked, t=[0.0, 1, 2], masses=[1, 2, 3], more=[1])
    found = look(path)
    assert (found.time, found.positions, found.dim) == ("t", "x", 2)
    assert (found.velocities, found.masses) == ("v", "masses")
    assert found.counts == (20, 20, 20)
    assert found.left_out == (("'more' of shape (1,)", "under no name that is known"),)


def test_what_a_parquet_needs_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        ModuleNotFoundError, match=r"pip install 'wflow-jax\[parquet\]'"
    ):
        look(tmp_path / "a.parquet")
