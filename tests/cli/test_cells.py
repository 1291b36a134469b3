"""The task that holds every interior snapshot out, on a drifting cloud."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from equinox import is_inexact_array
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.population.build import build_flow
from wflow.cli.population.data import load
from wflow.cli.runner import prepare
from wflow.cli.tasks.population_leave_one_out import MIDPOINT, TASK
from wflow.flows import LagrangianFlow
from wflow.learning import Fit
from wflow.parameters import Learnable
from wflow.populations import hold_outs
from wflow.studies._configs import override, read_yaml
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable


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
    # Equal where rollouts begin: one compiled program.
    t = np.repeat(np.arange(4), [14, 14, 16, 13])
    np.savez(path, x=rng.normal(size=(len(t), 3)) + 2.0 * t[:, None], t=t)
    return path


def _run(out, data, *more):
    pairs = [part for setting in (*SMALL, *more) for part in ("--set", setting)]
    return _invoke("run", CONFIG, "--data", data, "--out", out, *pairs)


def _invoke(*arguments):
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
        standard = [metrics[f"{name}_standardised_{k}"] for k in (1, 2)]
        # Another unit in every coordinate.
        assert all(a > 1.2 * b for a, b in zip(rows, standard, strict=True))
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
    for name in ("scores", "held_out"):
        assert (seed / "figures" / f"{name}.png").is_file()
    own = json.loads((seed / "metrics.json").read_text())
    shown = _invoke("evaluate", seed).output
    assert f"{own['w1_1']:.4f}" in shown
    assert f"{own['w1_standardised_2']:.4f}" in shown
    history = (seed / "history.csv").read_text().splitlines()
    assert history[0].startswith("held_out,backwards,step,loss")
    assert len(history) == 1 + 4 * 4


def test_a_win_is_one_by_the_median_over_seeds():
    # Each seed wins at one of two hold-outs; by medians the model wins at both.
    def outcome(row):
        rows = {"model": row, MIDPOINT: [2.0, 2.0], "nothing moves": [3.0, 0.5]}
        table = ScoreTable("", ("a", "b"), rows)
        return Outcome({"wins_over_ot_midpoint": 0.5}, [table, table])

    rows = ([1.0, 3.0], [3.0, 1.0], [1.0, 1.0])
    pooled = TASK.pooled([outcome(row) for row in rows])
    for suffix in ("", "_standardised"):
        assert pooled.metrics[f"wins_over_ot_midpoint{suffix}"] == 1.0
        assert pooled.metrics[f"wins_over_nothing_moves{suffix}"] == 0.5


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data):
    """The folder of a run whose laws, free flight at the true velocity, are given."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    raw = override(read_yaml(CONFIG), [*SMALL, "seeds=null", "sides=before"])
    _, config = prepare(raw, str(CONFIG), data)
    directory = RunDirectory(folder)
    directory.make()
    directory.write_config(config.model_dump(mode="json"))
    snapshots = load(config, "").snapshots
    for held in hold_outs(snapshots):
        train, units = held.train.standardise()
        flow = build_flow(config, 3, jax.random.key(0))
        still = jax.tree.map(lambda a: 0 * a if is_inexact_array(a) else a, flow.energy)
        # No force, and next to no friction.
        flow = LagrangianFlow(still, friction=Learnable(1e-6), force_scaling="unified")
        velocities = tuple(np.full_like(x, 2.0) / units.std for x in train)
        fit = Fit(flow, train, velocities, {"step": np.arange(1)}, held.gap)
        fit.save(directory.models / f"{held.index}-forwards.eqx")
    directory.write_metrics({"w1_1": 0.5, "w1_2": 0.25})
    return folder


@pytest.mark.slow
def test_a_finished_run_is_scored_and_drawn_again(finished):
    before = (finished / "metrics.json").read_text()
    result = _invoke("evaluate", finished)
    assert result.exit_code == 0, result.output
    # The cloud drifts, and so does the law.
    assert re.search(r"The model \(mean .*\) beats .*nothing moves", result.output)
    assert "standardised units" in result.output
    assert (finished / "metrics.json").read_text() == before
    result = _invoke("plot", finished)
    assert result.exit_code == 0, result.output
    for name in ("scores", "held_out"):
        assert (finished / "figures" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
def test_what_a_finished_run_refuses(tmp_path, finished, data):
    result = _invoke("forecast", finished, "--times", "4", "--out", tmp_path / "x.npz")
    assert result.exit_code == 2
    assert "task population_forecast" in result.output
    other = tmp_path / "other.npz"
    with np.load(data) as file:
        np.savez(other, x=file["x"] + 0.5 * file["t"][:, None], t=file["t"])
    result = _invoke("evaluate", finished, "--data", other)
    assert result.exit_code == 2
    assert "was trained on other snapshots" in result.output
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.yaml").write_text((finished / "config.yaml").read_text())
    result = _invoke("plot", half)
    assert result.exit_code == 2
    assert "has not finished (no metrics.json)" in result.output


def test_refusals(tmp_path, data):
    result = _run(tmp_path / "growing", data, "growth={}")
    assert result.exit_code != 0
    assert "growth: expected null" in result.output
    np.savez(tmp_path / "two.npz", x=np.ones((4, 3)), t=[0, 0, 1, 1])
    result = _run(tmp_path / "two", tmp_path / "two.npz")
    assert result.exit_code != 0
    assert "at least three snapshots" in result.output
