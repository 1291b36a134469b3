"""Every config that comes with wflow, run through the command with small numbers."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tests.studies.small_runs import run_config
from tests.studies.tiny import TINY
from wflow.studies._configs import config_folder, config_names


# Configs whose small run is looked at by a test of its own, beside its study.
LOOKED_AT = {
    name
    for path in Path(__file__).parent.glob("test_*.py")
    for name in re.findall(r'run_config\("(\w+)"', path.read_text())
}


def test_every_config_has_its_small_numbers():
    assert set(TINY) == set(config_names())
    assert set(TINY) >= LOOKED_AT


def task(name):
    """The study of a config."""
    text = (config_folder() / f"{name}.yaml").read_text()
    return re.search(r"^task: (\w+)", text, re.MULTILINE)[1]


REST = sorted(set(config_names()) - LOOKED_AT)
# For each study one config is painted, here or there.
PAINTED = {task(name): name for name in [*reversed(REST), *LOOKED_AT]}.values()


@pytest.mark.slow
@pytest.mark.parametrize("name", REST)
def test_a_config_starts_runs_and_makes_figures(name, tmp_path, monkeypatch):
    if name not in PAINTED:
        monkeypatch.setattr(Figure, "savefig", lambda self, file, **_: None)
    run_config(name, tmp_path)
