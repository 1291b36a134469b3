"""A config with small numbers, run through the command."""

import json
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from typer.testing import CliRunner

from tests.studies.tiny import TINY
from tests.studies.tiny_files import FILES
from wflow.cli.app import app
from wflow.studies import load
from wflow.studies._folder import RunDirectory
from wflow.studies._params import validate


class Ran(NamedTuple):
    """A finished run: its folder, its numbers and what it printed, in one line."""

    directory: RunDirectory
    metrics: dict[str, float]
    said: str

    @property
    def task(self):
        """The study, and the parameters that it was run with."""
        raw = self.directory.read_config()
        study = load(raw["task"])
        return study, validate(study.config, raw, "config")


def run_config(name: str, folder: Path) -> Ran:
    """Run a config with its small numbers: it ends, with figures and metrics."""
    words = ["run", name, "--out", str(folder / "run")]
    for key, value in TINY[name].items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    if name in FILES:
        file, arrays = FILES[name]
        np.savez(folder / file, **arrays)
        words += ["--data", str(folder / file)]
    try:
        result = CliRunner().invoke(app, words)
    finally:
        # The command chooses the width of floats for its process; tests share one.
        jax.config.update("jax_enable_x64", True)
    assert result.exit_code == 0, result.output
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics.pop("total_seconds") > 0
    assert metrics
    assert list((folder / "run").rglob("figures/*.png"))
    return Ran(RunDirectory(folder / "run"), metrics, " ".join(result.output.split()))
