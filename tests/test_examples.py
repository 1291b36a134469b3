"""Every example runs, checks its oracle and draws its figure."""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest


EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("compositions/*.py")])


def test_examples_are_short():
    """A newcomer reads them whole."""
    assert all(len(script.read_text().splitlines()) < 60 for script in SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_example(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    assert Path(f"{script.stem}.png").stat().st_size > 5000
    plt.close("all")
