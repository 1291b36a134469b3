"""The task that holds every interior snapshot out, on a drifting cloud."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.report import Outcome, ScoreTable
from wflow.cli.tasks.population_leave_one_out import MIDPOINT, TASK


CONFIG = Path(__file__).resolve().parents[2] / "configs" / "leave_one_out_emt_3d.yaml"
SMALL = [
    "fit.steps=4",
    "fit.chunk=4",
    "fit.batch=8",
    "energy={kind: mlp, width: 4, depth: 1}",
    "velocity.width=4",
    "velocity.depth=1",
    "seeds=[0,1]",
    "precision=float64",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "drift.npz"
    rng = np.random.default_rng(0)
    t = np.repeat(np.arange(4), [14, 12, 16, 13])
    np.savez(path, x=rng.normal(size=(len(t), 3)) + 2.0 * t[:, None], t=t)
    return path


def _run(out, data, *more):
    pairs = [part for setting in (*SMALL, *more) for part in ("--set", setting)]
    arguments = ["run", CONFIG, "--data", data, "--out", out, *pairs]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_run(tmp_path, data):
    result = _run(tmp_path / "run", data)
    assert result.exit_code == 0, result.output
    assert "OT midpoint of the neighbours" in result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for name in ("w1", "ot_midpoint_w1", "nothing_moves_w1", "half_sample_w1"):
        rows = [metrics[f"{name}_{k}"] for k in (1, 2)]
        np.testing.assert_allclose(metrics[f"{name}_mean"], np.mean(rows), rtol=0.05)
    # The yardsticks are those of no seed.
    assert metrics["ot_midpoint_w1_mean_min"] == metrics["ot_midpoint_w1_mean_max"]
    np.testing.assert_allclose(metrics["nothing_moves_w1_mean"], 12**0.5, rtol=0.3)
    assert metrics["w1_mean"] < metrics["nothing_moves_w1_mean"]
    assert metrics["wins_over_nothing_moves"] == 1
    # Two snapshots, each from both sides.
    assert metrics["fits"] == 4
    seed = tmp_path / "run" / "seed-1"
    names = {path.name for path in (seed / "models").iterdir()}
    sides = ("forwards", "backwards")
    assert names == {f"{k}-{side}.eqx" for k in (1, 2) for side in sides}
    assert (seed / "figures" / "scores.png").is_file()
    history = (seed / "history.csv").read_text().splitlines()
    assert history[0].startswith("held_out,backwards,step,loss")
    assert len(history) == 1 + 4 * 4


def test_a_win_is_one_by_the_median_over_seeds():
    # Each seed wins at one of two hold-outs; by medians the model wins at both.
    def outcome(row):
        rows = {"model": row, MIDPOINT: [2.0, 2.0], "nothing moves": [3.0, 0.5]}
        table = ScoreTable("", ("a", "b"), rows)
        return Outcome({"wins_over_ot_midpoint": 0.5}, [table])

    rows = ([1.0, 3.0], [3.0, 1.0], [1.0, 1.0])
    pooled = TASK.pooled([outcome(row) for row in rows])
    assert pooled.metrics["wins_over_ot_midpoint"] == 1.0
    assert pooled.metrics["wins_over_nothing_moves"] == 0.5


def test_refusals(tmp_path, data):
    result = _run(tmp_path / "growing", data, "growth={}")
    assert result.exit_code != 0
    assert "growth: expected null" in result.output
    np.savez(tmp_path / "two.npz", x=np.ones((4, 3)), t=[0, 0, 1, 1])
    result = _run(tmp_path / "two", tmp_path / "two.npz")
    assert result.exit_code != 0
    assert "at least three snapshots" in result.output
