"""Columns, times and sizes of files: read as they are meant, or refused."""

import io
import zipfile

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from wflow.io import Keys, SnapshotFileError, read_snapshots, write_snapshots
from wflow.io.cells import Moved, load_cells, read_cells, save_cells
from wflow.learning import Snapshots


ROWS = 80
T = np.repeat(np.arange(4), ROWS // 4)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 2))
STACKED = X.reshape(4, 20, 2)


def _frame(**more):
    return pd.DataFrame({"t": T, "x": X[:, 0], "y": X[:, 1], **more})


def _csv(folder, frame, keys=None, **options):
    path = folder / "data.csv"
    frame.to_csv(path, **{"index": False, **options})
    return read_snapshots(path, keys or Keys())


def _npz(folder, keys=None, **arrays):
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return read_snapshots(path, keys or Keys())


def _adata(obs, **obsm):
    index = [f"cell{k}" for k in range(ROWS)]
    return anndata.AnnData(
        np.ones((ROWS, 3), "f4"),
        obs=pd.DataFrame(obs, index=index),
        obsm={"X_pca": X, **obsm},
    )


def _h5ad(folder, obs, keys=None, **obsm):
    path = folder / "data.h5ad"
    _adata(obs, **obsm).write_h5ad(path)
    return read_snapshots(path, keys or Keys())


def _refused(call, *words):
    with pytest.raises(SnapshotFileError) as caught:
        call()
    text = str(caught.value)
    assert "data." in text.partition(":")[0]
    assert len(text) < 400
    for word in words:
        assert word in text


# ------------------------------------------------------------------ columns


@pytest.mark.parametrize("label", [None, "Unnamed: 0", "cell_number"])
def test_row_numbers_are_left_out_with_a_word(tmp_path, label):
    with pytest.warns(UserWarning, match="is left out"):
        found = _csv(tmp_path, _frame(), index=True, index_label=label)
    assert found.layout.columns == ("x", "y")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("batch", np.arange(ROWS) % 4),
        ("leiden", RNG.permutation(ROWS)),
        ("n_counts", RNG.integers(0, 9000, ROWS)),
        ("cell_id", RNG.random(ROWS)),
        ("k", np.arange(ROWS) % 3),
        ("hours", np.tile([1, 2], ROWS // 2)),
        ("dpt_pseudotime", RNG.random(ROWS)),
    ],
)
def test_columns_that_may_be_no_coordinates_are_asked_for(tmp_path, name, values):
    time = "day" if name == "hours" else "t"
    frame = _frame(**{name: values}).rename(columns={"t": time})
    _refused(lambda: _csv(tmp_path, frame), repr(name), "data.keys.")
    found = _csv(tmp_path, frame, Keys(time=time, columns=("y", "x"))).snapshots
    np.testing.assert_array_equal(found[0], X[:20, ::-1])
    if name != "hours":
        taken = _csv(tmp_path, frame, Keys(columns=("x", name))).snapshots
        np.testing.assert_array_equal(taken[0][:, 1], values[:20])


def test_whole_numbers_alone_are_coordinates(tmp_path):
    frame = pd.DataFrame({"t": T, "a": T % 3 + X[:, 0].round(), "b": X[:, 1].round()})
    assert _csv(tmp_path, frame).layout.columns == ("a", "b")


@pytest.mark.parametrize("prefix", ["v_", "vel_", "velocity_", "v"])
def test_velocity_columns(tmp_path, prefix):
    found = _csv(tmp_path, _frame(**{prefix + "x": X[:, 1], prefix + "y": X[:, 0]}))
    np.testing.assert_array_equal(found.snapshots.velocity(0), X[:20, ::-1])
    again = read_snapshots(write_snapshots(tmp_path / "again.csv", *found))
    np.testing.assert_array_equal(again.snapshots.velocity(0), X[:20, ::-1])


def test_a_feature_that_is_nan_everywhere_is_named(tmp_path):
    _refused(lambda: _csv(tmp_path, _frame(z=np.nan)), "'z'", "nan in every row")
    x = np.column_stack([X, np.full(ROWS, np.nan)])
    _refused(lambda: _npz(tmp_path, x=x, t=T), "coordinates 2 of 'x'")
    _refused(lambda: _h5ad(tmp_path, {"day": T}, X_pca=x), "coordinates 2 of 'X_pca'")


# -------------------------------------------------------------------- times


@pytest.mark.parametrize("name", ["days", "ts", "hours", "Time", "sampling_day", "hpf"])
def test_names_that_say_time(tmp_path, name):
    t = [0.0, 1.0, 10.0, 12.0]
    np.testing.assert_array_equal(
        _npz(tmp_path, positions=STACKED, **{name: t}).snapshots.times, t
    )
    for read in (
        lambda: _npz(tmp_path, x=X, **{name: T}),
        lambda: _csv(tmp_path, _frame().rename(columns={"t": name})),
        lambda: _h5ad(tmp_path, {name: T, "latent_time": RNG.random(ROWS)}),
    ):
        found = read()
        assert found.layout.time == name
        np.testing.assert_array_equal(found.snapshots.times, np.arange(4))


def test_an_array_that_may_be_the_times_is_asked_for(tmp_path):
    _refused(lambda: _npz(tmp_path, positions=STACKED, when=[0, 1, 4, 9]), "'when'")
    # Masses are none, and neither is what does not rise.
    found = _npz(tmp_path, positions=STACKED, masses=[1, 2, 3, 5], order=[2, 1, 0, 3])
    np.testing.assert_array_equal(found.snapshots.times, np.arange(4))
    np.testing.assert_array_equal(found.snapshots.masses, [1, 2, 3, 5])
    again = write_snapshots(tmp_path / "again.npz", *found)
    np.testing.assert_array_equal(read_snapshots(again).snapshots.masses, [1, 2, 3, 5])


def test_two_clocks(tmp_path):
    other = np.tile([8, 12], ROWS // 2)
    _refused(lambda: _csv(tmp_path, _frame(time=other)), "'t'", "'time'")
    _refused(lambda: _npz(tmp_path, x=X, t=T, day=other), "'t'", "'day'")
    _refused(lambda: _h5ad(tmp_path, {"day": T, "hours": other}), "'day'", "'hours'")
    assert _h5ad(tmp_path, {"day": T, "year": 2021}).layout.time == "day"
    with pytest.warns(UserWarning, match="'year' says nothing"):
        found = _csv(tmp_path, _frame(year=2021))
    assert found.layout.columns == ("x", "y")
    with pytest.warns(UserWarning, match="'time' says nothing"):
        assert _csv(tmp_path, _frame(time=T)).layout.columns == ("x", "y")


def test_samples_are_the_time_only_where_nothing_else_may_be(tmp_path):
    obs = {"samples": np.tile([1, 2], ROWS // 2), "stage": T}
    _refused(lambda: _h5ad(tmp_path, obs), "'samples'", "'stage'")
    _refused(lambda: _npz(tmp_path, x=X, sample_labels=T, cluster=T % 2), "'cluster'")
    obs = {"sample_labels": T, "n_counts": RNG.random(ROWS)}
    assert _h5ad(tmp_path, obs).layout.time == "sample_labels"


@pytest.mark.parametrize(
    "label", ["{}_1", "2021_01_1{}", "{}E5", "{}e1", "batch{}", "day-{}", "D{}_1"]
)
def test_labels_that_are_no_numbers(tmp_path, label):
    t = [label.format(k + 1) for k in T]
    for read in (
        lambda: _csv(tmp_path, _frame(t=t)),
        lambda: _npz(tmp_path, x=X, t=np.array(t)),
        lambda: _h5ad(tmp_path, {"day": pd.Categorical(t)}),
    ):
        _refused(read, repr(t[0]), "numbers", "data.keys.time")


@pytest.mark.parametrize(
    ("label", "times"),
    [
        ("D{}", [0, 1, 2, 3]),
        ("day {}", [0, 1, 2, 3]),
        ("Day_{}", [0, 1, 2, 3]),
        ("E{}.5", [0.5, 1.5, 2.5, 3.5]),
        ("1{}hpf", [10, 11, 12, 13]),
        ("{} h", [0, 1, 2, 3]),
        ("{}e-05", [0, 1e-5, 2e-5, 3e-5]),
        ("-{}", [-3, -2, -1, 0]),
    ],
)
def test_labels_with_one_unit(tmp_path, label, times):
    t = [label.format(k) for k in T]
    for read in (
        lambda: _csv(tmp_path, _frame(t=t)),
        lambda: _npz(tmp_path, x=X, t=np.array(t)),
        lambda: _h5ad(tmp_path, {"day": pd.Categorical(t)}),
    ):
        np.testing.assert_array_equal(read().snapshots.times, times)


def test_other_times_are_refused(tmp_path):
    dates = pd.to_datetime("2024-01-01") + pd.to_timedelta(T, "D")
    _refused(lambda: _csv(tmp_path, _frame(t=dates)), "date", "2024-01-01")
    _refused(lambda: _npz(tmp_path, x=X, t=dates.to_numpy()), "date", "2024-01-01")
    _refused(lambda: _h5ad(tmp_path, {"day": T > 1}), "'day'", "bool")
    _refused(lambda: _csv(tmp_path, _frame(t=np.where(T, T, np.nan))), "20 of 80")
    mixed = np.where(T, np.char.add("D", T.astype(str)), "0")
    _refused(lambda: _csv(tmp_path, _frame(t=mixed)), "'D1'")


def test_a_pseudotime_makes_no_snapshots(tmp_path):
    pseudo = RNG.random(ROWS)
    _refused(lambda: _csv(tmp_path, _frame(t=pseudo)), "80 distinct", "pseudotime")
    _refused(lambda: _npz(tmp_path, x=X, t=pseudo.round(3)), "distinct times")
    _refused(lambda: _h5ad(tmp_path, {"time": pseudo}), "distinct times")


@pytest.mark.parametrize("one", [0.3, 0.7, 3.3, 1e6 + 0.1])
def test_times_that_differ_by_rounding_are_one(tmp_path, one):
    t = np.choose(T, [0.0, one, np.nextafter(one, np.inf), 2 * one])
    found = _npz(tmp_path, x=X, t=t).snapshots
    assert found.sizes == (20, 40, 20)
    np.testing.assert_array_equal(found[1], X[20:60])


def test_times_that_all_but_coincide_are_refused(tmp_path):
    near = np.choose(T, [0.0, 1e-8, 1.0, 2.0])
    _refused(lambda: _csv(tmp_path, _frame(t=near)), "0.0 and 1e-08", "coincide")
    _refused(lambda: _npz(tmp_path, positions=STACKED, t=near[::20]), "coincide")


def test_epoch_seconds_are_times(tmp_path):
    t = 1.7e9 + 86_400 * T
    np.testing.assert_array_equal(_csv(tmp_path, _frame(t=t)).snapshots.times, t[::20])


# ------------------------------------------------------------- tables of text


@pytest.mark.parametrize(
    "options",
    [
        {"sep": ";"},
        {"sep": "\t"},
        {"sep": "|"},
        {"sep": " "},
        {"sep": ";", "decimal": ","},
        {"encoding": "utf-16"},
        {"encoding": "utf-8-sig", "lineterminator": "\r\n"},
    ],
)
def test_separators_and_encodings(tmp_path, options):
    found = _csv(tmp_path, _frame(t=T / 2), **options).snapshots
    np.testing.assert_array_equal(found.times, [0, 0.5, 1, 1.5])
    np.testing.assert_array_equal(np.concatenate(found.clouds), X)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"sep": ":"}, "separated by"),
        ({"header": False}, "header"),
        ({"encoding": "utf-16-le"}, "UTF-8"),
        ({"encoding": "latin-1"}, "UTF-8"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, options, word):
    frame = _frame()
    if options.get("encoding") == "latin-1":
        frame = frame.rename(columns={"x": "größe"})
    _refused(lambda: _csv(tmp_path, frame, **options), word)


def test_empty_cells_are_padding_or_left_out(tmp_path):
    frame = _frame()
    frame.loc[3, ["x", "y"]] = np.nan
    assert _csv(tmp_path, frame).snapshots.sizes == (19, 20, 20, 20)
    frame.loc[30, "x"] = np.nan
    with pytest.warns(UserWarning, match="1 of 20 rows of snapshot 1"):
        assert _csv(tmp_path, frame).snapshots.sizes == (19, 19, 20, 20)


def test_a_wide_table_takes_time_in_proportion(tmp_path):
    header = ",".join(["t", *(f"g{k}" for k in range(30_000))])
    body = "\n".join(f"{k}," + ",".join(["0.5"] * 30_000) for k in range(3))
    (tmp_path / "data.csv").write_text(f"{header}\n{body}\n")
    assert read_snapshots(tmp_path / "data.csv").snapshots.dim == 30_000


# -------------------------------------------------------------------- arrays


def test_names_of_arrays(tmp_path):
    found = _npz(tmp_path, X=X, ts=T, vel=2 * X)
    np.testing.assert_array_equal(found.snapshots.velocity(0), 2 * X[:20])
    with pytest.warns(UserWarning, match="'delta', of the shape of 'x', is not read"):
        assert _npz(tmp_path, x=X, t=T, delta=X).snapshots.velocities is None
    np.testing.assert_array_equal(
        _h5ad(tmp_path, {"day": T}, velocity_pca=-X).snapshots.velocity(0), -X[:20]
    )
    _refused(lambda: _npz(tmp_path, x=X, positions=X, t=T), "'x'", "'positions'")
    _refused(lambda: _npz(tmp_path, x=X, t=T, masses=np.ones(ROWS)), "4 masses")
    assert _npz(tmp_path, x=X, t=T[:, None]).snapshots.sizes == (20,) * 4


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_sparse_coordinates(tmp_path, kind):
    sparse = getattr(scipy.sparse, f"{kind}_matrix")(X)
    found = _h5ad(tmp_path, {"day": T}, X_pca=sparse).snapshots
    np.testing.assert_array_equal(np.concatenate(found.clouds), X)
    scipy.sparse.save_npz(tmp_path / "data.npz", sparse)
    _refused(lambda: read_snapshots(tmp_path / "data.npz"), "sparse")


def test_genes_are_read_where_they_are_asked_for(tmp_path):
    assert _h5ad(tmp_path, {"day": T}, Keys(positions="X")).snapshots.dim == 3
    assert _h5ad(tmp_path, {"day": T}).snapshots.dim == 2


def test_more_than_the_limit_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / "data.npz", x=np.zeros((200_000, 50), "f4"))
    _csv(tmp_path, _frame())
    with h5py.File(tmp_path / "data.h5ad", "w") as file:
        _adata({"day": T}).write_h5ad(tmp_path / "cells.h5ad")
        with h5py.File(tmp_path / "cells.h5ad") as cells:
            cells.copy("obs", file)
        # A claim, with nothing behind it.
        file.create_group("obsm").create_dataset(
            "X_pca", shape=(10**9, 50), dtype="f8", chunks=(1000, 50)
        )
    for name, limit in (("npz", 10**6), ("csv", 1000), ("h5ad", 2**31)):
        path = tmp_path / f"data.{name}"
        with pytest.raises(SnapshotFileError, match="more than max_bytes"):
            read_snapshots(path, max_bytes=limit, in_memory=True)


def test_headers_that_claim_more_than_there_is(tmp_path):
    header = io.BytesIO()
    described = {"descr": "<f8", "fortran_order": False, "shape": (10**10, 2)}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"0000")
    _refused(lambda: read_snapshots(tmp_path / "data.npz"), "not a readable")


def test_foreign_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("positions", "1 2 3")
    _refused(lambda: read_snapshots(tmp_path / "data.npz"), "not a readable .npz")
    with h5py.File(tmp_path / "data.h5ad", "w") as file:
        file["a"] = np.arange(3)
    _refused(lambda: read_snapshots(tmp_path / "data.h5ad"), "expected obs and obsm")
    with h5py.File(tmp_path / "data.h5ad", "w") as file:
        file.create_group("obs")
        file["obsm/X_pca"] = X
    _refused(lambda: read_snapshots(tmp_path / "data.h5ad"), ".obs")


@pytest.mark.parametrize("suffix", ["npz", "h5ad"])
def test_damaged_files_end_in_a_sentence(tmp_path, suffix):
    path = write_snapshots(
        tmp_path / f"data.{suffix}", Snapshots([0, 1], X[None][[0, 0]])
    )
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    sentences = []
    for _ in range(60):
        spoiled = bytearray(whole)
        for place in rng.integers(len(whole), size=12):
            spoiled[place] = rng.integers(256)
        path.write_bytes(spoiled[: rng.integers(len(whole) // 2, len(whole) + 1)])
        try:
            read_snapshots(path)
        except SnapshotFileError as error:
            sentences.append(str(error))
    assert len(sentences) > 20
    assert max(map(len, sentences)) < 400


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "data.csv").mkdir()
    _refused(lambda: read_snapshots(tmp_path / "data.csv"), "found a folder")


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    snapshots = Snapshots([0, 1], np.zeros((2, 3, 2)))
    (tmp_path / "data.csv").mkdir()
    _refused(lambda: write_snapshots(tmp_path / "data.csv", snapshots), "be written")
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


# --------------------------------------------------------------------- cells


def _cells(folder, scale=1.0):
    """Cells whose genes are an affine function of their components."""
    order = RNG.permutation(ROWS)
    kind = np.where(X[:, 0] > 0, "a", "b")
    made = _adata({"day": T[order], "kind": kind, "depth": X[:, 1]}, X_umap=2 * X)
    loadings, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 2)))
    genes = 3 + scale * X @ loadings.T
    made = anndata.AnnData(genes, made.obs, obsm=dict(made.obsm))
    made.varm["PCs"] = loadings
    made.var_names = [f"gene{k}" for k in range(5)]
    made.write_h5ad(folder / "data.h5ad")
    snapshots, layout = read_snapshots(folder / "data.h5ad")
    shuffled = Snapshots(snapshots.times, [RNG.permutation(x) for x in snapshots])
    return made, shuffled, layout


def test_forecasts_have_start_cells_labels_and_genes(tmp_path):
    made, shuffled, layout = _cells(tmp_path)
    cells = read_cells(tmp_path / "data.h5ad", layout, shuffled)
    velocity = {"velocity_pca": -cells.obsm["X_pca"]}
    rate = {"growth_rate": np.arange(ROWS)}
    save_cells(tmp_path / "kept.h5ad", cells, velocity, rate, {"seed": 0})
    kept = anndata.read_h5ad(tmp_path / "kept.h5ad")
    np.testing.assert_array_equal(kept.obsm["X_umap"], 2 * kept.obsm["X_pca"])
    assert kept.uns["wflow"]["seed"] == 0
    assert list(kept.obs["growth_rate"]) == list(range(ROWS))
    rows, x = np.arange(60, 80), 10 * shuffled[3]
    loaded = load_cells(tmp_path / "kept.h5ad")
    moved = loaded.forecast(layout, [4.0], [Moved(x, rows)])
    clouds = Snapshots([4], [x])
    path = write_snapshots(tmp_path / "f.h5ad", clouds, layout, cells=moved)
    found = anndata.read_h5ad(path)
    source = made[found.obs["source"].astype(str)]
    np.testing.assert_allclose(found.obsm["X_pca"], 10 * source.obsm["X_pca"])
    assert (found.obs["source_day"] == 3).all()
    assert "depth" in found.obs
    assert "growth_rate" not in found.obs
    assert (found.obs["day"] == 4).all()
    # Far out, neighbors are of the kind of that side.
    far = np.abs(x[:, 0]) > 6
    side = np.where(x[:, 0] > 0, "a", "b")
    assert (found.obs["kind"].astype(str) == side)[far].all()
    share = found.obs["kind_confidence"]
    assert ((share > 0.4) & (share <= 1)).all()
    assert list(found.var_names) == list(made.var_names)
    np.testing.assert_allclose(found.X, 3 + x @ made.varm["PCs"].T, rtol=1e-5)


def test_genes_that_components_were_not_made_of_bring_nothing_back(tmp_path):
    _, shuffled, layout = _cells(tmp_path, scale=3.0)
    cells = read_cells(tmp_path / "data.h5ad", layout, shuffled)
    rows = np.arange(20)
    moved = cells.forecast(layout, [4.0], [Moved(shuffled[0], rows)])
    assert moved.genes is None
    with pytest.raises(SnapshotFileError, match="have changed"):
        read_cells(tmp_path / "data.h5ad", layout, shuffled.standardize()[0])
