"""Streams, and points and velocities in an embedding; groups have colors."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from wflow.plotting import Embedding, plot_forecasts, plot_snapshots, plot_streams
from wflow.plotting.streams import averaged, lines
from wflow.plotting.style import CATEGORIES


@pytest.fixture(scope="module")
def cells():
    """Points of a plane in five dimensions, and a turned picture of the plane."""
    rng = np.random.default_rng(0)
    plane = rng.uniform(-1, 1, size=(1500, 2))
    axes = np.linalg.qr(rng.normal(size=(5, 2)))[0].T
    turn = np.array([[0.0, 3.0], [-3.0, 0.0]])
    return plane @ axes, plane @ turn, axes, turn


def test_points_lie_among_their_neighbors(cells):
    x, places, axes, turn = cells
    embedding = Embedding(x, places)
    inner = np.random.default_rng(1).uniform(-0.8, 0.8, size=(50, 2))
    np.testing.assert_allclose(embedding.embed(inner @ axes), inner @ turn, atol=0.15)
    # A cell is near its own place, and what is not finite has none.
    np.testing.assert_allclose(embedding.embed(x[:20]), places[:20], atol=0.4)
    assert np.isnan(embedding.embed(np.full((1, 5), np.nan))).all()


def test_velocities_point_the_same_way(cells):
    x, places, axes, turn = cells
    rng = np.random.default_rng(2)
    inner, v = rng.uniform(-0.8, 0.8, size=(2, 200, 2))
    found = Embedding(x, places, 30).embed_velocities(inner @ axes, v @ axes)
    expected = v @ turn
    cosines = (found * expected).sum(1)
    cosines /= np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert np.median(cosines) > 0.97
    # They are in proportion to the velocities, in the units of the picture.
    twice = Embedding(x, places, 30).embed_velocities(inner @ axes, 2 * v @ axes)
    np.testing.assert_allclose(twice, 2 * found)
    ratio = np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert 0.3 < np.median(ratio) < 1.2


def test_there_are_more_cells_than_neighbors():
    with pytest.raises(ValueError, match="more cells than the 15 neighbors, found 3"):
        Embedding(np.ones((3, 2)), np.ones((3, 2)))


def test_a_mean_velocity_is_that_of_the_points_around():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(4000, 2))
    x, y, field = averaged(points, points @ [[0, 1], [-1, 0]])
    a, b = np.meshgrid(x, y)
    inside = (np.abs(a) < 0.8) & (np.abs(b) < 0.8)
    error = field - np.stack([-b, a], -1)
    assert np.abs(error[inside]).max() < 0.08
    # Lines go around the center.
    radii = [np.ptp(np.linalg.norm(line, axis=1)) for line in lines((x, y, field))]
    assert np.median(radii) < 0.1


def test_nothing_is_drawn_where_there_are_no_points():
    rng = np.random.default_rng(0)
    points = rng.normal(scale=0.1, size=(400, 2))
    points[:, 0] += np.repeat([-2, 2], 200)
    x, _, field = averaged(points, np.ones((400, 2)))
    assert np.isnan(field[:, np.abs(x) < 1]).all()


@pytest.mark.slow
def test_streams_are_colored_by_group(tmp_path):
    points = np.random.default_rng(0).normal(size=(300, 2))
    kinds = np.where(points[:, 0] > 0.5, "few", "many")
    figure = plot_streams(
        points,
        np.ones((300, 2)),
        groups=kinds.tolist(),
        labels=["UMAP 1", "UMAP 2"],
        title="Cells",
    )
    figure.savefig(tmp_path / "figure.png", dpi=40)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("UMAP 1", "UMAP 2")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["many", "few"]
    dots = {c.get_label(): c for c in axes.collections if c.get_label() in names}
    assert len(dots["few"].get_offsets()) == (kinds == "few").sum()
    assert to_hex(dots["many"].get_facecolor()[0]) == CATEGORIES[0]
    # Streams along the diagonal.
    (stream,) = (c for c in axes.collections if hasattr(c, "get_segments"))
    steps = np.concatenate([np.diff(line, axis=0) for line in stream.get_segments()])
    np.testing.assert_allclose(steps[:, 0], steps[:, 1], atol=1e-6)
    with pytest.raises(ValueError, match="finite velocity"):
        plot_streams(points, np.full((300, 2), np.nan))


def test_clouds_are_colored_by_group(tmp_path):
    clouds = [np.eye(2), np.eye(3)[:, :2] + 1]
    groups = [["a", "b"], ["a", "a", "c"]]
    figure = plot_snapshots([0, 1], clouds, groups=groups)
    figure.savefig(tmp_path / "figure.png", dpi=40)
    assert len(figure.axes) == 1
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["a", "b", "c"]
    inks = [to_hex(c) for c in figure.axes[0].collections[1].get_facecolor()]
    assert inks == [CATEGORIES[0], CATEGORIES[0], CATEGORIES[2]]
    figure = plot_forecasts(
        [0, 1], [None, None], clouds, groups=groups, scores=[0.5, None], score_unit="sd"
    )
    figure.savefig(tmp_path / "figure.png", dpi=40)
    assert figure.axes[0].get_title() == "time 0   $W_1$ = 0.5 sd"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["a", "b", "c"]
