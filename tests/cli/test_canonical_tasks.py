"""The tasks of canonical regularisation on small configs, through the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def run(tmp_path):
    def run(name, changes, plot=True):
        config = yaml.safe_load((CONFIGS / f"canonical_{name}.yaml").read_text())
        path, out = tmp_path / f"{name}.yaml", tmp_path / "run"
        path.write_text(yaml.safe_dump({**config, **changes}))
        result = CliRunner().invoke(app, ["run", str(path), "--out", str(out)])
        assert result.exit_code == 0, result.output
        if plot:
            again = CliRunner().invoke(app, ["plot", str(out)])
            assert again.exit_code == 0, again.output
        return json.loads((out / "metrics.json").read_text()), out

    return run


SHORT = {
    "repeats": 3,
    "strengths": {"low": 1e-2, "high": 10.0, "count": 3},
    "pretraining": {"rate": 0.05, "steps": 1500},
    "finetuning": {"rate": 0.03, "steps": 1500},
}


@pytest.mark.slow
def test_finetuning_scores_every_method(run):
    metrics, out = run("finetune", SHORT | {"units": 32})
    # A run this short is enough for the order of arc and standard ridge.
    assert metrics["mse_arc"] < metrics["mse_standard"]
    assert metrics["mse_arc"] < metrics["mse_pretrained"]
    gap = metrics["mse_arc"] - metrics["mse_anchored"]
    assert metrics["mse_arc_minus_anchored"] == pytest.approx(gap, abs=1e-6)
    rows = np.genfromtxt(out / "history.csv", delimiter=",", names=True)
    assert rows["strength"] == pytest.approx([1e-2, 10**-0.5, 10.0])
    for method in ("arc", "anchored", "standard"):
        # Nothing that validation chooses beats the best strength of each repeat.
        assert metrics[f"mse_{method}_best_strength"] <= metrics[f"mse_{method}"]
    for name in ("strengths", "chosen", "predictions"):
        assert (out / "figures" / f"{name}.png").is_file()


@pytest.mark.slow
def test_digits_move_their_features_least_under_arc_ridge(run):
    pytest.importorskip("sklearn")
    changes = SHORT | {"width": 16, "pretraining": {"rate": 0.2, "steps": 300}}
    changes |= {"strengths": {"low": 1e-2, "high": 1.0, "count": 3}}
    changes |= {"finetuning": {"rate": 0.2, "steps": 300}}
    metrics, out = run("digits", changes)
    # A head of zeros gives every digit the same probability: right for a fifth.
    assert metrics["error_pretrained"] == pytest.approx(0.8, abs=0.05)
    assert metrics["drift_pretrained"] == pytest.approx(0, abs=1e-5)
    assert metrics["old_error_pretrained"] < 0.1
    assert metrics["error_arc"] < 0.7
    assert metrics["drift_arc"] < metrics["drift_standard"]
    assert (out / "figures" / "strengths.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "labels"), [("tumours", True), ("diabetes", False)])
def test_transfer_of_labels_and_of_numbers(run, name, labels):
    pytest.importorskip("sklearn")
    changes = SHORT | {"width": 8, "pretraining": {"rate": 0.05, "steps": 100}}
    changes |= {"finetuning": {"rate": 0.05, "steps": 100}}
    metrics, out = run(name, changes)
    assert ("ece_arc" in metrics) == labels
    # Both tasks are alike: the network knows something before it is tuned.
    assert metrics["error_pretrained"] < (0.3 if labels else 1.0)
    assert metrics["drift_pretrained"] == pytest.approx(0, abs=1e-5)
    assert 0 < metrics["drift_arc"] <= metrics["drift_unregularised"]
    assert 0 < metrics["arc_reached_share"] <= 1
    for figure in ("strengths", "chosen"):
        assert (out / "figures" / f"{figure}.png").is_file()


@pytest.mark.slow
def test_geodesic_ridge_is_kernel_ridge(run):
    changes = {"strengths": {"low": 1.0, "high": 2.0, "count": 2}, "outputs": 2}
    metrics, out = run("kernel", changes | {"parameters": 3})
    for name in ("geodesic", "anchored", "arc_isotropic"):
        assert metrics[f"max_abs_{name}_minus_ridge"] < 1e-6
    assert metrics["max_vertical_fraction"] < 1e-8
    assert (out / "figures" / "shrinkage.png").is_file()


@pytest.mark.slow
def test_bias_of_vanishing_ridge_only(run):
    changes = {"strengths": {"low": 1e-2, "high": 1.0, "count": 2}, "dial": [64.0]}
    metrics, out = run("bias", changes)
    # The end of descent from (2, 0) to u v = 1, and the nearest point of the fibre.
    limit = np.array([2.05817103, 0.48586827])
    nearest = np.array([2.10691934, 0.47462662])
    assert [metrics["limit_u"], metrics["limit_v"]] == pytest.approx(limit, abs=1e-8)
    gap = np.linalg.norm(limit - nearest)
    # The ridge flow ends at its strength, 1e-5, times a constant from there.
    assert metrics["vanishing_ridge_bias"] == pytest.approx(gap, rel=1e-3)
    assert metrics["vanishing_geodesic_bias"] < 1e-5
    assert metrics["vanishing_arc_bias"] < 1e-5
    assert metrics["arc_path_max_difference"] < 1e-8
    assert metrics["dial_gap_c64"] == pytest.approx(9.756e-4, rel=1e-3)
    assert metrics["dial_arc_excess_c64"] == pytest.approx(1.02e-5, rel=1e-2)
    assert metrics["prediction_anchored"] == pytest.approx(2.04789661, rel=1e-5)
    assert metrics["prediction_arc"] == pytest.approx(1.8818558, rel=1e-5)
    assert (out / "figures" / "fibre.png").is_file()


@pytest.mark.slow
def test_arc_is_kernel_ridge_where_the_kernel_is_round():
    from wflow.cli.networks.canonical_schema import KernelConfig
    from wflow.cli.tasks.canonical_kernel import penalised

    rng = np.random.default_rng(3)
    jacobian, weights, y = rng.normal(size=(2, 5)), rng.normal(size=5), np.ones(2)
    config = KernelConfig(task="canonical_kernel", outputs=2, parameters=5)
    turned = np.linalg.qr(jacobian.T)[0].T
    found, same = (
        penalised(rows, weights, y, config, geodesic=False)
        for rows in (jacobian, turned)
    )
    # The tolerance of the solver, 1e-10, over some dozens of steps.
    np.testing.assert_allclose(same["arc"], same["ridge"], atol=1e-8)
    assert np.abs(found["arc"] - found["ridge"]).max() > 1e-3
    assert found["condition"].max() < 1e-8


def test_scores_of_features_and_calibration():
    from wflow.cli.networks.canonical_transfer import calibration_error, cka

    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 3))
    turned = 2 * features @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 1
    # CKA does not see rotations, scales and shifts.
    assert cka(features, turned) == pytest.approx(1, abs=1e-12)
    assert 0 <= cka(features, rng.normal(size=(40, 3))) < 0.5
    # Nine of ten right at confidence 0.75; all five right at 0.95.
    confident = np.r_[np.full(10, 0.75), np.full(5, 0.95)]
    probabilities = np.stack([confident, 1 - confident], 1)
    labels = np.r_[1, np.zeros(14, int)]
    found = calibration_error(probabilities, labels)
    assert found == pytest.approx((10 * 0.15 + 5 * 0.05) / 15, abs=1e-12)


def test_configs_are_checked_before_anything_runs(tmp_path):
    def refused(name, changes):
        config = yaml.safe_load((CONFIGS / f"canonical_{name}.yaml").read_text())
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**config, **changes}))
        result = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path)])
        assert result.exit_code == 2
        return " ".join(result.output.split())

    assert "expected low < high" in refused(
        "finetune", {"strengths": {"low": 1.0, "high": 0.1, "count": 3}}
    )
    assert "less than 2 / finetuning.rate = 10" in refused(
        "digits", {"strengths": {"low": 0.1, "high": 10.0, "count": 3}}
    )
    assert "at least as many as outputs" in refused("kernel", {"parameters": 2})
    pytest.importorskip("sklearn")
    assert "held_out: expected fewer than 901" in refused("digits", {"held_out": 901})
