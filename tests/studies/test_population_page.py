"""What a page shows of a population, of arrays that somebody made up."""

import numpy as np
import pytest

from wflow.io.base import Layout, SnapshotFile
from wflow.learning import Snapshots
from wflow.plotting import Embedding
from wflow.plotting.report.blocks import Chart, Motion, Words
from wflow.studies.population._page import Scene, found, motion


TIMES = np.array([0.0, 1.0, 2.0])
AXES = {"labels": ["PC1", "PC2", "PC3"], "equal": False, "time_label": "day"}


def snapshots(sizes, masses=None):
    """Clouds that move along the first axis."""
    rng = np.random.default_rng(0)
    clouds = [
        np.array([time, 0.0, 0.0]) + 0.1 * rng.normal(size=(size, 3))
        for time, size in zip(TIMES, sizes, strict=True)
    ]
    return Snapshots(TIMES, clouds, masses=masses)


@pytest.mark.slow
def test_a_population_in_motion():
    data = snapshots((40, 50, 60))
    cells = np.concatenate(data.clouds)
    places = [cloud[:, [1, 0]] for cloud in data]
    umap = Embedding(cells, np.concatenate(places))
    del places[1]
    moved = snapshots((30, 20, 25), masses=[1.0, 2.0, 4.0])
    scene = Scene(
        SnapshotFile(data, Layout("npz")),
        [1.0],
        AXES,
        moved,
        velocities=[np.ones_like(x) * [1.0, 0.0, 0.0] for x in moved],
        growing=True,
        pictures={"X_UMAP": (umap, places)},
        note="By a law.",
    )
    shown, streams, words, beside, again = motion(scene)
    assert isinstance(shown, Motion)
    assert isinstance(beside, Motion)
    assert isinstance(words, Words)
    assert isinstance(streams, Chart)
    assert isinstance(again, Chart)
    np.testing.assert_array_equal(shown.clouds[1], moved[1])
    np.testing.assert_allclose([w.sum() for w in shown.weights], [1.0, 2.0, 4.0])
    assert shown.held_out == [1.0]
    # The one that is held out lies among its nearest cells.
    np.testing.assert_array_equal(beside.observed[2], places[1])
    np.testing.assert_allclose(beside.observed[1].mean(0), [0, 1], atol=0.15)
    # In the other picture axes are turned, and so is the motion.
    assert list(beside.labels) == ["UMAP 1", "UMAP 2"]
    middle = [cloud.mean(axis=0) for cloud in beside.clouds]
    np.testing.assert_allclose(middle, [[0, 0], [0, 1], [0, 2]], atol=0.15)
    ahead = np.concatenate(beside.velocities)
    assert (ahead[:, 1] > 0).mean() > 0.9


def test_what_was_found():
    layout = Layout("h5ad", time="day", positions="X_pca")
    data = SnapshotFile(snapshots((40, 50, 60), masses=[1.0, 1.5, 2.0]), layout)
    rows = {name: value for name, value, _ in found(data, [1.0], AXES).rows}
    assert rows["snapshots"] == "3, at day 0 to 2"
    assert rows["points"] == "150 in all, 40 to 60 at each"
    assert rows["coordinates"] == "3: PC1, PC2, PC3"
    assert rows["positions from"] == "X_pca"
    assert rows["day 1"] == "50 points, held out, mass 1.5"
