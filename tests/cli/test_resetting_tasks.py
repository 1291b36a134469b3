"""The resetting tasks on small configs, through the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
DET = {"det": {"kind": "deterministic"}}


@pytest.fixture
def run(tmp_path):
    def run(name, changes, *arguments, code=0):
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**config, **changes}))
        out = tmp_path / "run"
        words = ["run", str(path), "--out", str(out), *map(str, arguments)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == code, result.output
        if code:
            return result.output
        again = CliRunner().invoke(app, ["plot", str(out)])
        assert again.exit_code == 0, again.output
        return json.loads((out / "metrics.json").read_text()), out

    return run


@pytest.fixture
def design(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) @ [[2, 0.5, 0], [0, 1, 0.3], [0, 0, 0.2]] + 1
    y = X @ [1.0, 0.0, -2.0] + rng.normal(size=40)
    path = tmp_path / "design.npz"
    np.savez(path, X=X, y=y)
    return path


@pytest.mark.slow
def test_ridge_on_a_file(run, design):
    changes = {"splits": 4, "rates": 5, "laws": DET, "particles": 2000}
    metrics, out = run("resetting_ridge", changes, "--data", design)
    assert metrics["max_abs_coef_difference_to_ridge"] < 1e-10
    assert metrics["max_z_score_simulated"] < 4
    for name in ("det", "early_stop"):
        assert f"test_error_best_{name}" in metrics
    for name in ("ridge", "min_norm", "pcr"):
        assert metrics[f"test_error_gcv_{name}"] > 0
    for name in ("filters", "coefficients", "test_error"):
        assert (out / "figures" / f"{name}.png").is_file()


@pytest.mark.slow
def test_laws_on_a_small_problem(run):
    changes = {
        "problems": {
            "spiked": yaml.safe_load((CONFIGS / "resetting_laws.yaml").read_text())[
                "problems"
            ]["spiked"]
        },
        "laws": DET,
        "monte_carlo": {"n": 30, "p": 10, "signals": ["high"], "replicates": 4},
    }
    metrics, out = run("resetting_laws", changes)
    # The specification's reference numbers.
    assert metrics["risk_ratio_spiked_det"] == pytest.approx(0.8268, abs=6e-4)
    assert metrics["risk_ratio_spiked_early_stop"] == pytest.approx(0.6438, abs=6e-4)
    assert metrics["penalty_log_range_ridge"] < 1e-12 < metrics["penalty_log_range_det"]
    assert metrics["excess_over_ridge_high_min_norm"] > 0
    for name in ("filters", "risk_ratios", "monte_carlo"):
        assert (out / "figures" / f"{name}.png").is_file()


@pytest.mark.slow
def test_covariance_of_a_reset_process(run):
    changes = {
        "samples": 4000,
        "steps": 60,
        "laws": {"poisson": {"kind": "exponential"}},
    }
    metrics, out = run("resetting_ou", changes)
    # The specification's closed form, and ten times the sampling error of 2e5 draws.
    assert metrics["mean_1_poisson"] == pytest.approx(0.53150242, abs=1e-7)
    assert metrics["cov_12_poisson"] == pytest.approx(-0.15348762, abs=1e-7)
    assert metrics["relative_covariance_error"] < 0.1
    assert metrics["relative_noise_cov_error_poisson"] < 0.1
    for name in ("covariance", "path_poisson"):
        assert (out / "figures" / f"{name}.png").is_file()


def test_refused(run, design, tmp_path):
    assert "--data FILE" in run("resetting_ridge", {}, code=2)
    assert "no such file" in run("resetting_ridge", {"data": "none.npz"}, code=2)
    narrow = run("resetting_ridge", {"precision": "float32"}, code=2)
    assert "expected 'float64'" in narrow
    laws = {"early_stop": {"kind": "deterministic"}}
    said = run("resetting_ridge", {"laws": laws}, "--data", design, code=2)
    assert "name of a comparator" in said.replace("\n", " ")
    arrays = dict(np.load(design))
    for name, change, wanted in (
        ("keys", {"y": None}, "expected the keys"),
        ("shape", {"y": np.ones(3)}, "y of shape"),
        ("nan", {"y": np.full(40, np.nan)}, "not finite"),
        ("constant", {"X": np.ones((40, 3))}, "is constant"),
    ):
        changed = {k: v for k, v in {**arrays, **change}.items() if v is not None}
        np.savez(tmp_path / f"{name}.npz", **changed)
        path = tmp_path / f"{name}.npz"
        said = run("resetting_ridge", {}, "--data", path, code=2)
        assert wanted in " ".join(said.split()), said
    periodic = {"laws": {"det": {"kind": "deterministic"}}}
    assert "not periodic" in " ".join(run("resetting_ou", periodic, code=2).split())
    skew = {"curvature": [[2.0, 0.6], [0.1, 0.5]]}
    assert "symmetric" in " ".join(run("resetting_ou", skew, code=2).split())
    uneven = {"noise": [[0.3, 0.1], [0.1]]}
    assert "2 x 2" in " ".join(run("resetting_ou", uneven, code=2).split())
