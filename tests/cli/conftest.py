"""The commands choose the width of floats for their process; tests share one."""

import json
from pathlib import Path

import jax
import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(autouse=True)
def _precision():
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.fixture
def run(tmp_path):
    """A config with changes run and drawn again: metrics, or output where it fails."""

    def run(name, changes, *arguments, code=0):
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**config, **changes}))
        out = tmp_path / "run"
        command = ["run", str(path), "--out", str(out), *map(str, arguments)]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == code, result.output
        if code:
            return result.output, out
        again = CliRunner().invoke(app, ["plot", str(out)])
        assert again.exit_code == 0, again.output
        return json.loads((out / "metrics.json").read_text()), out

    return run
