"""Snapshots whose points stay in their file: the same ones, read when asked for."""

import anndata
import numpy as np
import pandas as pd
import pytest

from wflow.io import Keys, SnapshotFileError, read_snapshots
from wflow.io.npz_file import opened
from wflow.io.stored import npz_reader, source_of
from wflow.learning import Snapshots
from wflow.learning.looks import look
from wflow.learning.stored import StoredCloud


RNG = np.random.default_rng(0)
N = 600
DAY = RNG.integers(0, 3, N).astype(float)
X = RNG.normal(size=(N, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    obs = pd.DataFrame({"day": DAY, "kept": DAY + 1}, index=map(str, range(N)))
    cells = anndata.AnnData(X=np.ones((N, 3)), obs=obs, obsm={"X_pca": X})
    cells.write_h5ad(folder / "s.h5ad")
    np.savez(folder / "s.npz", x=X, t=DAY)
    np.savez(folder / "stacked.npz", x=X.reshape(3, -1, 2))
    np.savez_compressed(folder / "packed.npz", x=X, t=DAY)
    np.savez(folder / "moving.npz", x=X, t=DAY, v=X)
    return folder


@pytest.mark.filterwarnings("ignore:Writing zarr")
@pytest.mark.parametrize("name", ["s.h5ad", "s.zarr", "s.npz", "stacked.npz"])
def test_points_are_those_that_are_read_into_memory(folder, name):
    if name == "s.zarr":
        anndata.read_h5ad(folder / "s.h5ad").write_zarr(folder / name)
    stored, layout = read_snapshots(folder / name, in_memory=False)
    whole = read_snapshots(folder / name)
    assert layout == whole.layout
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored.times, whole.snapshots.times)
    for cloud, points in zip(stored, whole.snapshots, strict=True):
        assert isinstance(cloud, StoredCloud)
        assert isinstance(points, np.ndarray)
        np.testing.assert_array_equal(cloud, points)
        np.testing.assert_array_equal(cloud[[5, 2]], points[[5, 2]])
        np.testing.assert_array_equal(cloud[-1], points[-1])
        np.testing.assert_allclose(cloud.mean(axis=0), points.mean(axis=0), atol=1e-6)
    assert stored.take([0, 2]).sizes == whole.snapshots.take([0, 2]).sizes


def test_what_has_to_be_in_memory_says_so(folder):
    with pytest.raises(SnapshotFileError, match="'x' is compressed"):
        read_snapshots(folder / "packed.npz", in_memory=False)
    with pytest.raises(SnapshotFileError, match="velocities and weights"):
        read_snapshots(folder / "moving.npz", in_memory=False)
    with pytest.raises(SnapshotFileError, match="columns leave out"):
        read_snapshots(folder / "s.h5ad", Keys(columns=1), in_memory=False)
    (folder / "s.csv").write_text("t,x\n0,1\n")
    with pytest.raises(SnapshotFileError, match=r"\.csv cannot stay"):
        read_snapshots(folder / "s.csv", in_memory=False)
    stored = read_snapshots(folder / "stacked.npz", in_memory=False).snapshots
    with pytest.raises(ValueError, match="without velocities and weights"):
        Snapshots(stored.times, stored.clouds, weights=[np.ones(200)] * 3)


def blocks(folder, size):
    """Snapshots in blocks of so many rows, and the blocks that are read of them."""
    reads = []
    with opened(folder / "s.npz") as arrays:
        found = npz_reader(folder / "s.npz", arrays.archive, "x")
    assert found is not None
    shape, dtype, read = found

    def counted(first, last):
        reads.append(first // size)
        return read(first, last)

    source = source_of(folder / "s.npz", "x", shape, dtype, counted)
    source = source._replace(block=size)
    rows = [np.flatnonzero(k == DAY) for k in range(3)]
    clouds = [StoredCloud(source, row) for row in rows]
    return Snapshots([0.0, 1.0, 2.0], clouds), reads


def test_a_look_reads_a_few_blocks_once(folder):
    snapshots, reads = blocks(folder, 20)
    seen, rows = look(snapshots, 16, np.random.default_rng(0))
    assert seen.sizes == (16, 16, 16)
    # Two of a block and a time at most: at least eight blocks, of thirty.
    assert 8 <= len(reads) == len(set(reads)) < 16
    for k, row in enumerate(rows):
        assert len(set(row)) == 16
        np.testing.assert_array_equal(seen[k], X[k == DAY][row])
    other, _ = look(snapshots, 16, np.random.default_rng(1))
    assert not np.array_equal(seen[0], other[0])
    # All of them where they are fewer.
    assert look(snapshots, N, np.random.default_rng(0))[0].sizes == snapshots.sizes
