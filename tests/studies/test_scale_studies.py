"""Studies of scale vectors: their reports on made-up arrays, and runs."""

import numpy as np
import pytest

from tests.studies.small_runs import run_config
from wflow import studies
from wflow.studies import standard_error
from wflow.studies._folder import RunDirectory
from wflow.studies._params import validate
from wflow.studies.networks import (
    scale_flow,
    scale_language_model,
    scale_output_norm,
)


CHANNELS = [
    {"curvature": 1.0, "target": 2.0, "weight": 0.0, "scale": 1.0},
    {"curvature": 1.0, "target": 2.0, "weight": 0.5, "scale": 0.5},
    {"curvature": 0.7, "target": -1.3, "weight": 1.1, "scale": 0.3},
]
VARIANTS = {
    "none": {"scaling": "none", "decayed": ["matrix"]},
    "weight_norm": {"scaling": "weight-norm", "decayed": ["matrix"], "rates": [0.1]},
}
MODEL = {"kind": "ByteTransformer", "size": 8, "heads": 2, "layers": 1, "hidden": 8}
TRAINING = {"kind": "Recipe", "steps": 6, "batch": 2, "context": 8, "every": 4}


def params(task, **changes):
    return validate(studies.load(task).config, {"task": task, **changes}, "it")


def refused(task, **changes):
    with pytest.raises(ValueError, match="it: ") as error:
        params(task, **changes)
    return str(error.value)


def language_model(**changes):
    given = {"variants": VARIANTS, "rates": [1e-2, 1e-3], "more_seeds": 1} | changes
    return params("scale_language_model", **given)


def test_report_of_flows():
    p = params("scale_flow", channels=CHANNELS, inputs=2, late=60.0)
    t = np.linspace(0, 2, 4)
    arrays = {
        "drift_single": np.array(1e-12),
        "drift_branch": np.array(3e-12),
        "reduced": np.array(2e-12),
        "closed": np.array([1e-9, 2e-9, 3e-9]),
        "t": t,
        "along": np.ones((4, 2)),
        "across": np.ones((4, 2)) / 2,
        "excess_scaled": np.exp(-t),
        "excess_plain": np.exp(-t / 2),
        "late_t": 30 * t,
    }
    for name, end in (("equal", 2.0), ("none", 3.0), ("matrix_only", 9.0)):
        arrays[f"sharpness_{name}"] = np.linspace(1, end, 4)
        arrays[f"excess_loss_{name}"] = np.array(end / 10)
        arrays[f"max_scale_{name}"] = np.array(end / 2)
    found = scale_flow.report(p, arrays)
    assert found.metrics["max_invariant_drift"] == 3e-12
    assert found.metrics["invariant_drift_single"] == 1e-12
    # w^2 - g^2 is -1, 0 and 1.12.
    assert found.metrics["closed_form_error_c_negative"] == 1e-9
    assert found.metrics["closed_form_error_c_zero"] == 2e-9
    assert found.metrics["closed_form_error_c_positive"] == 3e-9
    assert found.metrics["max_closed_form_error"] == 3e-9
    assert found.tables[0].rows["none"] == pytest.approx([3, 0.3, 1.5])
    assert found.metrics["sharpness_ordered"] == 1
    assert "does rise" in found.remarks[1]
    assert scale_flow.figures(p, arrays).keys() == {"preconditioner"}
    unordered = {**arrays, "sharpness_none": np.ones(4)}
    assert scale_flow.report(p, unordered).metrics["sharpness_ordered"] == 0


def test_report_of_norms():
    p = params("scale_output_norm", decays=[0.0, 0.25], runs=2, size=4)
    arrays = {
        "loss_out": np.array([[0.0, 0.0], [3.0, 5.0]]),
        "scale_out": np.array([[3.0, 3.0], [2.3, 2.5]]),
        "loss_in": np.array([[0.0, 0.0], [0.1, 0.3]]),
        "scale_in": np.array([[1.0, 1.0], [0.5, 0.7]]),
    }
    found = scale_output_norm.report(p, arrays)
    # 4 entries, each (3 - 3/1.25)^2 / 2 = .18 off.
    assert found.metrics["floor_out_decay0.25"] == pytest.approx(0.72)
    assert found.metrics["loss_out_decay0.25"] == 4
    assert found.metrics["loss_out_decay0.25_se"] == pytest.approx(1)
    assert found.metrics["out_over_in"] == pytest.approx(20)
    assert found.metrics["scale_in_decay0.25"] == pytest.approx(0.6)
    assert "predicted is 2.400" in found.remarks[0]
    assert scale_output_norm.figures(p, arrays).keys() == {"decay_on_norms"}


def test_report_of_language_models():
    p = language_model(more_seeds=2)
    arrays = {
        "characters": np.array(1000),
        "sha256": np.arange(32, dtype=np.uint8),
        "step": np.array([4, 6]),
        "tried_none": np.array([[3.0, 2.0], [3.0, 1.8]]),
        "tried_weight_norm": np.array([[3.0, 1.7]]),
        "validation_none": np.array([[3.0, 1.8], [3.0, 1.9], [3.0, 2.0]]),
        "validation_weight_norm": np.array([[3.0, 1.7], [3.0, 1.7], [3.0, 2.0]]),
        "seconds_none": np.array([1.0, 2.0, 3.0]),
        "seconds_weight_norm": np.array([1.0, 2.0, 5.0]),
    }
    found = scale_language_model.report(p, arrays)
    assert found.metrics["rate_none"] == 1e-3
    # A rate of its own, and no other.
    assert found.metrics["rate_weight_norm"] == 0.1
    assert found.metrics["nats_weight_norm_rate0.1_seed0"] == 1.7
    assert "nats_weight_norm_rate0.01_seed0" not in found.metrics
    assert found.metrics["nats_none"] == pytest.approx(1.9)
    assert found.metrics["nats_none_se"] == pytest.approx(0.1 / 3**0.5)
    # Pair by pair -.1, -.2 and 0: of deviation .1.
    gap = "paired_weight_norm_minus_none"
    assert found.metrics[gap] == pytest.approx(-0.1)
    assert found.metrics[f"{gap}_se"] == pytest.approx(0.1 / 3**0.5)
    assert found.metrics["max_training_seconds"] == 5
    assert "000102" in found.remarks[0]
    assert "2 of them below zero" in found.remarks[-1]
    assert scale_language_model.figures(p, arrays).keys() == {"validation"}


def test_error_of_one_seed_is_not_known():
    assert np.isnan(standard_error(np.array([1.0])))


@pytest.mark.slow
def test_flows_keep_what_they_should(tmp_path):
    found = run_config("scale_flow", tmp_path).metrics
    assert found["max_invariant_drift"] < 1e-10
    assert found["max_closed_form_error"] < 1e-8
    assert found["max_reduced_error"] < 1e-9
    assert found["sharpness_equal"] < found["sharpness_none"]
    assert found["sharpness_none"] < found["sharpness_matrix_only"]


@pytest.mark.slow
def test_decay_behind_a_norm(tmp_path):
    found = run_config("scale_output_norm", tmp_path).metrics
    floor = found["floor_out_decay0.1"]
    assert floor == pytest.approx(0.5 * (0.1 / 1.1) ** 2 * 4 * 9)
    # The fit of the maps is not perfect, so the loss lies above the floor.
    assert found["loss_out_decay0.1"] > 0.9 * floor
    assert found["loss_out_decay0.1"] > found["loss_out_decay0"]


@pytest.mark.slow
def test_trainings_that_were_kept_are_not_done_again(tmp_path):
    study, p = (
        studies.load("scale_language_model"),
        language_model(model=MODEL, training=TRAINING),
    )
    folder, done = RunDirectory(tmp_path), []
    folder.make()

    def keep(name, compute):
        if not (tmp_path / "checkpoints" / f"{name}.npz").is_file():
            done.append(name)
        return folder.kept(name, compute)

    first = study.arrays(p, keep=keep)
    # Of two seeds: at the start, and after each of two lots of steps.
    assert first["validation_none"].shape == (2, 3)
    assert first["losses_weight_norm"].shape == (2, 6)
    trainings = [
        *("none-rate0.01-seed0", "none-rate0.001-seed0", "none-rate0.01-seed1"),
        *("weight_norm-rate0.1-seed0", "weight_norm-rate0.1-seed1"),
    ]
    assert done == trainings
    for name in trainings[3:]:
        (tmp_path / "checkpoints" / f"{name}.npz").unlink()
    second = study.arrays(p, keep=keep)
    assert done == [*trainings, *trainings[3:]]
    for name, values in first.items():
        if not name.startswith("seconds"):
            np.testing.assert_array_equal(second[name], values)
    assert study.report(p, first).metrics["characters"] > 4e5


def test_refusals():
    said = refused(
        "scale_language_model",
        variants=VARIANTS,
        rates=[1e-2],
        model=MODEL | {"heads": 3},
    )
    assert "model: ByteTransformer: expected size to be a multiple of 2 heads" in said
    given = {"variants": VARIANTS, "rates": [1e-2]}
    said = refused(
        "scale_language_model", training={"kind": "Recipe", "b2": 1.0}, **given
    )
    assert "training: Recipe: expected b2 in [0, 1)" in said
    said = refused("scale_language_model", model={"kind": "Recipe"}, **given)
    assert "model.kind: expected one of ByteTransformer" in said
    said = refused("scale_language_model", seeds=[0, 1], **given)
    assert "more_seeds says how many follow" in said
    said = refused("scale_flow", channels=CHANNELS, late=1.0)
    assert "late: expected later than end" in said
    said = refused("scale_flow", channels=CHANNELS[:2])
    assert "channels: expected some with c < 0, c = 0 and c > 0" in said
    said = refused("scale_output_norm", decays=[0.1, 0.0])
    assert "decays: expected increasing numbers" in said
