"""A page in headless Chromium: no errors, no overflow, a slider that moves points."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from tests.plotting.pages import TABLE, motion
from wflow.plotting.report.blocks import Section, Words
from wflow.plotting.report.charts import loss_chart, score_chart
from wflow.plotting.report.page import Page, rendered
from wflow.plotting.report.plane import field_chart, stream_chart


NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

# The window of Chromium is no narrower than 500 pixels, a frame in it is.
FRAME = """<!doctype html><body style="margin:0"><pre id="answer"></pre>
<iframe id="page" src="report.html" style="border:0;width:WIDTHpx;height:900px">
</iframe>
<script>
const frame = document.getElementById("page");
frame.addEventListener("load", () => setTimeout(() => {
  const page = frame.contentDocument, box = page.querySelector(".motion");
  const slider = page.querySelector("input[type=range]");
  const places = () => [...box.querySelectorAll(".points path")].map(
    dot => dot.getAttribute("transform")).join();
  const before = places();
  slider.value = slider.max;
  slider.dispatchEvent(new frame.contentWindow.Event("input"));
  setTimeout(() => {
    document.getElementById("answer").textContent = "ANSWER" + JSON.stringify({
      wide: page.documentElement.scrollWidth,
      charts: page.querySelectorAll(".chart .main-svg, .motion .main-svg").length,
      boxes: page.querySelectorAll(".chart, .motion").length,
      moved: before !== places(),
      x: box.data[1].x, y: box.data[2].y,
      said: page.querySelector("output").textContent,
    }) + "END";
  }, 500);
}, 2500));
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser(tmp_path, width):
    step, x = np.arange(1.0, 60), np.linspace(0, 1, 20)
    field = x + x[:, None]
    axes = {"labels": ("a" * 60, "b " * 40), "label": "potential", "title": "Field"}
    # The last three change their group on the way.
    kinds = [["a"] * 6, *[["a"] * 3 + ["b"] * 3] * 4]
    moving = motion(labels=["a " * 40, "b"], groups=kinds)
    sections = [
        Section("Scores", [Words(["word " * 60, "w" * 200]), score_chart(TABLE)]),
        Section("Motion", [moving, stream_chart(motion())]),
        Section("Field", [field_chart(x, x, field, **axes), loss_chart(step, step)]),
    ]
    page = rendered(Page("A page with a title that is long", "b", sections))
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    words = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"),
        *("--disable-dev-shm-usage", "--allow-file-access-from-files"),
        *("--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=12000"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900"),
        *("--dump-dom", frame.as_uri()),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    found = re.search("ANSWER(.*?)END", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    answer = json.loads(html.unescape(found.group(1)))
    assert answer["wide"] <= width
    assert answer["charts"] >= answer["boxes"] == 5
    assert answer["moved"]
    assert answer["x"] == [4.0] * 3
    assert answer["y"] == [3.0, 4.0, 5.0]
    assert answer["said"].endswith("time 4; observed: time 4, held out")
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not [line for line in said if re.search("Uncaught|Error|Failed|ERR_", line)]
