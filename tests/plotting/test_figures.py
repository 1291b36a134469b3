"""Figures hold what they were given, under Agg and without pyplot."""

import subprocess
import sys

import numpy as np
import pytest

from wflow.plotting import (
    plot_bands,
    plot_forecasts,
    plot_friction,
    plot_growth,
    plot_interaction,
    plot_landscape,
    plot_loss,
    plot_masses,
    plot_scores,
    plot_snapshots,
)
from wflow.plotting.bands import BandCurve
from wflow.plotting.history import plot_frictions, running_median


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) + n for n in (5, 6, 7)]


def _saved(figure, tmp_path):
    path = tmp_path / "figure.png"
    figure.savefig(path, dpi=40)
    assert path.read_bytes().startswith(b"\x89PNG")
    return figure


def _points(axes):
    return np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_snapshots(clouds, tmp_path, dim):
    wide = [np.hstack([cloud, cloud])[:, :dim] for cloud in clouds]
    figure = plot_snapshots([0, 1, 2], wide, held_out=[1], time_label="day", equal=True)
    axes = _saved(figure, tmp_path).axes[0]
    shown = np.concatenate(wide)
    if dim > 1:
        np.testing.assert_allclose(_points(axes)[: len(shown)], shown[:, :2])
        assert axes.get_aspect() == 1
        assert figure.axes[1].get_ylabel() == "day"
    else:
        np.testing.assert_allclose(_points(axes)[: len(shown), 1], shown[:, 0])
        assert axes.get_xlabel() == "day"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [
        "training",
        "held out",
    ]


def test_forecasts(clouds, tmp_path):
    figure = plot_forecasts(
        [3, 4.5],
        [clouds[1], None],
        clouds[:2],
        start=clouds[2],
        start_label="last",
        scores=[0.25, None],
        labels=["a (m)", "b (m)"],
        time_label="day",
    )
    panels = _saved(figure, tmp_path).axes
    assert len(panels) == 2
    assert panels[0].get_title() == "day 3   $W_1$ = 0.25"
    assert panels[1].get_title() == "day 4.5"
    assert panels[0].get_xlabel() == "a (m)"
    np.testing.assert_allclose(
        _points(panels[0]), np.concatenate([clouds[2], clouds[1], clouds[0]])
    )
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["last", "observed", "model"]


@pytest.mark.slow
def test_more_panels_than_a_row(clouds, tmp_path):
    figure = plot_forecasts(range(5), [None] * 5, [clouds[0]] * 5, equal=True)
    assert len(_saved(figure, tmp_path).axes) == 5


def test_labels_must_fit(clouds):
    with pytest.raises(ValueError, match="expected 2 names, found 1"):
        plot_snapshots([0, 1, 2], clouds, labels=["a"])


@pytest.mark.slow
def test_history(tmp_path):
    step, loss = np.arange(1, 31), np.exp(-np.arange(30.0))
    axes = _saved(plot_loss(step, loss), tmp_path).axes[0]
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(axes.lines[0].get_ydata()[15], loss[15])
    # A median for every horizon, of its own losses.
    axes = _saved(plot_loss(step, step % 3, horizon=step % 3), tmp_path).axes[0]
    assert [line.get_label() for line in axes.lines] == [
        f"horizon {k}" for k in range(3)
    ]
    for k, line in enumerate(axes.lines):
        np.testing.assert_array_equal(line.get_ydata(), np.full(10, k))
    # A loss that is never positive, and a fit of one step, are drawn all the same.
    _saved(plot_loss([1], [-1.0]), tmp_path)
    axes = _saved(plot_friction(step, step / 10, interval=2.0), tmp_path).axes[0]
    assert "3 1/time at the end" in axes.get_title()
    _saved(plot_friction(step, np.zeros(30)), tmp_path)
    axes = _saved(plot_frictions({"a_b": step, "c": 2 * step}), tmp_path).axes[0]
    assert axes.get_yscale() == "log"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a b: 30", "c: 60"]


def test_running_median():
    np.testing.assert_array_equal(running_median([9, 1, 2, 3, 8], 3), [5, 2, 2, 3, 5.5])


@pytest.mark.slow
def test_landscape(clouds, tmp_path):
    x, y = np.linspace(-1, 1, 21), np.linspace(-2, 2, 31)
    a, b = np.meshgrid(x, y)
    figure = plot_landscape(
        x, y, a**2 + b**2, -2 * np.stack([a, b], -1), cloud=clouds[0] - 5, time=3
    )
    axes = _saved(figure, tmp_path).axes[0]
    assert axes.get_title() == "Energy landscape and force, time 3"
    arrows = next(c for c in axes.collections if hasattr(c, "U"))
    # Along the force, in the units of the axes, the longest one spacing long.
    np.testing.assert_allclose(
        arrows.U * arrows.Y, arrows.V * arrows.X, atol=1e-12, rtol=0
    )
    spacing = [np.diff(np.unique(arrows.X))[0], np.diff(np.unique(arrows.Y))[0]]
    lengths = np.hypot(arrows.U / spacing[0], arrows.V / spacing[1]) / arrows.scale
    np.testing.assert_allclose(lengths.max(), 1)
    # A landscape without force.
    _saved(plot_landscape(x, y, 0 * a, np.zeros((*a.shape, 2))), tmp_path)


def test_scores(tmp_path):
    figure = plot_scores(
        ["1", "2"], {"model": [0.1, 0.2], "nothing moves": [0.3, None]}
    )
    axes = _saved(figure, tmp_path).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_array_equal(heights, [0.1, 0.2, 0.3, np.nan])


def test_scores_have_intervals_and_a_floor(tmp_path):
    figure = plot_scores(
        ["1", "2"],
        {"model": [0.1, 0.2], "nothing moves": [0.3, 0.4]},
        floor=[0.05, None],
        intervals={"model": [(0.05, 0.25), None]},
    )
    axes = _saved(figure, tmp_path).axes[0]
    bars = next(c for c in axes.containers if hasattr(c, "has_yerr"))
    ends = np.array(bars.lines[2][0].get_segments()[0])[:, 1]
    np.testing.assert_allclose(sorted(ends), [0.05, 0.25])
    noise = next(c for c in axes.collections if "noise" in str(c.get_label()))
    np.testing.assert_allclose(noise.get_segments()[0][:, 1], [0.05, 0.05])
    with pytest.raises(ValueError, match="intervals 'model'.*found 'other'"):
        plot_scores(["1"], {"model": [1.0]}, intervals={"other": [None]})


@pytest.mark.slow
def test_matplotlib_comes_with_the_figures_alone_and_without_pyplot():
    code = (
        "import sys, wflow; assert 'matplotlib' not in sys.modules\n"
        "import wflow.plotting; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_what_is_not_finite_leaves_a_gap(clouds, tmp_path):
    x = np.linspace(0, 1, 8)
    field = np.add.outer(x, x)
    spoiled = field.copy()
    spoiled[0, 0], spoiled[3, 4] = np.nan, np.inf
    filled = _saved(plot_growth(x, x, spoiled), tmp_path).axes[1]
    np.testing.assert_allclose(filled.get_ylim(), (-2, 2))
    force = np.ones((8, 8, 2))
    force[2, 2] = np.nan
    _saved(plot_landscape(x, x, spoiled, force), tmp_path)
    singular = np.where(x > 0, 1 / np.maximum(x, 1e-9), np.inf)
    figure = _saved(plot_interaction(x, singular, singular), tmp_path)
    np.testing.assert_allclose(
        figure.axes[0].lines[0].get_ydata()[1:], singular[1:] - 1
    )
    masked = np.ma.masked_less(np.exp(-x), 0.5)
    drawn = plot_loss(x, masked).axes[0].collections[0].get_offsets()
    assert np.isnan(np.asarray(np.ma.filled(drawn, np.nan))[-1, 1])


@pytest.mark.slow
def test_growth_and_masses(clouds, tmp_path):
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 4)
    figure = plot_growth(x, y, y[:, None] - x, cloud=clouds[0], time=2, unit="per day")
    bar = _saved(figure, tmp_path).axes[1]
    assert bar.get_ylabel() == "growth rate (per day)"
    # White is no growth.
    np.testing.assert_allclose(sum(bar.get_ylim()), 0, atol=1e-12)
    curves = {"model": ([0, 1], [1, 2.5]), "mass fixed": ([0, 1], [1, 1])}
    axes = _saved(plot_masses([0, 1], [1, 3], curves), tmp_path).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0, 1], [1, 2.5]])
    np.testing.assert_allclose(_points(axes), [[0, 1], [1, 3]])


def test_forecasts_show_weights_as_areas(clouds, tmp_path):
    weights = [np.arange(1.0, 6.0)]
    figure = plot_forecasts([1], [None], clouds[:1], weights=weights)
    sizes = _saved(figure, tmp_path).axes[0].collections[-1].get_sizes()
    np.testing.assert_allclose(sizes / sizes[0], weights[0])


@pytest.mark.slow
def test_bands(tmp_path):
    past, times = np.arange(3.0), np.array([3.0, 4.0])
    wide = (times - 2, times + 2)
    curve = BandCurve(past, past, times, times + 1, times, [(times, times), wide])
    figure = plot_bands({"a": {"mean": curve, "median": curve}, "b": {"mean": curve}})
    panels = _saved(figure, tmp_path).axes
    assert [axes.get_title() for axes in panels] == ["mean", "median", "mean", ""]
    assert panels[2].get_ylabel() == "b"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["training", "90% band", "50% band", "model", "held out"]
    # Bands open at the last thing seen.
    corners = panels[0].collections[0].get_paths()[0].vertices
    assert [2.0, 2.0] in corners.tolist()
    np.testing.assert_allclose(corners[:, 1].max(), 6)
