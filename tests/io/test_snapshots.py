"""Files of snapshots: what is written is read, and wrong files are refused."""

import sys

import numpy as np
import pytest

from wflow.io import (
    Keys,
    SnapshotFileError,
    read_gapminder,
    read_snapshots,
    write_snapshots,
)
from wflow.io.h5ad import read_h5ad
from wflow.io.npz import read_npz
from wflow.io.table import read_csv
from wflow.learning import Snapshots


def _snapshots(sizes=(5, 3, 4), *, moving=True, weighted=True):
    rng = np.random.default_rng(0)
    return Snapshots(
        [0.0, 0.5, 2.0],
        [rng.normal(size=(n, 2)) for n in sizes],
        [rng.normal(size=(n, 2)) for n in sizes] if moving else None,
        [rng.uniform(1, 2, n) for n in sizes] if weighted else None,
    )


def _assert_same(found, expected):
    np.testing.assert_array_equal(found.times, expected.times)
    for name in ("clouds", "velocities", "weights"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None), name
        # Weights are normalized anew, all else is exact.
        rtol = 1e-14 if name == "weights" else 0
        for x, y in zip(a or (), b or (), strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=0)


@pytest.mark.parametrize("suffix", ["npz", "csv", "h5ad"])
@pytest.mark.parametrize("full", [True, False])
def test_round_trip(tmp_path, suffix, full):
    snapshots = _snapshots(moving=full, weighted=full)
    path = write_snapshots(tmp_path / f"s.{suffix}", snapshots)
    found, layout = read_snapshots(path)
    _assert_same(found, snapshots)
    assert layout.format == suffix
    # Without a suffix a file like the one that was read.
    again = write_snapshots(tmp_path / "again", found, layout)
    assert again.suffix == path.suffix
    _assert_same(read_snapshots(again).snapshots, snapshots)


def test_stacked_npz_stays_stacked(tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    np.savez(tmp_path / "s.npz", positions=x, velocities=-x)
    snapshots, layout = read_npz(tmp_path / "s.npz")
    np.testing.assert_array_equal(snapshots.times, [0, 1, 2])
    np.testing.assert_array_equal(snapshots.velocity(1), -x[1])
    write_snapshots(tmp_path / "again.npz", snapshots, layout)
    with np.load(tmp_path / "again.npz") as file:
        np.testing.assert_array_equal(file["positions"], x)
        np.testing.assert_array_equal(file["t"], [0, 1, 2])


def test_rows_npz_is_gathered_by_time(tmp_path):
    x = np.arange(12.0).reshape(6, 2)
    np.savez(tmp_path / "s.npz", x=x, t=[1, 0, 1, 0, 2, 1])
    snapshots = read_npz(tmp_path / "s.npz").snapshots
    assert snapshots.sizes == (2, 3, 1)
    np.testing.assert_array_equal(snapshots[1], x[[0, 2, 5]])


def test_names_are_kept_from_format_to_format(tmp_path):
    (tmp_path / "s.csv").write_text("day,height,v_height\n0,1.5,2\n0,2.5,3\n7,1,1\n")
    snapshots, layout = read_snapshots(tmp_path / "s.csv", Keys(time="day"))
    assert layout.columns == ("height",)
    np.testing.assert_array_equal(snapshots.velocity(0)[:, 0], [2, 3])
    write_snapshots(tmp_path / "s.npz", snapshots, layout)
    with np.load(tmp_path / "s.npz") as file:
        assert set(file.files) == {"day", "x", "v"}
    written = write_snapshots(tmp_path / "again.csv", snapshots, layout)
    lines = written.read_text().splitlines()
    assert lines[0] == "day,height,v_height"
    assert lines[3] == "7,1.0,1.0"


def test_other_names_and_fewer_coordinates(tmp_path):
    pcs = np.random.default_rng(0).normal(size=(6, 5))
    labels = np.repeat([0, 1], 3)
    np.savez(tmp_path / "s.npz", pcs=pcs, pcs_delta=2 * pcs, sample_labels=labels)
    keys = Keys(positions="pcs", velocities="pcs_delta", columns=3)
    snapshots = read_npz(tmp_path / "s.npz", keys).snapshots
    np.testing.assert_array_equal(snapshots[1], pcs[3:, :3])
    np.testing.assert_array_equal(snapshots.velocity(0), 2 * pcs[:3, :3])
    (tmp_path / "s.csv").write_text("t,name,a,b\n0,x,1,2\n1,y,3,4\n")
    chosen = read_csv(tmp_path / "s.csv", Keys(columns=("b",))).snapshots
    np.testing.assert_array_equal(chosen[0], [[2]])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.ones(3)}, ["positions", "'x'", "found y"]),
        ({"x": np.ones((3, 2))}, ["times", "'t'", "found x"]),
        ({"x": np.ones((3, 2)), "t": np.ones(4)}, ["'t'", "(3,)", "(4,)"]),
        ({"x": np.ones(3), "t": np.ones(3)}, ["'x'", "(cells, d)", "(3,)"]),
        ({"x": np.array([["a"]]), "t": np.ones(1)}, ["'x'", "numbers", "<U1"]),
        (
            {"positions": np.ones((2, 3, 2)), "velocities": np.ones((2, 3, 1))},
            ["'velocities'", "(2, 3, 2)", "(2, 3, 1)"],
        ),
        ({"positions": np.full((2, 3, 2), np.nan)}, ["cloud 0", "no finite row"]),
        ({"x": np.ones((1, 2)), "t": np.array([np.inf])}, ["1 of 1 times"]),
    ],
)
def test_wrong_npz_is_refused(tmp_path, arrays, words):
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(SnapshotFileError) as caught:
        read_snapshots(path)
    for word in ["wrong.npz", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t,a\n", ["header and rows", "found 1 lines"]),
        ("a,b\n1,2\n", ["a time column", "found a, b"]),
        ("t\n1\n", ["coordinate columns", "found t"]),
        ("t,a\n0,1\n1,abc\n", ["row 2", "column 'a'", "'abc'"]),
        ("t,a\n0,1,5\n", ["row 1", "expected 2 cells", "found 3"]),
        ("t,a,a\n0,1,2\n", ["repeat", "a"]),
        ("t,a,b,v_a\n0,1,2,3\n", ["velocity column", "v_b"]),
    ],
)
def test_wrong_csv_is_refused(tmp_path, text, words):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(SnapshotFileError) as caught:
        read_snapshots(path)
    for word in ["wrong.csv", *words]:
        assert word in str(caught.value)


def test_what_is_no_file_of_that_format_is_refused(tmp_path):
    for suffix in ("npz", "h5ad"):
        path = tmp_path / f"s.{suffix}"
        path.write_bytes(b"something else")
        with pytest.raises(SnapshotFileError, match=f"not a readable .{suffix}"):
            read_snapshots(path)
    np.savez(tmp_path / "s.npz", x=np.array([{}, 1], object))
    with pytest.raises(SnapshotFileError, match="pickled"):
        read_snapshots(tmp_path / "s.npz")
    with pytest.raises(SnapshotFileError, match="no such file"):
        read_snapshots(tmp_path / "none.csv")
    with pytest.raises(SnapshotFileError, match=r"\.npz, \.csv, .*\.h5ad or \.zarr"):
        read_snapshots(tmp_path / "s.txt")


def test_h5ad_names(tmp_path):
    snapshots = _snapshots(weighted=False, moving=False)
    path = write_snapshots(tmp_path / "s.h5ad", snapshots)
    with pytest.raises(SnapshotFileError, match=r"\.obs under 'day', found t"):
        read_h5ad(path, Keys(time="day"))
    with pytest.raises(SnapshotFileError, match=r"\.obsm under 'X', found X_pca"):
        read_h5ad(path, Keys(positions="X"))


def test_h5ad_without_anndata_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "s.h5ad").touch()
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(ModuleNotFoundError, match=r"wflow-jax\[anndata\]"):
        read_snapshots(tmp_path / "s.h5ad")


def test_gapminder():
    snapshots, layout = read_gapminder(seed=None)
    np.testing.assert_array_equal(snapshots.times, np.arange(1952, 2008, 5))
    assert snapshots.sizes == (142,) * 12
    assert layout.time == "year"
    # Afghanistan 1952: 779.4453145 dollars, 28.801 years.
    np.testing.assert_allclose(snapshots[0][0], [np.log10(779.4453145), 28.801])
    # Shuffled: the same clouds, in orders of their own, which the seed decides.
    first, again = read_gapminder(0).snapshots, read_gapminder(0).snapshots
    other = read_gapminder(1).snapshots
    orders = []
    for k in range(12):
        np.testing.assert_array_equal(first[k], again[k])
        assert not np.array_equal(first[k], other[k])
        order = np.lexsort(first[k].T)
        np.testing.assert_array_equal(
            first[k][order], snapshots[k][np.lexsort(snapshots[k].T)]
        )
        # Life expectancies differ between countries: the row of each one.
        orders.append(
            [np.argmin(np.abs(first[k] - row).sum(1)) for row in snapshots[k]]
        )
    assert len({tuple(order) for order in orders}) == 12
