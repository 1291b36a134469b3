"""Trackers: what is written where, with packages that only take notes."""

import csv
import sys
import types
from typing import NamedTuple

import numpy as np
import pytest

from wflow.io import tracker


class Chunk(NamedTuple):
    step: int
    recent: dict
    validation: float | None = None


def chunk(first, last, **more):
    step = np.arange(first, last + 1)
    rows = {"step": step, "loss": 1.0 / step, "grad_norm": np.sqrt(step)}
    # What is no number a step has no curve.
    return Chunk(last, {**rows, "per_part": np.ones((len(step), 2))}, **more)


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_table_grows_and_is_gone_on_with(tmp_path):
    track = tracker("csv", tmp_path / "run")
    track(chunk(1, 2))
    path = tmp_path / "run" / "log.csv"
    # There while the training runs.
    assert len(rows_of(path)) == 2
    track(chunk(3, 4, validation=0.25))
    # A run that goes on from step 2 writes no step twice.
    with tracker("csv", tmp_path / "run") as again:
        again(chunk(3, 6))
    rows = rows_of(path)
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[4]["loss"]) == 1 / 5
    assert [row["validation"] for row in rows] == ["", "", "", "0.25", "", ""]
    assert set(rows[0]) == {"step", "loss", "grad_norm", "validation"}


def noting(notes, **functions):
    def note(name):
        return lambda *args, **kwargs: notes.append((name, args, kwargs))

    package = types.ModuleType("package")
    for name in functions.get("names", ()):
        setattr(package, name, note(name))
    return package


@pytest.mark.parametrize("kind", ["trackio", "wandb"])
def test_projects_are_told_every_step(monkeypatch, tmp_path, kind):
    notes = []
    package = noting(notes, names=("init", "log", "finish"))
    monkeypatch.setitem(sys.modules, kind, package)
    track = tracker(kind, tmp_path, name="mine", config={"seed": 3})
    track(chunk(1, 2, validation=0.5))
    track.finish({"test_w1": 0.1, "lost": np.nan})
    track.finish()
    (_, _, options), first, second, scores, end = notes
    assert options["project"] == "wflow"
    assert (options["name"], options["config"]) == ("mine", {"seed": 3})
    assert first == ("log", ({"loss": 1.0, "grad_norm": 1.0},), {"step": 1})
    assert second[1][0]["validation"] == 0.5
    assert scores[1] == ({"run/test_w1": 0.1},)
    assert end[0] == "finish"


def test_tensorboard_has_scalars(monkeypatch, tmp_path):
    notes = []
    writer = noting(notes, names=("add_scalar", "flush", "close"))
    package = types.ModuleType("tensorboardX")
    package.SummaryWriter = lambda folder: writer
    monkeypatch.setitem(sys.modules, "tensorboardX", package)
    with tracker("tensorboard", tmp_path) as track:
        track(chunk(1, 1))
        track.finish({"test_w1": 0.1})
    assert [args for _, args, _ in notes if args] == [
        ("training/loss", 1.0, 1),
        ("training/grad_norm", 1.0, 1),
        ("run/test_w1", 0.1, 1),
    ]
    assert [name for name, *_ in notes].count("close") == 1


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"pip install 'wflow-jax\[trackio\]'"
    ):
        tracker("trackio", tmp_path)
    with pytest.raises(ValueError, match="csv, tensorboard, trackio, wandb"):
        tracker("mlflow", tmp_path)
