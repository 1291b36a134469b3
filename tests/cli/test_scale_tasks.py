"""The tasks of scale vectors on small configs, through the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.slow
def test_flows_keep_what_they_should(run):
    changes = {"outputs": 1, "times": 5, "late": 60.0}
    metrics, out = run("scale_flow", changes)
    assert metrics["max_invariant_drift"] < 1e-10
    assert metrics["max_closed_form_error"] < 1e-8
    assert metrics["max_reduced_error"] < 1e-9
    assert metrics["sharpness_equal"] < metrics["sharpness_none"]
    assert metrics["sharpness_none"] < metrics["sharpness_matrix_only"]
    assert (out / "figures" / "preconditioner.png").is_file()


@pytest.mark.slow
def test_language_model_goes_on_where_it_stopped(run, tmp_path):
    changes = {
        "variants": {
            "none": {"scaling": "none", "decayed": ["matrix"]},
            "weight_norm": {
                **{"scaling": "weight-norm", "decayed": ["matrix"]},
                "rates": [1e-1],
            },
        },
        "rates": [1e-2, 1e-3],
        "more_seeds": 1,
        "model": {"size": 8, "heads": 2, "layers": 1, "hidden": 8},
        "training": {"steps": 6, "batch": 2, "context": 8, "every": 4},
    }
    metrics, out = run("scale_language_model", changes)
    assert metrics["rate_none"] == 1e-2
    # A rate of its own, and no other.
    assert metrics["rate_weight_norm"] == 0.1
    assert "nats_weight_norm_rate0.1_seed0" in metrics
    assert "nats_weight_norm_rate0.01_seed0" not in metrics
    history = (out / "history.csv").read_text().splitlines()
    names = ("none_seed0", "none_seed1", "weight_norm_seed0", "weight_norm_seed1")
    assert history[0] == ",".join(("step", *names))
    ends = np.array(history[-1].split(",")[1:], float)
    assert metrics["nats_none"] == pytest.approx(ends[:2].mean())
    gap = metrics["paired_weight_norm_minus_none"]
    assert gap == pytest.approx(ends[2:].mean() - ends[:2].mean())
    assert json.loads((out / "corpus.json").read_text())["characters"] > 4e5
    # Cut off after three of five trainings: others are done again, to the same bits.
    runs = out / "runs.csv"
    whole = runs.read_text().splitlines()
    runs.write_text("\n".join(whole[:7]) + "\n")
    (out / "metrics.json").unlink()
    path = tmp_path / "scale_language_model.yaml"
    result = CliRunner().invoke(app, ["run", str(path), "--out", str(out), "--resume"])
    assert result.exit_code == 0, result.output
    resumed = json.loads((out / "metrics.json").read_text())
    timed = ("max_training_seconds", "total_seconds")
    assert {k: v for k, v in resumed.items() if k not in timed} == {
        k: v for k, v in metrics.items() if k not in timed
    }
    assert (out / "figures" / "validation.png").is_file()


@pytest.mark.slow
def test_decay_behind_a_norm(run):
    changes = {"decays": [0.0, 0.1], "runs": 1, "size": 4, "hidden": 8, "steps": 600}
    metrics, out = run("scale_output_norm", changes)
    floor = metrics["floor_out_decay0.1"]
    assert floor == pytest.approx(0.5 * (0.1 / 1.1) ** 2 * 4 * 9)
    # The fit of the maps is not perfect, so the loss lies above the floor.
    assert metrics["loss_out_decay0.1"] > 0.9 * floor
    assert metrics["loss_out_decay0.1"] > metrics["loss_out_decay0"]
    assert (out / "figures" / "decay_on_norms.png").is_file()


def test_configs_are_checked():
    def refused(name, *sets):
        arguments = [part for pair in sets for part in ("--set", pair)]
        result = CliRunner().invoke(
            app, ["run", str(CONFIGS / f"{name}.yaml"), *arguments]
        )
        assert result.exit_code == 2
        return " ".join(result.output.split())

    text = refused("scale_language_model", "model.heads=3")
    assert "expected a multiple of twice the heads" in text
    text = refused("scale_language_model", "seeds=[0,1]")
    assert "more_seeds says how many follow" in text
    text = refused("scale_flow", "late=1.0")
    assert "late: expected later than end" in text
    text = refused("scale_output_norm", "decays=[0.1,0.0]")
    assert "expected increasing rates" in text
