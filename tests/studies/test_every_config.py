"""Every config that comes with wflow, run through the command with small numbers."""

import json

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.studies.tiny import FILES, TINY
from wflow.cli.app import app
from wflow.studies._configs import config_names


@pytest.fixture(autouse=True)
def _precision():
    """The command chooses the width of floats for its process; tests share one."""
    yield
    jax.config.update("jax_enable_x64", True)


def test_every_config_has_its_small_numbers():
    assert set(TINY) == set(config_names())


@pytest.mark.slow
@pytest.mark.parametrize("name", config_names())
def test_a_config_starts_runs_and_draws(name, tmp_path):
    words = ["run", name, "--out", str(tmp_path / "run"), "--quiet"]
    for key, value in TINY[name].items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    if name in FILES:
        file, arrays = FILES[name]
        np.savez(tmp_path / file, **arrays)
        words += ["--data", str(tmp_path / file)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics.pop("total_seconds") > 0
    assert metrics
    assert list((tmp_path / "run").rglob("figures/*.png"))
