"""Every config that comes with wflow, run through the command with small numbers."""

import re
from pathlib import Path

import pytest

from tests.studies.small_runs import run_config
from tests.studies.tiny import TINY
from wflow.studies._configs import config_names


# Configs whose small run is looked at by a test of its own, beside its study.
LOOKED_AT = {
    name
    for path in Path(__file__).parent.glob("test_*.py")
    for name in re.findall(r'run_config\("(\w+)"', path.read_text())
}


def test_every_config_has_its_small_numbers():
    assert set(TINY) == set(config_names())
    assert set(TINY) >= LOOKED_AT


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(config_names()) - LOOKED_AT))
def test_a_config_starts_runs_and_draws(name, tmp_path):
    run_config(name, tmp_path)
