"""The saddle-to-saddle tasks on small configs, through the command."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def run(tmp_path):
    def run(name, changes, code=0):
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**config, **changes}))
        out = tmp_path / "run"
        result = CliRunner().invoke(app, ["run", str(path), "--out", str(out)])
        assert result.exit_code == code, result.output
        if code:
            return result.output, out
        again = CliRunner().invoke(app, ["plot", str(out)])
        assert again.exit_code == 0, again.output
        return json.loads((out / "metrics.json").read_text()), out

    return run


@pytest.mark.slow
def test_staircase(run):
    changes = {"samples": 5, "width": 4, "instances": 2, "seed": 1}
    metrics, out = run("saddle_staircase", changes)
    # Of first order in 1 / log(1 / scale), which extrapolation removes.
    errors = [metrics[f"max_jump_time_error_{scale}"] for scale in (50, 200, 1000)]
    assert errors[2] <= errors[1] <= errors[0]
    assert 4 < errors[1] / errors[2] < 6
    assert metrics["richardson_error"] < 1e-3
    assert metrics["first_jump_error"] < 1e-5
    assert (out / "figures" / "staircase.png").is_file()


@pytest.mark.slow
def test_interpolation(run):
    changes = {"samples": [6], "widths": [4, 6, 8, 12], "draws": 500, "flow": None}
    metrics, out = run("saddle_interpolation", changes)
    assert metrics["cells"] >= 4
    assert metrics["max_probability_z"] < 4
    assert metrics["width_half_6"] < metrics["width_99_6"] <= metrics["union_99_6"] + 1
    assert (out / "figures" / "interpolation.png").is_file()


@pytest.mark.slow
def test_norm(run):
    cases = [{"samples": n, "width": 24} for n in (20, 80)]
    metrics, out = run("saddle_norm", {"cases": cases, "repeats": 6, "flow": []})
    assert metrics["ratio_min"] >= 1
    assert metrics["ratio_max"] <= 2.6
    assert 0.4 < metrics["norm_slope"] < 0.8
    assert (out / "figures" / "norm.png").is_file()


@pytest.mark.slow
def test_more_instances_than_draws(run):
    output, _ = run(
        "saddle_staircase", {"instances": 300, "samples": 5, "width": 4}, code=2
    )
    assert "of 256 draws have jumps that lead by 0.1" in " ".join(output.split())
