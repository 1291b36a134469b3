"""Every config that comes with wflow, with small numbers."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.studies.small_runs import run_config
from tests.studies.tiny import TINY
from tests.studies.tiny_files import FILES
from wflow.cli.runner import prepare
from wflow.studies._configs import config_folder, config_names, override, read_yaml


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


# For each study one config is run as a whole, here or there; the studies of the others
# do the same with other parts and other numbers.
WHOLE = {task(name): name for name in [*sorted(config_names()), *LOOKED_AT]}
HERE = sorted(set(WHOLE.values()) - LOOKED_AT)
REST = sorted(set(config_names()) - LOOKED_AT - set(HERE))


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_a_config_runs_and_makes_figures(name, tmp_path):
    run_config(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", REST)
def test_a_config_starts(name, tmp_path):
    """Its data are there, its parts are made, and they go with each other."""
    changes = [f"{key}={json.dumps(value)}" for key, value in TINY[name].items()]
    data = None
    if name in FILES:
        file, arrays = FILES[name]
        data = tmp_path / file
        np.savez(data, **arrays)
    path = config_folder() / f"{name}.yaml"
    try:
        study, config = prepare(override(read_yaml(path), changes), name, data)
    finally:
        jax.config.update("jax_enable_x64", True)
    assert isinstance(config, study.config)
