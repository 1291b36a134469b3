"""Pages of reports: what they show is what they were given, and they load nothing."""

import dataclasses
import html.parser
import json
import re

import numpy as np
import pytest

from tests.plotting.pages import ODD, TABLE, motion
from wflow.plotting.report import page as pages
from wflow.plotting.report.blocks import Facts, Motion, Picture, Section, Words
from wflow.plotting.report.charts import line_chart, loss_chart, score_chart, shown
from wflow.plotting.report.diagram import Stream, flow_chart
from wflow.plotting.report.moving import frames
from wflow.plotting.report.page import Page, rendered
from wflow.plotting.report.plane import field_chart, stream_chart
from wflow.plotting.report.thinning import CLOUD, FRAMES, PATHS, few
from wflow.plotting.style import OTHERS


class Loaded(html.parser.HTMLParser):
    """Elements that a page loads something by."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.texts, self._inside = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        self.addresses += [v for k, v in attrs if k in ("src", "href")]

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.texts.append(data)


def test_a_page_loads_nothing_and_escapes_what_files_say():
    blocks = [
        Words([ODD], "verdict"),
        TABLE,
        score_chart(dataclasses.replace(TABLE, title=f"Scores ({ODD})")),
        Facts([(ODD, ODD, "")]),
        motion(groups=[[ODD] * 6] * 5, labels=[ODD, "y"], note=ODD),
        Picture("dots", b"\x89PNG"),
    ]
    page = rendered(Page(ODD, ODD, [Section(ODD, blocks), Section("end", [])]))
    assert len(page.encode()) < 8e6
    found = Loaded(page)
    assert all(address.startswith("data:") for address in found.addresses)
    assert "alert(1)</script>" not in page
    shown = " ".join(found.texts)
    for _ in range(4):
        assert ODD in shown
    for match in re.findall(r'<script type="application/json"[^>]*>(.*?)</', page):
        json.loads(match)


def test_streams_are_as_wide_as_their_masses():
    streams = [
        Stream(0, "stem", "left", 0.7),
        Stream(0, "stem", "right", 0.297),
        Stream(0, "stem", "lost", 0.003),
        Stream(1, "left", "left", 0.6),
        Stream(1, "right", ODD, 0.4),
    ]
    inks = {"stem": "#102030", "left": "#ff0000", OTHERS: "#00ff00"}
    chart = flow_chart(["day 0", "day 1", "day 2"], streams, inks, "A note.")
    (trace,) = chart.traces
    node, link = trace["node"], trace["link"]
    # What is less than half a percent is left out, with its kind.
    assert link["value"] == [0.7, 0.297, 0.6, 0.4]
    assert node["label"] == ["stem", "left", "right", "left", shown(ODD)]
    assert [link["source"], link["target"]] == [[0, 0, 1, 2], [1, 2, 3, 4]]
    assert node["color"] == ["#102030", "#ff0000", "#00ff00", "#ff0000", "#00ff00"]
    assert link["color"][2] == "rgba(255,0,0,0.45)"
    assert node["x"] == [0.001, 0.5, 0.5, 0.999, 0.999]
    # The middle of a bar that is the larger of what arrives and what leaves.
    np.testing.assert_allclose(
        node["y"], np.array([0.997 / 2, 0.35, 0.9, 0.3, 0.8]) / 1.1
    )
    assert [head["text"] for head in chart.layout["annotations"]][1] == "day 1"
    assert chart.note == "A note."


def test_the_noise_of_a_score_lies_over_its_whole_group():
    chart = score_chart(TABLE)
    lines = [s for s in chart.layout["shapes"] if s["type"] == "line"]
    known = [k for k, noise in enumerate(TABLE.floor) if noise is not None]
    assert [(s["x0"] + s["x1"]) / 2 for s in lines] == known
    assert [s["y0"] for s in lines] == [TABLE.floor[k] for k in known]


def test_a_page_without_charts_is_small():
    page = rendered(
        Page("a", "b", [Section("c", [TABLE, Words(["wflow"], "command")])])
    )
    assert len(page) < 20_000
    assert "<b>0.5</b><small>0.4 to 0.625</small>" in page
    # The noise of a score, and what is not known.
    assert "<td>0.375</td><td>-</td>" in page


def test_pictures_that_do_not_fit_are_named(monkeypatch):
    monkeypatch.setattr(pages, "LARGEST", 60_000)
    section = Section("c", [Picture("large", b"0" * 40_000), Picture("small", b"0")])
    page = rendered(Page("a", "b", [section]))
    assert "large is left out" in page
    assert page.count("<img") == 1


def test_a_slider_has_the_paths():
    found = frames(motion(weights=np.ones((5, 6)) * 4.0))
    np.testing.assert_allclose(found["x"], np.repeat(np.arange(5.0), 6).reshape(5, 6))
    np.testing.assert_allclose(found["y"], [np.arange(6.0)] * 5)
    assert found["times"] == ["0", "1", "2", "3", "4"]
    assert found["nearest"] == [0, 0, 0, 1, 1]
    assert [cloud["held"] for cloud in found["observed"]] == [False, True]
    assert found["groups"] is None
    assert np.unique(found["size"]).tolist() == [6.0]


def test_points_may_come_and_go():
    clouds = [np.full((n, 2), float(n)) for n in (2, 4, 3)]
    found = frames(Motion(np.arange(3.0), clouds, weights=[x[:, 0] for x in clouds]))
    assert [len(row) for row in found["x"]] == [2, 4, 3]
    np.testing.assert_allclose(found["size"][1], 6 * np.sqrt(2), atol=1e-2)


def test_one_coordinate_is_drawn_over_time():
    found = frames(motion(dim=1, time_label="day", labels=["height"]))
    assert found["x"][3] == [3.0] * 6
    titles = [found["layout"][f"{k}axis"]["title"]["text"] for k in "xy"]
    assert titles == ["day", "height"]


def test_large_clouds_are_thinned_to_stated_numbers():
    large = motion(paths=1000, times=200, observed=[np.ones((900, 2))] * 2)
    found = frames(large)
    assert np.shape(found["x"]) == (FRAMES, PATHS)
    assert {len(cloud["x"]) for cloud in found["observed"]} == {CLOUD}
    page = rendered(Page("a", "b", [Section("c", [large])]))
    assert "400 of 1000 points, 41 times. Of a snapshot 500 points" in page
    assert few(10, 3).tolist() == [0, 4, 9]


def test_groups_are_colored_at_most_in_eight_colors():
    kinds = [str(k) for k in range(12)]
    found = frames(motion(paths=12, groups=[kinds, *[kinds[::-1]] * 4]))
    names = [trace["name"] for trace in found["traces"][1:]]
    assert len(names) == 8
    assert names[-1] == "others"
    rare = [7] * 5
    assert sorted(found["groups"][0]) == [*range(7), *rare]
    assert found["groups"][1] == found["groups"][0][::-1]


def test_numbers_that_are_not_finite_leave_gaps():
    paths = motion()
    paths.clouds[2][3] = np.nan
    found = frames(paths)
    assert found["x"][2][3] is None
    json.dumps(found, allow_nan=False)


def test_bars_have_their_unit_and_intervals():
    drawn = score_chart(dataclasses.replace(TABLE, title="Forecasts (W1, cm), seeds"))
    assert drawn.layout["yaxis"]["title"]["text"] == "W1, cm"
    bars, *_, noise = drawn.traces
    assert bars["error_y"]["array"] == [0.125, None]
    np.testing.assert_allclose(bars["error_y"]["arrayminus"][0], 0.1)
    assert noise["y"] == [0.375, None]


def test_charts_hold_their_arrays():
    step = np.arange(60.0)
    drawn = loss_chart(step, 1 + step % 2, horizon=1 + step % 2)
    assert [trace["name"] for trace in drawn.traces[1:]] == ["horizon 1", "horizon 2"]
    assert [set(trace["y"]) for trace in drawn.traces[1:]] == [{1.0}, {2.0}]
    # Numbers, and more than the powers of ten where there are few of these.
    axis = loss_chart(step, np.exp(-step / 20)).layout["yaxis"]
    assert axis["ticktext"][:4] == ["0.01", "0.02", "0.05", "0.1"]
    axis = loss_chart(step, 10.0 ** -(step / 6)).layout["yaxis"]
    assert "10<sup>-8</sup>" in axis["ticktext"]
    assert "type" not in loss_chart(step, -step).layout["yaxis"]
    lines = line_chart({"a": (step, step)}, "x", "y", dots={"seen": ([1], [2])})
    assert lines.traces[1]["y"] == [2.0]
    x = np.linspace(0, 1, 20)
    values = x + x[:, None] * 2
    force = np.zeros((20, 20, 2))
    force[..., 0] = 1
    field = field_chart(
        x, x, values, force=force, labels=("a", "b"), label="c", title="d"
    )
    np.testing.assert_allclose(field.traces[0]["z"], values, atol=1e-3)
    # Along the first axis, the longest as long as their spacing.
    tail, tip = (np.array([field.traces[1][k][i] for k in "xy"]) for i in (0, 1))
    np.testing.assert_allclose(tip - tail, [1 / 19, 0], atol=1e-3)


@pytest.mark.slow
def test_streams_follow_the_paths():
    t = np.linspace(0, 1, 21)
    start = np.random.default_rng(0).normal(size=(200, 2))
    paths = start + t[:, None, None] * [3.0, 0.0]
    drawn = stream_chart(Motion(t, paths))
    given = [np.full((200, 2), [3.0, 0.0])] * 21
    again = stream_chart(Motion(t, paths, velocities=given))
    assert len(drawn.traces) == len(again.traces) > 3
    for trace in drawn.traces:
        x, y = np.array(trace["x"]), np.array(trace["y"])
        assert (np.diff(x) >= 0).all()
        assert np.ptp(y) < 0.05


@pytest.mark.parametrize("labels", [None, ["length (m)", "b"]])
def test_axes_have_names(labels):
    layout = frames(motion(labels=labels))["layout"]
    expected = "length (m)" if labels else "<i>x</i><sub>1</sub>"
    assert layout["xaxis"]["title"]["text"] == expected
