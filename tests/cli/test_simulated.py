"""Configs that name a simulator, and small runs of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.population.data import load, with_data
from wflow.cli.population.schema import ForecastConfig, SDEConfig
from wflow.cli.tasks.population_sde import PopulationSDE
from wflow.io import read_snapshots
from wflow.studies._configs import override, read_yaml
from wflow.studies._params import validate


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
BOIDS, SDE = CONFIGS / "boids.yaml", CONFIGS / "gradient_flow_sde.yaml"
TINY = [
    "precision=float64",
    "fit.steps=4",
    "fit.chunk=2",
    "data.particles=24",
    "data.snapshots=5",
]


def _run(config, out, *settings):
    pairs = [part for setting in (*TINY, *settings) for part in ("--set", setting)]
    arguments = ["run", str(config), "--out", str(out), *pairs]
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.name=boyds", ["data.name", "'boyds'", "Did you mean boids?"]),
        (
            "data={kind: simulator}",
            ["data.name is missing", "boids, gradient_flow_sde"],
        ),
        ("data.particels=3", ["data.particels is not", "Did you mean data.particles?"]),
        ("data.kind=simulatr", ["data.kind", "Did you mean simulator?"]),
        ("data={kind: simulator, name: toggle, step: 0}", ["data.step: expected"]),
    ],
)
def test_errors_name_the_simulator(setting, words):
    with pytest.raises(ValueError, match=r"\S") as error:
        validate(ForecastConfig, override(read_yaml(BOIDS), [setting]), "test")
    for word in words:
        assert word in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["boids", "gradient_flow_sde", "vortex", "toggle"])
def test_simulators_by_name(name):
    raw = read_yaml(BOIDS)
    raw["data"] = {"kind": "simulator", "name": name, "particles": 6, "snapshots": 3}
    config = validate(ForecastConfig, raw, "test")
    first, again = (load(config, "test").snapshots for _ in range(2))
    assert len(first) == 3
    assert len(first[0]) == 6
    np.testing.assert_array_equal(first[0], again[0])
    other = load(config.model_copy(update={"seed": 5}), "test").snapshots
    assert (first[0] != other[0]).any()


def test_a_file_takes_the_place_of_a_simulator(tmp_path):
    raw = with_data(read_yaml(BOIDS), tmp_path / "flock.npz")
    data = validate(ForecastConfig, raw, "test").data
    assert data.kind == "file"
    assert data.shuffle
    with pytest.raises(ValueError, match="simulates its data"):
        PopulationSDE().with_data({}, tmp_path / "flock.npz")


def test_sde_variants_are_valid():
    for name in ("gradient_flow_sde_paired", "gradient_flow_sde_conservative"):
        config = validate(SDEConfig, read_yaml(CONFIGS / f"{name}.yaml"), name)
        assert config.data.paired == name.endswith("paired")
        assert config.friction.learn == name.endswith("paired")


@pytest.mark.slow
def test_a_small_flock(tmp_path):
    terms = "[{kind: mlp, width: 4, depth: 1}, {kind: pair, width: 4, depth: 1}]"
    result = _run(
        BOIDS,
        tmp_path / "run",
        "seeds=null",
        "data.shuffle=false",
        f"energy.terms={terms}",
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["forecast_w1"] == metrics["test_w1_from_last"]
    assert metrics["friction"] == 0
    # The simulator's own velocities make the constant-velocity forecast: nearly exact.
    assert metrics["constant_velocity_w1"] < metrics["persistence_w1"]
    forecast = CliRunner().invoke(
        app,
        [
            "forecast",
            str(tmp_path / "run"),
            "--times",
            "2.0",
            "--out",
            str(tmp_path / "next"),
        ],
    )
    assert forecast.exit_code == 0, forecast.output
    assert read_snapshots(tmp_path / "next.npz").snapshots[0].shape == (24, 2)


@pytest.mark.slow
def test_small_diffusions(tmp_path):
    terms = "[{kind: mlp, width: 4, depth: 1}, {kind: entropy, density: gaussian}]"
    out = tmp_path / "run"
    result = _run(
        SDE,
        out,
        "seeds=null",
        "potentials=[poly, wavy_plateau]",
        "scored_points=16",
        f"energy.terms={terms}",
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    pair = [metrics[f"forecast_w1_{name}"] for name in ("poly", "wavy_plateau")]
    np.testing.assert_allclose(metrics["forecast_w1_mean"], np.mean(pair))
    for start in ("first", "last"):
        assert metrics[f"forecast_w1_from_{start}_mean"] > 0
        assert metrics[f"persistence_w1_from_{start}_mean"] > 0
    assert metrics["noise_floor_w1_poly"] > 0
    frictions = [metrics[f"friction_{name}"] for name in ("poly", "wavy_plateau")]
    assert metrics["friction_min"] == min(frictions)
    # Ten per unit of the data's time at the start: one per 0.1.
    assert 5 < metrics["friction_min"] < 20
    for name in ("scores", "scores_from_last", "friction"):
        assert (out / "figures" / f"{name}.png").exists()
    # Every part is a run of its own.
    part = CliRunner().invoke(app, ["evaluate", str(out / "part-poly")])
    assert part.exit_code == 0, part.output
