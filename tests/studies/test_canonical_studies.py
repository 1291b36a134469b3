"""Studies of canonical regularization: reports of known arrays, and tiny runs."""

import importlib.util

import numpy as np
import pytest

from tests.studies.small_runs import run_config
from wflow.studies._params import validate
from wflow.studies.networks import (
    canonical_bias,
    canonical_finetune,
    canonical_kernel,
    canonical_transfer,
)


needs_sklearn = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="the data are scikit-learn's"
)
THREE = {"low": 0.1, "high": 10.0, "count": 3}


def descents(rate, steps):
    return {
        "pretraining": {"rate": rate, "steps": steps},
        "finetuning": {"rate": rate, "steps": steps},
    }


def finetune(**changes):
    config = {"task": "canonical_finetune", "repeats": 2, "strengths": THREE}
    config |= descents(0.05, 10) | changes
    return validate(canonical_finetune.Params, config, "config")


def transfer(kind, **changes):
    data = {"kind": kind, **changes.pop("data", {})}
    config = {"task": "canonical_transfer", "repeats": 2, "strengths": THREE}
    config |= {"data": data, **descents(0.05, 10), **changes}
    return validate(canonical_transfer.Params, config, "config")


def kernel(**changes):
    config = {"task": "canonical_kernel", "precision": "float64", **changes}
    return validate(canonical_kernel.Params, config, "config")


def bias(**changes):
    config = {"task": "canonical_bias", "precision": "float64", **changes}
    return validate(canonical_bias.Params, config, "config")


def scores(name):
    """Two repeats and three strengths: of arc ridge 4 and 2 where THREE is chosen."""
    arc = np.array([[5.0, 4.0, 9.0], [2.0, 8.0, 1.0]])
    penalized = {"arc": arc, "anchored": arc + 1, "standard": 2 * arc}
    baselines = {
        "pretrained": np.array([6.0, 8.0]),
        "unregularized": np.array([5.0, 5.0]),
        "early_stopping": np.array([4.0, 3.0]),
    }
    return {f"{name}_{method}": v for method, v in {**penalized, **baselines}.items()}


def made_up(*names):
    """Scores, with the strength 1 chosen for the first repeat and 0.1 for the other."""
    validation = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    arrays = {"reached": np.array([[False, True, True], [True, True, True]])}
    for method in ("arc", "anchored", "standard"):
        arrays[f"validation_{method}"] = validation
    for name in names:
        arrays |= scores(name)
    return arrays


def test_report_of_fine_tuning():
    arrays = made_up("mse")
    outcome = canonical_finetune.report(finetune(), arrays)
    expected = {
        "mse_arc": 3.0,
        # The standard deviation of 4 and 2 is root 2, over root 2 repeats.
        "mse_arc_se": 1.0,
        "mse_anchored": 4.0,
        "mse_standard": 6.0,
        "mse_pretrained": 7.0,
        "mse_arc_minus_anchored": -1.0,
        "mse_arc_minus_anchored_se": 0.0,
        "mse_arc_minus_early_stopping": -0.5,
        "mse_arc_best_strength": 2.5,
        "strength_arc": 0.55,
        "arc_reached_share": 5 / 6,
    }
    found = {name: outcome.metrics[name] for name in expected}
    # Shares are of single precision.
    assert found == pytest.approx(expected, rel=1e-6)
    chosen, over = outcome.tables
    assert chosen.rows["arc"] == [3.0]
    assert over.rows["0.1"] == [3.5, 4.5, 7.0]


def test_figures_of_fine_tuning():
    line = np.linspace(-2, 2, 5)
    arrays = made_up("mse") | {"x": line, "truth": line / 2}
    arrays |= {"tuned_x": line[:2], "tuned_y": line[:2]}
    for method in canonical_finetune.METHODS:
        arrays[f"prediction_{method}"] = line
    drawn = canonical_finetune.figures(finetune(), arrays)
    assert set(drawn) == {"strengths", "chosen", "predictions"}
    (over,) = drawn["strengths"].axes
    lines = {line.get_label(): line for line in over.lines}
    np.testing.assert_allclose(lines["arc ridge"].get_ydata(), [3.5, 6.0, 5.0])
    np.testing.assert_allclose(lines["pretrained"].get_ydata(), 7)
    (bars,) = drawn["chosen"].axes
    assert [bar.get_width() for bar in bars.patches] == [3, 4, 6, 7, 5, 3.5]
    names = [text.get_text() for text in bars.get_yticklabels()]
    # From the top down.
    assert bars.yaxis_inverted()
    assert names[0] == "arc ridge"


@needs_sklearn
def test_report_and_figures_of_transfer():
    p = transfer("Diabetes")
    arrays = made_up("error", "old_error", "drift")
    outcome = canonical_transfer.report(p, arrays)
    assert outcome.metrics["drift_arc_minus_standard"] == pytest.approx(-3.0)
    # Numbers have no calibration.
    assert not any(name.startswith("ece") for name in outcome.metrics)
    assert len(outcome.tables) == 4
    p, arrays = transfer("BreastCancer"), arrays | scores("ece")
    assert canonical_transfer.report(p, arrays).metrics["ece_arc"] == 3.0
    drawn = canonical_transfer.figures(p, arrays)
    assert len(drawn["strengths"].axes) == len(drawn["chosen"].axes) == 4


def test_report_and_figures_of_the_kernel_regime():
    ridge = np.array([[1.0, 2.0], [3.0, 4.0]])
    arrays = {
        "ridge": ridge,
        "geodesic": ridge + [[0, -2e-3], [1e-3, 0]],
        "anchored": ridge + 1e-4,
        "arc": ridge + [[0.1, 0], [0, -0.3]],
        "isotropic_ridge": ridge + 1,
        "isotropic_arc": ridge + 1 + 1e-5,
        "vertical": np.array([1e-9, 1e-8]),
        "condition": np.array([1e-7, 0.0]),
        "isotropic_condition": np.array([0.0, 1e-6]),
        "curvature": np.array([0.5, 2.0]),
        "left_geodesic": ridge,
        "left_arc": ridge,
    }
    p = kernel(strengths={"low": 0.1, "high": 1.0, "count": 2})
    outcome = canonical_kernel.report(p, arrays)
    assert outcome.metrics == pytest.approx(
        {
            "max_abs_geodesic_minus_ridge": 2e-3,
            "max_abs_anchored_minus_ridge": 1e-4,
            "max_abs_arc_isotropic_minus_ridge": 1e-5,
            "arc_anisotropic_difference": 0.3,
            "max_vertical_fraction": 1e-8,
            "max_arc_condition": 1e-6,
        }
    )
    assert outcome.tables[0].rows["arc"] == pytest.approx([0.1, 0.3])
    (drawn,) = canonical_kernel.figures(p, arrays).values()
    first, second = drawn.axes
    closed, *_ = first.lines
    x = closed.get_xdata()
    np.testing.assert_allclose(closed.get_ydata(), 0.1 / (x + 0.1))
    np.testing.assert_allclose(second.lines[1].get_ydata(), [3, 4])


BIAS = {
    "flow": np.array([[2.0, 0.0], [2.0, 0.5]]),
    "ridge": np.array([[2.0, 0.0], [2.0, 0.9]]),
    "geodesic_end": np.array([2.0, 0.5]),
    "arc_end": np.array([2.3, 0.9]),
    "path_arc": np.array([[2.0, 0.0], [2.0, 1.0]]),
    "path_arc_separate": np.array([[2.0, 0.1], [2.0, 1.0]]),
    "path_anchored": np.array([[2.0, 0.0], [3.0, 0.0]]),
    "path_reached": np.array([True, False]),
    "dial_gap": np.array([0.5, 0.1]),
    "dial_arc_excess": np.array([0.2, 0.01]),
    **{
        f"prediction_{name}": np.array([2.0, 1.0, v])
        for name, v in (("limit", 1), ("arc", 1), ("anchored", 2), ("standard", 0))
    },
}


def test_report_and_figures_of_the_bias():
    p = bias(strengths={"low": 0.1, "high": 1.0, "count": 2}, dial=[1.0, 4.0])
    outcome = canonical_bias.report(p, BIAS)
    expected = {
        "limit_v": 0.5,
        "vanishing_ridge_bias": 0.4,
        "vanishing_geodesic_bias": 0.0,
        # 3, 4, 5.
        "vanishing_arc_bias": 0.5,
        "arc_path_max_difference": 0.1,
        "arc_path_reached": 0.5,
        "arc_leaf_drift": 1.0,
        "anchored_leaf_drift": 5.0,
        "dial_gap_c1": 0.5,
        "dial_arc_excess_c4": 0.01,
        "prediction_anchored": 4.0,
        "prediction_standard": 0.0,
    }
    found = {name: outcome.metrics[name] for name in expected}
    assert found == pytest.approx(expected)
    assert outcome.tables[0].rows["anchored ridge"] == pytest.approx([0.4])
    drawn = canonical_bias.figures(p, BIAS)
    whole, _ = drawn["fiber"].axes
    fiber = {line.get_label(): line for line in whole.lines}["fiber"]
    u, v = fiber.get_data()
    on = np.isfinite(v)
    np.testing.assert_allclose(u[on] * v[on], 1)
    (dial,) = drawn["dial"].axes
    np.testing.assert_allclose(dial.lines[0].get_ydata(), [0.5, 0.0625])
    outputs, leaves = drawn["path"].axes
    np.testing.assert_allclose(leaves.lines[0].get_ydata(), [4, 9])
    np.testing.assert_allclose(outputs.lines[1].get_ydata(), [0, 2])


@pytest.mark.slow
def test_fine_tuning_on_a_wave():
    p = finetune(
        repeats=3,
        units=32,
        strengths={"low": 1e-2, "high": 10.0, "count": 3},
        pretraining={"rate": 0.05, "steps": 1500},
        finetuning={"rate": 0.03, "steps": 1500},
    )
    arrays = canonical_finetune.STUDY.arrays(p)
    metrics = canonical_finetune.report(p, arrays).metrics
    # A run this short is enough for the order of arc and standard ridge.
    assert metrics["mse_arc"] < metrics["mse_standard"]
    assert metrics["mse_arc"] < metrics["mse_pretrained"]
    for method in ("arc", "anchored", "standard"):
        # Nothing that validation chooses beats the best strength of each repeat.
        assert metrics[f"mse_{method}_best_strength"] <= metrics[f"mse_{method}"]
    # Half the mean square error of the first repeat is what the figure shows.
    gaps = arrays["prediction_pretrained"] - arrays["truth"]
    np.testing.assert_allclose(np.mean(gaps**2), arrays["mse_pretrained"][0], rtol=1e-9)


@pytest.mark.slow
@needs_sklearn
def test_digits_move_their_features_least_under_arc_ridge(tmp_path):
    metrics = run_config("canonical_digits", tmp_path).metrics
    # A head of zeros gives every digit the same probability: right for a fifth.
    assert metrics["error_pretrained"] == pytest.approx(0.8, abs=0.05)
    assert metrics["drift_pretrained"] == pytest.approx(0, abs=1e-5)
    assert metrics["old_error_pretrained"] < 0.1
    assert metrics["error_arc"] < 0.7
    assert metrics["drift_arc"] < metrics["drift_standard"]


@pytest.mark.slow
@needs_sklearn
def test_transfer_of_labels(tmp_path):
    check_transfer(run_config("canonical_tumors", tmp_path).metrics, labels=True)


@pytest.mark.slow
@needs_sklearn
def test_transfer_of_numbers(tmp_path):
    check_transfer(run_config("canonical_diabetes", tmp_path).metrics, labels=False)


def check_transfer(metrics, *, labels):
    assert ("ece_arc" in metrics) == labels
    # Both tasks are alike: the network knows something before it is tuned.
    assert metrics["error_pretrained"] < (0.3 if labels else 1.0)
    assert metrics["drift_pretrained"] == pytest.approx(0, abs=1e-5)
    assert 0 < metrics["drift_arc"] <= metrics["drift_unregularized"]
    assert 0 < metrics["arc_reached_share"] <= 1


@pytest.mark.slow
def test_geodesic_ridge_is_kernel_ridge(tmp_path):
    metrics = run_config("canonical_kernel", tmp_path).metrics
    for name in ("geodesic", "anchored", "arc_isotropic"):
        assert metrics[f"max_abs_{name}_minus_ridge"] < 1e-6
    # Where the kernel is not round, arc ridge is another penalty.
    assert metrics["arc_anisotropic_difference"] > 1e-3
    assert metrics["max_arc_condition"] < 1e-8
    assert metrics["max_vertical_fraction"] < 1e-8


@pytest.mark.slow
def test_bias_of_vanishing_ridge_only(tmp_path):
    metrics = run_config("canonical_bias", tmp_path).metrics
    # The end of descent from (2, 0) to u v = 1, and the nearest point of the fiber.
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


def test_what_no_run_can_have_is_refused():
    falling = {"low": 1.0, "high": 0.1, "count": 3}
    with pytest.raises(ValueError, match="strengths.low: expected low < high"):
        finetune(strengths=falling)
    with pytest.raises(ValueError, match=r"less than 2 / finetuning.rate = 10"):
        finetune(finetuning={"rate": 0.2, "steps": 3}, strengths={**THREE})
    with pytest.raises(ValueError, match="parameters: expected at least as many"):
        kernel(parameters=2)
    with pytest.raises(ValueError, match="config: start"):
        bias(start=[1.0, 2.0, 3.0])


@needs_sklearn
def test_data_that_do_not_fit_are_refused():
    digits = {"old": [0, 1, 2, 3, 4], "new": [5, 6, 7, 8, 9]}
    with pytest.raises(ValueError, match="held_out: expected fewer than 901"):
        transfer("Digits", data=digits, held_out=901)
    with pytest.raises(ValueError, match="points and validation: expected fewer than"):
        transfer("Diabetes", points=300)
    with pytest.raises(ValueError, match=r"data.kind.*Did you mean BreastCancer"):
        transfer("breast_cancer")
    with pytest.raises(ValueError, match="data: Digits: expected old of two distinct"):
        transfer("Digits", data=digits | {"old": [1, 1]})
    with pytest.raises(ValueError, match="data: Digits: .*new"):
        transfer("Digits", data=digits | {"new": [1, 10]})
    with pytest.raises(ValueError, match=r"data.noise_variance is not a key"):
        transfer("BreastCancer", data={"noise_variance": 0.1})
    with pytest.raises(ValueError, match="data: Diabetes: .*noise_variance"):
        transfer("Diabetes", data={"noise_variance": -0.1})
