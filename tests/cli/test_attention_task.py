"""Heads trained on prompts, on a small config, through the command."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.slow
def test_attention_pca(tmp_path):
    config = yaml.safe_load((CONFIGS / "attention_pca.yaml").read_text())
    config |= {
        "dimension": 5,
        "settings": {
            "own": {"theta": 3.0, "prompt_length": 6, "degrees": 6},
        },
        "steps": 600,
        "batch": 32,
        "prompts": 200,
        "repeats": 1,
        "recovery": {"thetas": [1.0, 4.0], "prompt_length": 6, "steps": 300},
        "course": {"theta": 3.0, "prompt_length": 6, "prompts": 32, "end": 1.5},
        "gap": {"theta": 3.0, "lengths": [2, 6], "tokens": 1200},
    }
    path, out = tmp_path / "attention.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(app, ["run", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    # A fifth of the prompts of the whole run, in a quarter of its dimensions.
    assert metrics["min_cos2"] > 0.95
    assert metrics["max_norm_relative_error"] < 0.1
    assert metrics["cos2_pooled_own"] > metrics["cos2_prompt_pca_own"]
    assert metrics["max_prompt_pca_cos2"] < metrics["min_cos2"]
    # The closed flow's late slope is its linearisation's.
    slope, rate = metrics["slope_infinite"], metrics["rate_infinite"]
    assert slope == pytest.approx(rate, rel=0.02)
    for name in ("alignment", "recovery", "gap"):
        assert (out / "figures" / f"{name}.png").stat().st_size > 5000
