"""Every example runs, checks its oracle and draws its figure."""

import runpy
from pathlib import Path

import pytest


EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SLOW = {
    "attention",
    "canonical",
    "chaos",
    "filtering",
    "inertia",
    "network",
    "posterior",
    "reaction",
    "resetting",
    "resetting_network",
    "saddle",
    "scale",
}


def _case(script):
    marks = pytest.mark.slow if script.stem in SLOW else ()
    return pytest.param(script, id=script.stem, marks=marks)


@pytest.mark.parametrize("script", [_case(p) for p in sorted(EXAMPLES.glob("*.py"))])
def test_example(script, tmp_path):
    figure = tmp_path / "figure.png"
    runpy.run_path(str(script))["main"](figure)
    assert figure.stat().st_size > 5000
