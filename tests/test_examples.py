"""Every example runs, checks its oracle and draws its figure."""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest


EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("compositions/*.py")])


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_example(script, tmp_path):
    figure = tmp_path / "figure.png"
    runpy.run_path(str(script))["main"](figure)
    assert figure.stat().st_size > 5000
    plt.close("all")
