"""Figures said as data: axes have the curves, names and scales they were told."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades


T = np.linspace(1.0, 2.0, 5)


def _axes(*curves, **panel):
    return plot_panels([Panel(curves, **panel)]).axes[0]


def _texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_curve_is_a_line_through_its_points():
    curve = Curve(T, T**2, "square", color="C1", style="--", width=2, alpha=0.5)
    (line,) = _axes(curve).get_lines()
    np.testing.assert_array_equal(line.get_xdata(), T)
    np.testing.assert_array_equal(line.get_ydata(), T**2)
    assert (line.get_linestyle(), line.get_linewidth()) == ("--", 2)
    assert (line.get_marker(), line.get_alpha()) == ("None", 0.5)
    assert to_rgba(line.get_color()) == to_rgba("C1")


@pytest.mark.parametrize(
    ("style", "line", "marker"),
    [
        ("-", "-", "None"),
        (":", ":", "None"),
        ("-.", "-.", "None"),
        ("o", "None", "o"),
        (".", "None", "."),
        ("o-", "-", "o"),
        ("--s", "--", "s"),
        (".-", "-", "."),
    ],
)
def test_a_style_is_a_line_a_marker_or_both(style, line, marker):
    (drawn,) = _axes(Curve(T, T, style=style)).get_lines()
    assert (drawn.get_linestyle(), drawn.get_marker()) == (line, marker)


def test_columns_are_curves_of_one_name():
    axes = _axes(Curve(T, np.stack([T, 2 * T], axis=1), "both"))
    assert len(axes.get_lines()) == 2
    assert _texts(axes) == ["both"]


def test_values_that_are_not_finite_leave_gaps():
    y = np.where(T > 1.6, np.nan, T)
    (line,) = _axes(Curve(T, jnp.asarray(y, "float32"))).get_lines()
    np.testing.assert_array_equal(np.isnan(line.get_ydata()), T > 1.6)
    masked = np.ma.masked_greater(T, 1.6)
    (line,) = _axes(Curve(T, masked)).get_lines()
    np.testing.assert_array_equal(np.isnan(line.get_ydata()), T > 1.6)


def test_a_band_is_shaded_around_a_line():
    axes = _axes(Curve(T, T, low=T - 1, high=T + 2))
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (0, 4)


@pytest.mark.parametrize("y", [T, T + 5])
def test_bars_of_markers_end_where_the_band_does(y):
    """Also where y, such as a mean among quantiles, is outside of them."""
    axes = _axes(Curve(T, y, style="o", low=T - 1, high=T + 2))
    bars = np.stack([bar for c in axes.collections for bar in c.get_segments()])
    np.testing.assert_allclose(bars[:, 0], np.stack([T, T - 1], axis=1))
    np.testing.assert_allclose(bars[:, 1], np.stack([T, T + 2], axis=1))
    points = axes.get_lines()[-1]
    np.testing.assert_array_equal(points.get_ydata(), y)


def test_steps_hold_between_edges():
    edges = np.array([0.0, 1.0, 3.0])
    (steps,) = _axes(Curve(edges, [2.0, 5.0], steps=True, style=":")).patches
    found = steps.get_data()
    np.testing.assert_array_equal(found.values, [2, 5])
    np.testing.assert_array_equal(found.edges, edges)
    assert steps.get_linestyle() == ":"


def test_levels_cross_the_frame():
    levels = [Level(3.0, label="bound", style=":"), Level(x=1.5), Level(np.nan)]
    axes = _axes(Curve(T, T), levels=levels)
    across, up, *_ = axes.get_lines()
    assert across.get_ydata() == [3, 3]
    assert across.get_xdata() == [0, 1]
    assert across.get_linestyle() == ":"
    assert up.get_xdata() == [1.5, 1.5]
    assert _texts(axes) == ["bound"]


def test_a_frame_has_its_labels_scales_limits_and_ticks():
    axes = _axes(
        Curve(T, T, "a"),
        x="time",
        y="loss",
        title="Title",
        scales=("log", "linear"),
        xlim=(0.5, 4.0),
        ylim=(None, 10.0),
        xticks=([1, 2], ["one", "two"]),
        legend="lower left",
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time", "loss")
    assert axes.get_title() == "Title"
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.get_xlim() == (0.5, 4.0)
    assert axes.get_ylim()[0] < 1
    assert axes.get_ylim()[1] == 10
    assert [t.get_text() for t in axes.get_xticklabels()] == ["one", "two"]
    assert list(axes.xaxis.get_minorticklocs()) == []
    assert _texts(axes) == ["a"]


def test_names_are_shown_where_there_are_some_and_they_are_wanted():
    assert _axes(Curve(T, T)).get_legend() is None
    assert _axes(Curve(T, T, "a"), legend=False).get_legend() is None


def test_one_legend_below_several_frames():
    panels = [Panel([Curve(T, T, "a", size=2), Curve(T, T, "b")])] * 2
    figure = plot_panels(panels, width=2, height=1, legend_below=2)
    assert tuple(figure.get_size_inches()) == (4, 1.3)
    assert [axes.get_legend() for axes in figure.axes] == [None, None]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["a", "b"]
    assert figure.axes[0].get_lines()[0].get_markersize() == 2


def test_frames_stand_beside_and_below_each_other():
    panels = [Panel([Curve(T, k * T)], title=str(k)) for k in range(5)]
    figure = plot_panels(panels, width=2, height=1, title="all", share_y=True)
    assert tuple(figure.get_size_inches()) == (6, 2.3)
    assert figure.get_suptitle() == "all"
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == list("01234")
    assert len({axes.get_ylim() for axes in shown}) == 1
    narrow = plot_panels(panels[:2], columns=1, width=2, height=1)
    assert tuple(narrow.get_size_inches()) == (2, 2)


def test_shades():
    dark, *_, light = shades(4)
    assert sum(dark[:3]) < sum(light[:3])
    assert shades(0) == []
    twelve = shades(12, "categories")
    assert twelve[0] == twelve[8]
    assert len(set(twelve)) == 8


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: Curve(T, T[:3]),
            "Curve: expected x of shape (3,), found shape (5,).",
        ),
        (
            lambda: Curve(T, T, steps=True),
            "Curve: expected x of shape (6,), found shape (5,).",
        ),
        (
            lambda: Curve(T, T, low=T),
            "Curve: expected low and high together, found one of them.",
        ),
        (
            lambda: Curve(T, T, low=T, high=T[:2]),
            "Curve: expected high of shape (5,), found shape (2,).",
        ),
        (
            lambda: Curve(T, np.ones((5, 2)), low=T, high=T),
            "Curve: expected y of shape (n,), found shape (5, 2).",
        ),
        (
            lambda: Curve([0, 2, 1], [1, 1], steps=True),
            "Curve: expected x to increase strictly, found 2.0 before 1.0.",
        ),
        (
            lambda: Curve(T, T, style="dashed"),
            "Curve: expected style of a line (-, --, -., :), a marker (one of "
            ".osv^dDx+*|_) or both, found 'dashed'.",
        ),
        (
            lambda: Curve(T, T, color="bleu"),
            "Curve: expected color to be one of matplotlib's, found 'bleu'.",
        ),
        (
            lambda: Curve(T, list("abcde")),
            "Curve: expected y to be an array of real numbers, found an array of <U1.",
        ),
        (lambda: Level(), "Level: expected either y or x, found neither."),
        (lambda: Level(1, 2), "Level: expected either y or x, found both."),
        (
            lambda: Panel(Curve(T, T)),
            "Panel: expected curves to be a sequence of Curve, found Curve.",
        ),
        (
            lambda: Panel([Curve(T, T)], scales=("linear", "log"), ylim=(0, 1)),
            "Panel: expected ylim > 0, found 0.0 at index 0 of (2,).",
        ),
        (
            lambda: Panel([Curve(T, T)], xticks=([1, 2], ["a"])),
            "Panel: expected xticks to be values and their texts, 2 of them, found 1.",
        ),
        (
            lambda: plot_panels(Panel([Curve(T, T)])),
            "plot_panels: expected panels to be a sequence of Panel, found Panel.",
        ),
        (
            lambda: shades(2, "virdis"),
            "shades: expected colors to be 'categories' or a map of matplotlib, such "
            "as 'viridis', found 'virdis'.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(call, sentence):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(sentence)}$"):
        call()
