"""One run by two processes: what one process finds, written by the first of them."""

import json
import os
import socket
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import CONFIGS
from wflow.cli.app import app


WORDS = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path):
    config = yaml.safe_load((CONFIGS / "gapminder.yaml").read_text())
    config["energy"] |= {"width": 4, "depth": 1}
    config["fit"] |= {"steps": 3, "loss": {"kind": "CharacteristicDistance"}}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def started(name, process=None):
        own = {**os.environ, "TMPDIR": str(tmp_path)}
        words = ["run", str(path), "--out", str(tmp_path / name)]
        if process is not None:
            own |= dict(zip(WORDS, (address, "2", str(process)), strict=True))
            words.append("--distributed")
        command = [sys.executable, "-c", "from wflow.cli import main; main()", *words]
        return subprocess.Popen(command, env=own, stderr=subprocess.PIPE, text=True)

    running = [started("two", 0), started("two", 1), started("one")]
    errors = [process.communicate(timeout=900)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    one, two = (
        json.loads((tmp_path / name / "metrics.json").read_text())
        for name in ("one", "two")
    )
    scores = [key for key in one if "second" not in key]
    assert set(scores) <= set(two)
    assert [two[key] for key in scores] == pytest.approx(
        [one[key] for key in scores], rel=1e-4
    )
    # The second process leaves nothing behind.
    assert not list(tmp_path.glob("wflow-process-*"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({WORDS[0]: "127.0.0.1:1"}, "no JAX_NUM_PROCESSES and no JAX_PROCESS_ID"),
        ({WORDS[0]: "127.0.0.1:1", WORDS[1]: "two", WORDS[2]: "0"}, "whole numbers"),
        ({WORDS[0]: "127.0.0.1:1", WORDS[1]: "2", WORDS[2]: "2"}, "found 2 of 2"),
    ],
)
def test_who_a_process_is_has_to_be_said(monkeypatch, given, said):
    for name in WORDS:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = CliRunner().invoke(app, ["run", "gapminder", "--distributed"])
    assert found.exit_code == 2
    assert said in " ".join(found.output.split())


def test_a_stopped_run_goes_on_in_one_process():
    found = CliRunner().invoke(app, ["run", "gapminder", "--distributed", "--resume"])
    assert found.exit_code == 2
    assert "goes on in one process" in " ".join(found.output.split())
