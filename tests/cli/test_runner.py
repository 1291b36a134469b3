"""Run directories, seeds, failures and resumption, with a task that only pretends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from wflow import studies
from wflow.cli import runner
from wflow.cli.app import app
from wflow.cli.errors import CommandError, Terminated
from wflow.cli.lock import locked
from wflow.cli.stopping import terminable
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._params import StudyParams
from wflow.studies._tables import read_columns, read_numbers
from wflow.studies._task import AbstractTask
from wflow.studies.population._times import time_text


FAILURES = {
    "solve": RuntimeError("the cloud left the reals at t = 3.\nAdvice."),
    "loss": FloatingPointError("the cloud left the reals at t = 3.\nAdvice."),
    "disk": OSError(28, "No space left on device", "runs/model.eqx"),
    "memory": MemoryError("Unable to allocate 7.28 TiB for an array"),
    "depth": RecursionError("maximum recursion depth exceeded"),
    "stop": KeyboardInterrupt(),
    "end": Terminated(),
}


class PretendConfig(StudyParams):
    fail: str = ""
    factor: float = 1.0


class Pretend(AbstractTask[PretendConfig]):
    config = PretendConfig
    resumed: bool | None = None

    def check(self, config, source):
        if config.factor < 0:
            raise CommandError(f"{source}: factor is negative.")

    def run(self, config, directory, *, resume, log):
        self.resumed = resume
        directory.checkpoints()
        if config.fail == "refused":
            raise ValueError("velocity: expected one with every snapshot, found none.")
        assert jnp.zeros(1).dtype == config.precision
        directory.write_history({"step": [1, 2], "loss": [0.5, 0.25]})
        if config.fail in FAILURES:
            raise FAILURES[config.fail]
        directory.claim(directory.model).touch()
        score = config.factor * (config.seed + 1.0)
        table = ScoreTable("W1", ("a", "b"), {"model": [score, 2.0], "other": [3, 3]})
        return Outcome({"test_w1": score}, [table])


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    task = Pretend()
    monkeypatch.setattr(studies, "load", lambda name: task)
    config = tmp_path / "pretend.yaml"
    config.write_text("task: pretend\nprecision: float64\n")

    def call(*arguments, out="run"):
        place = [] if out is None else ["--out", str(tmp_path / out)]
        return CliRunner().invoke(app, ["run", str(config), *place, *arguments])

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


class WideConfig(PretendConfig):
    precision: Literal["float64"] = "float64"


class Wide(Pretend):
    config = WideConfig


def test_a_study_may_have_a_precision_of_its_own(monkeypatch):
    monkeypatch.setattr(studies, "load", lambda name: Wide())
    jax.config.update("jax_enable_x64", False)
    try:
        _, config = runner.prepare({"task": "pretend"}, "x", None)
        assert jnp.zeros(1).dtype == config.precision == "float64"
        with pytest.raises(ValueError, match="precision: expected 'float64'"):
            runner.prepare({"task": "pretend", "precision": "float32"}, "x", None)
    finally:
        jax.config.update("jax_enable_x64", True)


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


@pytest.mark.parametrize(
    ("fail", "code", "sentence"),
    [
        ("solve", 1, "Failed: the cloud left the reals at t = 3."),
        ("loss", 1, "Failed: the cloud left the reals at t = 3."),
        ("disk", 1, "Failed: runs/model.eqx: No space left on device."),
        ("memory", 1, "Failed: out of memory. Unable to allocate 7.28 TiB"),
        ("depth", 1, "Failed: the computation is nested too deeply."),
        ("stop", 130, "Stopped."),
        ("end", 143, "Stopped."),
    ],
)
def test_a_failure_is_a_sentence_and_keeps_what_there_is(
    invoke, tmp_path, fail, code, sentence
):
    result = invoke("--set", f"fail={fail}")
    assert result.exit_code == code
    assert sentence in result.stderr
    assert f"What was computed until then is in {tmp_path / 'run'}." in result.stderr
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
    assert invoke("--overwrite").exit_code == 0
    assert invoke.task.resumed is False
    both = invoke("--resume", "--overwrite")
    assert both.exit_code == 2
    assert "give one of them" in both.stderr


def test_nothing_is_written_before_the_checks_or_over_other_files(invoke, tmp_path):
    assert invoke("--set", "factor=-1").exit_code == 2
    assert not (tmp_path / "run").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    refused = invoke(out="thesis")
    assert refused.exit_code == 2
    assert "found files without the record of a run" in refused.stderr
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


@pytest.mark.slow
def test_the_commands_load_quickly_and_time_is_counted_from_the_start():
    code = (
        "import sys, time; time.sleep(0.3)\n"
        "from wflow.cli.clock import seconds_since_start as s\n"
        "assert 0.3 <= s() < 60, s()\n"
        "import wflow.cli.app\n"
        "heavy = {'jax', 'matplotlib', 'ott', 'ot', 'plotly', 'anndata', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_finished_run_is_kept_unless_it_is_to_be_replaced(invoke, tmp_path):
    run = tmp_path / "run"
    assert invoke().exit_code == 0
    (run / "notes.txt").write_text("mine")
    before = _contents(run)
    refused = invoke()
    assert refused.exit_code == 2
    assert "found a finished one. --overwrite replaces it" in refused.stderr
    # Refused by the schema, by the task, and when it begins to run.
    for setting in ("factr=1", "factor=-1", "fail=refused"):
        result = invoke("--overwrite", "--set", setting)
        assert result.exit_code == 2, result.output
        assert _contents(run) == before
    # It had computed something: both are there.
    failed = invoke("--overwrite", "--set", "fail=loss")
    assert failed.exit_code == 1
    assert f"The finished run is in {run / '.replaced'} until" in failed.stderr
    assert (run / ".replaced" / "model.eqx").exists()
    assert "--resume goes on with it" in invoke().stderr
    assert invoke("--overwrite", "--set", "factor=2").exit_code == 0
    assert not (run / ".replaced").exists()
    assert _metrics(run)["test_w1"] == 2
    assert (run / "notes.txt").read_text() == "mine"


def test_a_refused_run_leaves_no_folder(invoke, tmp_path):
    assert invoke("--set", "fail=refused", out="new").exit_code == 2
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    assert invoke("--set", "fail=refused", out="old").exit_code == 2
    assert list((tmp_path / "old").iterdir()) == []


def test_the_files_of_others_are_never_touched(invoke, tmp_path):
    project = tmp_path / "project"
    names = ("figures/plot.txt", "seed-bank/a.txt", "models/m.eqx", "config.yaml")
    for name in names:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("mine: true")
    before = _contents(project)
    for options in ([], ["--overwrite"], ["--resume"]):
        refused = invoke(*options, out="project")
        assert refused.exit_code == 2
        assert "record of a run" in refused.stderr
        assert _contents(project) == before
    # One of the same name in a run's own folder.
    assert invoke("--set", "fail=loss").exit_code == 1
    (tmp_path / "run" / "model.eqx").write_text("mine")
    refused = invoke("--resume", "--set", "fail=loss")
    assert refused.exit_code == 1
    refused = invoke("--overwrite")
    assert refused.exit_code == 2
    assert "that the run did not write" in refused.stderr
    assert (tmp_path / "run" / "model.eqx").read_text() == "mine"
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for text in ("{}", "[", '{"wflow": 1, "state": "finished", "files": {"../a": ""}}'):
        (damaged / ".wflow.json").write_text(text)
        refused = invoke("--overwrite", out="damaged")
        assert refused.exit_code == 2
        assert "expected the record of a run" in refused.stderr


def test_without_a_folder_every_run_gets_one(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = invoke(out=None)
    assert first.exit_code == 0, first.output
    runs = tmp_path / "runs" / "pretend"
    (one,) = (path for path in runs.iterdir() if not path.is_symlink())
    assert (runs / "latest").resolve() == one
    assert invoke("--set", "factor=3", out=None).exit_code == 0
    (two,) = (p for p in runs.iterdir() if not p.is_symlink() and p != one)
    assert (runs / "latest").resolve() == two
    assert _metrics(one)["test_w1"] == 1
    assert _metrics(two)["test_w1"] == 3
    resumed = invoke("--resume", "--set", "factor=3", out=None)
    assert resumed.exit_code == 0, resumed.output
    assert f"everything is in {two.relative_to(tmp_path)}." in resumed.output
    assert invoke.task.resumed is True
    # One that is refused is not the latest.
    assert invoke("--set", "fail=refused", out=None).exit_code == 2
    assert (runs / "latest").resolve() == two
    assert len(list(runs.iterdir())) == 3
    asked = CliRunner().invoke(app, ["plot", "runs/pretend"])
    assert "name one, as in runs/pretend/latest" in asked.stderr
    assert "expected a folder to replace" in invoke("--overwrite", out=None).stderr


def test_latest_is_a_file_where_there_are_no_links(invoke, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no links here")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert invoke(out=None).exit_code == 0
    assert invoke("--resume", out=None).exit_code == 0
    assert invoke.task.resumed is True
    pointer = Path("runs/pretend/latest")
    assert (pointer.parent / pointer.read_text().strip() / "config.yaml").exists()


def test_two_runs_in_one_folder(invoke, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with locked(run):
        for options in ([], ["--overwrite"], ["--resume"]):
            refused = invoke(*options)
            assert refused.exit_code == 2
            assert f"process {os.getpid()} on" in refused.stderr
    assert invoke().exit_code == 0
    assert not (run / ".wflow.lock").exists()


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/x", "{file}", "{file}/x"])
def test_a_folder_that_cannot_be(invoke, tmp_path, place):
    (tmp_path / "file").touch()
    result = invoke(out=place.format(file=tmp_path / "file"))
    assert result.exit_code == 2
    assert "--out" in result.stderr
    assert "folder" in result.stderr


@pytest.mark.parametrize("wrong", ["", "{", "\x00\xff", "[]", "null", "task: 3\n"])
@pytest.mark.parametrize("name", ["config.yaml", "metrics.json", "history.csv"])
def test_a_file_that_was_damaged_is_named(invoke, tmp_path, name, wrong):
    path = tmp_path / "run" / name
    assert invoke().exit_code == 0
    path.write_bytes(wrong.encode("latin-1"))
    result = CliRunner().invoke(app, ["plot", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert name in result.stderr
    assert "Traceback" not in result.output


def test_a_config_that_was_cut_short_is_not_read_with_defaults(invoke, tmp_path):
    assert invoke("--set", "factor=0.5").exit_code == 0
    path = tmp_path / "run" / "config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    for count in range(1, len(lines)):
        path.write_text("".join(lines[:count]))
        result = CliRunner().invoke(app, ["plot", str(tmp_path / "run")])
        assert result.exit_code == 2
        assert "config.yaml" in result.stderr


def test_tables_name_what_is_wrong(tmp_path):
    path = tmp_path / "t.csv"
    for text, words in {
        "": "found nothing",
        "a,b\n1\n": "expected 2 cells in row 1, found 1",
        "a,b\n1,x\n": "expected a number under 'b', found 'x'",
    }.items():
        path.write_text(text)
        with pytest.raises(
            (CommandError, ValueError), match=re.escape(f"{path} is damaged: ")
        ) as e:
            read_columns(path)
        assert words in str(e.value)
    path.write_text("a,b\n")
    assert read_columns(path) == {"a": [], "b": []}
    path.write_text("a,b\n1,2\n")
    with pytest.raises(
        (CommandError, ValueError), match="expected a column 'c', found none"
    ):
        read_columns(path).arrays()["c"]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="expected text"):
        read_columns(path)
    path = tmp_path / "n.json"
    path.write_text('{"a": "x"}')
    with pytest.raises(
        (CommandError, ValueError), match="expected a number 'a', found 'x'"
    ):
        read_numbers(path)
    with pytest.raises(ValueError, match="No such file"):
        read_numbers(tmp_path / "none.json")


def test_sigterm_ends_as_an_interrupt_does():
    def stopped():
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(Terminated):
        stopped()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("time", "others", "text"),
    [
        (1997.0000000000002, [], "1997"),
        (0.30000000000000004, [], "0.3"),
        (np.float32(0.1), [], "0.1"),
        (1 / 3, [], "0.333333"),
        (20240104, [20240105], "20240104"),
        (202401, [202402], "202401"),
        (2024.0417, [2024.0448], "2024.0417"),
        (1.7e9 + 1, [1.7e9], "1700000001"),
        (2.0000001, [2.0], "2.0000001"),
        (2.0, [2.0000000000000004], "2"),
        (-5e-7, [0.0], "-5e-07"),
    ],
)
def test_times_keep_the_digits_that_tell_them_apart(time, others, text):
    assert time_text(time, others) == text
