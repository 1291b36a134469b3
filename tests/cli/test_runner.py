"""Run directories, seeds, failures and resumption, with a task that only pretends."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli import runner
from wflow.cli.app import app
from wflow.cli.config import TaskConfig
from wflow.cli.errors import CommandError
from wflow.cli.report import Outcome, ScoreTable, median_outcome
from wflow.cli.rundir import RunDirectory
from wflow.cli.task import AbstractTask


class PretendConfig(TaskConfig):
    fail: str = ""
    factor: float = 1.0


class Pretend(AbstractTask[PretendConfig]):
    summary = "pretends"
    config = PretendConfig
    resumed: bool | None = None

    def check(self, config, source):
        if config.factor < 0:
            raise CommandError(f"{source}: factor is negative.")

    def run(self, config, directory, *, resume, console):
        self.resumed = resume
        assert jnp.zeros(1).dtype == config.precision
        directory.write_history({"step": [1, 2], "loss": [0.5, 0.25]})
        if config.fail:
            raise {"solve": RuntimeError, "loss": FloatingPointError}[config.fail](
                "the cloud left the reals at t = 3.\nAdvice for programmers."
            )
        directory.model.touch()
        score = config.factor * (config.seed + 1.0)
        table = ScoreTable("W1", ("a", "b"), {"model": [score, 2.0], "other": [3, 3]})
        return Outcome({"test_w1": score}, [table])


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    task = Pretend()
    monkeypatch.setattr(runner, "load_task", lambda name, source: task)
    config = tmp_path / "pretend.yaml"
    config.write_text("task: pretend\nprecision: float64\n")

    def call(*arguments, out="run"):
        return CliRunner().invoke(
            app, ["run", str(config), "--out", str(tmp_path / out), *arguments]
        )

    call.task = task
    yield call
    jax.config.update("jax_enable_x64", True)


def _metrics(path):
    return json.loads((path / "metrics.json").read_text())


def test_a_run_fills_its_directory(invoke, tmp_path):
    result = invoke("--set", "factor=0.5")
    assert result.exit_code == 0, result.output
    assert "The model (mean 1.2500) beats other (3.0000)." in result.output
    metrics = _metrics(tmp_path / "run")
    assert metrics["test_w1"] == 0.5
    assert metrics["total_seconds"] > 0
    assert "test_w1_median" not in metrics
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["factor"] == 0.5
    assert config["seed"] == 0
    assert config["environment"]["versions"]["jax"]
    assert "cpu" in config["environment"]["device"]
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert history == ["step,loss", "1,0.5", "2,0.25"]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_precision_is_chosen_before_the_first_array(invoke, precision):
    result = invoke("--set", f"precision={precision}")
    assert result.exit_code == 0, result.output


def test_seeds_give_medians_and_a_folder_each(invoke, tmp_path):
    result = invoke("--set", "seeds=[0, 1, 7]")
    assert result.exit_code == 0, result.output
    metrics = _metrics(tmp_path / "run")
    assert metrics["test_w1"] == metrics["test_w1_median"] == 2.0
    assert metrics["total_seconds"] == metrics["total_seconds_median"]
    for seed in (0, 1, 7):
        folder = tmp_path / "run" / f"seed-{seed}"
        assert _metrics(folder)["test_w1"] == seed + 1
        assert yaml.safe_load((folder / "config.yaml").read_text())["seed"] == seed
    assert "median of 3 seeds" in result.output
    evaluated = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run")])
    assert evaluated.exit_code == 2
    assert "several seeds" in evaluated.stderr


@pytest.mark.parametrize("fail", ["solve", "loss"])
def test_a_failure_is_a_sentence_and_keeps_what_there_is(invoke, tmp_path, fail):
    result = invoke("--set", f"fail={fail}")
    assert result.exit_code == 1
    assert "Failed: the cloud left the reals at t = 3." in result.stderr
    assert "Advice" not in result.stderr
    assert "Traceback" not in result.output
    assert (tmp_path / "run" / "history.csv").exists()
    assert (tmp_path / "run" / "config.yaml").exists()
    plotted = CliRunner().invoke(app, ["plot", str(tmp_path / "run")])
    assert plotted.exit_code == 2
    assert "has not finished" in plotted.stderr


def test_resume_goes_on_with_the_same_config_only(invoke, tmp_path):
    assert "starting a new one" in invoke("--resume").output
    assert invoke.task.resumed is False
    assert invoke("--resume").exit_code == 0
    assert invoke.task.resumed is True
    refused = invoke("--resume", "--set", "factor=2")
    assert refused.exit_code == 2
    assert "factor was 1.0 there and is 2.0 now" in refused.stderr
    marker = tmp_path / "run" / "figures" / "old.png"
    marker.parent.mkdir()
    marker.touch()
    assert invoke().exit_code == 0
    assert invoke.task.resumed is False
    assert not marker.exists()


def test_nothing_is_written_before_the_checks_or_over_other_files(invoke, tmp_path):
    assert invoke("--set", "factor=-1").exit_code == 2
    assert not (tmp_path / "run").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    refused = invoke(out="thesis")
    assert refused.exit_code == 2
    assert "holds files but no run" in refused.stderr
    assert (tmp_path / "thesis" / "chapter.tex").exists()
    refused = invoke("--data", "x.npz")
    assert refused.exit_code == 2
    assert "reads no file" in refused.stderr


def test_history_comes_back_as_it_was_written(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.read_history() == {}
    loss = np.random.default_rng(0).normal(size=5).astype(np.float32)
    directory.write_history({"step": np.arange(5), "loss": loss})
    found = directory.read_history()
    np.testing.assert_array_equal(np.asarray(found["loss"], np.float32), loss)
    np.testing.assert_array_equal(found["step"], np.arange(5))


def test_verdicts():
    rows = {"model": [0.2], "nothing moves": [0.3], "mean shift": [0.1], "none": [None]}
    table = ScoreTable("W1", ("1",), rows)
    assert table.verdict("model") == (
        "The model (0.2000) beats nothing moves (0.3000), loses to mean shift (0.1000)."
    )
    assert table.mean("none") is None
    worse = ScoreTable("W1", ("1",), {"model": [1], "a": [0.5], "b": [1]})
    assert "loses to every baseline: a (0.5000) and b (1.0000)" in worse.verdict(
        "model"
    )
    assert ScoreTable("W1", ("1",), {"model": [1]}).verdict("model") == ""


def test_medians_over_seeds():
    outcomes = [
        Outcome({"w1": w, "odd": 1}, [ScoreTable("W1", ("a",), {"model": [w]})])
        for w in (3.0, 1.0, 2.0)
    ]
    outcomes[0] = Outcome({"w1": 3.0}, outcomes[0].tables)
    median = median_outcome(outcomes)
    assert median.metrics == {"w1": 2.0, "w1_median": 2.0, "w1_min": 1.0, "w1_max": 3.0}
    (table,) = median.tables
    assert table.rows["model"] == [2.0]
    assert table.mean("model") == 2.0


def test_the_mean_over_cases_is_the_median_of_the_seeds_means():
    rows = ([0.0, 3.0], [2.0, 2.0], [4.0, 0.0])
    tables = [ScoreTable("W1", ("a", "b"), {"model": r, "base": [9, 9]}) for r in rows]
    (table,) = median_outcome([Outcome({}, [table]) for table in tables]).tables
    assert table.rows["model"] == [2.0, 2.0]
    assert table.mean("model") == 2.0
    assert "mean 2.0000, 1.5000 to 2.0000 over seeds" in table.verdict("model")


def test_time_is_counted_from_the_start_of_the_process():
    code = (
        "import time; time.sleep(0.3)\n"
        "from wflow.cli.clock import seconds_since_start as s\n"
        "assert 0.3 <= s() < 60, s()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_commands_load_quickly():
    code = (
        "import sys, wflow.cli.app\n"
        "heavy = {'matplotlib', 'ott', 'ot', 'plotly', 'anndata', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_new_run_clears_what_the_old_one_learned(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.clear()
    directory.write_config({"task": "pretend"})
    for folder in (directory.models, directory.checkpoints, directory.figures):
        folder.mkdir()
        (folder / "old").touch()
    directory.clear()
    assert [path.name for path in directory.path.iterdir()] == ["config.yaml"]
