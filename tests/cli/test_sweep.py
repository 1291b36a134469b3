"""Sweeps: what is run, and the table of it."""

import csv
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli import sweep as sweeping
from wflow.cli.app import app
from wflow.cli.errors import CommandError
from wflow.cli.sweep import parse_grid
from wflow.studies._folder import RunDirectory


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def test_words_are_values():
    assert parse_grid(["fit.steps=200,1000", "seed=2..0", "name='a,b',[1, 2],x"]) == {
        "fit.steps": ["200", "1000"],
        "seed": ["2", "1", "0"],
        "name": ["'a,b'", "[1, 2]", "x"],
    }
    for words, match in (
        (["seed"], "expected key=value"),
        (["seed=1,,2"], "expected key=value"),
        (["seed=1", "seed=2"], "given twice"),
        (["a=0..200", "b=0..200"], "found 40401 runs"),
        (["a=0..99999"], "10000 values at most"),
        ([], "found no key"),
    ):
        with pytest.raises(CommandError, match=match):
            parse_grid(words)


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    config = tmp_path / "mine.yaml"
    config.write_text("task: pretend\nfit: {steps: 5}\n")
    ran = []

    def run(config, point, data, folder, threads):
        name = sweeping._name(point)
        directory = RunDirectory(folder / name)
        if directory.read_metrics():
            return name, ""
        ran.append(point)
        if point["seed"] == "1":
            return name, "Failed: something."
        directory.path.mkdir()
        score = int(point["fit.steps"]) + int(point["seed"]) / 10
        directory.write_metrics({"test_w1": score, "steps": 1.0})
        return name, ""

    monkeypatch.setattr(sweeping, "_run", run)

    def call(*words):
        out = str(tmp_path / "out")
        command = ["sweep", str(config), *words, "--out", out, "--jobs", "2"]
        return CliRunner().invoke(app, command)

    call.ran = ran
    return call


def test_a_sweep_is_a_table_and_goes_on(invoke, tmp_path):
    result = invoke("fit.steps=2,3", "seed=0..2")
    assert result.exit_code == 1
    assert "2 of 6 runs failed: fit.steps-2,seed-1" in result.output
    with (tmp_path / "out" / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["test_w1"] for row in rows] == ["2.0", "", "2.2", "3.0", "", "3.2"]
    assert rows[5] == {"fit.steps": "3", "seed": "2", "test_w1": "3.2", "steps": "1.0"}
    assert "3.2" in result.output
    # What has finished is not run again.
    assert len(invoke.ran) == 6
    invoke("fit.steps=2,3", "seed=0..2")
    assert [point["seed"] for point in invoke.ran[6:]] == ["1", "1"]


def test_what_the_config_cannot_take_runs_nothing(invoke):
    result = invoke("fit.steps.more=2", "seed=0")
    assert result.exit_code == 2
    assert "fit.steps is 5, which has no keys" in result.output
    assert not invoke.ran


@pytest.mark.slow
def test_processes_fill_folders(tmp_path):
    config = yaml.safe_load((CONFIGS / "resetting_ou.yaml").read_text())
    path = tmp_path / "ou.yaml"
    path.write_text(yaml.safe_dump(config))
    out = tmp_path / "out"
    command = ["sweep", str(path), "nothing=1,2", "--out", str(out), "--jobs", "1"]
    result = CliRunner().invoke(app, command)
    # Each process says what is wrong with its config, and the sweep repeats it.
    assert result.exit_code == 1
    assert "nothing-1: " in result.output
    assert "nothing" in result.output.splitlines()[1]
