"""Heads trained on prompts: the report of known arrays, and a tiny run."""

import numpy as np
import pytest

from tests.studies.small_runs import run_config
from wflow.studies._params import validate
from wflow.studies.networks import attention_pca


CONFIG = {
    "task": "attention_pca",
    "dimension": 4,
    "settings": {"own": {"theta": 3.0, "prompt_length": 4}},
    "repeats": 2,
    "recovery": {"thetas": [1.0, 4.0], "prompt_length": 4},
    "course": {"theta": 3.0, "prompt_length": 6, "prompts": 32, "end": 1.5},
    "gap": {"theta": 3.0, "lengths": [2, 6], "tokens": 1200},
}


def params(**changes):
    return validate(attention_pca.Params, CONFIG | changes, "config")


def made_up():
    time = np.linspace(0, 1.5, 31)
    arrays = {
        "linear_own": np.array([1.0, 0.5]),
        "softmax_own": np.array([0.9, 0.7]),
        "norm_linear_own": np.array([0.4, 0.8]),
        "norm_softmax_own": np.array([1.0, 1.0]),
        "predicted_own": np.array(0.5),
        "pooled_own": np.array([1.0, 1.0]),
        "oja_own": np.array([0.75, 0.75]),
        "prompt_pca_own": np.array([0.25, 0.25]),
        "power_layers_own": np.array([0.2, 0.3]),
        "course_time": time,
        "course_infinite": 0.5 * np.exp(-12 * time),
        "course_closed_L6": 0.5 * np.exp(-3 * time),
        "course_linear": 0.5 * np.exp(-4 * time),
        "course_softmax": 0.5 * np.exp(-5 * time),
        "course_rate_infinite": np.array(-12.5),
        "course_rate_closed_L6": np.array(-3.5),
        "recovery_linear": np.array([0.5, 1.0]),
        "recovery_softmax": np.array([0.5, 1.0]),
        "recovery_prompt_pca": np.array([0.1, 0.9]),
        "recovery_bbp": np.array([0.0, 0.8]),
    }
    for name in ("least", "least_other", "linear", "softmax"):
        arrays[f"gap_{name}"] = np.array([2.0, -0.05])
    return arrays | {"gap_softmax_se": np.array([0.1, 0.01])}


def test_report():
    outcome = attention_pca.report(params(), made_up())
    expected = {
        "cos2_linear_own": 0.75,
        "cos2_linear_own_least": 0.5,
        "norm_linear_own": 0.6,
        "norm_linear_own_sd": 0.2,
        "norm_relative_error_linear_own": 0.2,
        "norm_relative_error_softmax_own": 1.0,
        "max_norm_relative_error": 0.2,
        "min_cos2_softmax": 0.7,
        "min_cos2": 0.5,
        "max_prompt_pca_cos2": 0.25,
        # theta 3 and d = L: (1 - 1/9) / (1 + 1/3).
        "bbp_own": 2 / 3,
        "slope_infinite": -12.0,
        "rate_infinite": -12.5,
        "rate_closed_L6": -3.5,
    }
    found = {name: outcome.metrics[name] for name in expected}
    assert found == pytest.approx(expected)
    # It does not fall below 1e-3, where slopes are fitted.
    assert "slope_closed_L6" not in outcome.metrics
    (angles,) = outcome.tables
    assert angles.rows["linear head"] == pytest.approx([30.0])
    assert angles.rows["PCA of one prompt"] == pytest.approx([60.0])
    assert angles.models == ("linear head", "softmax head")
    assert len(outcome.remarks) == 2


def test_figures():
    drawn = attention_pca.figures(params(), made_up())
    (alignment,) = drawn["alignment"].axes
    labels = [line.get_label() for line in alignment.lines]
    assert "slope -12.5, predicted" in labels
    assert "softmax head, 32 stored prompts" in labels
    (recovery,) = drawn["recovery"].axes
    assert [text.get_text() for text in recovery.get_xticklabels()] == ["1", "4"]
    (gap,) = drawn["gap"].axes
    assert gap.get_yscale() == "symlog"


@pytest.mark.slow
def test_run(tmp_path):
    metrics = run_config("attention_pca", tmp_path).metrics
    # A fifth of the prompts of the whole run, in a quarter of its dimensions.
    assert metrics["min_cos2"] > 0.95
    assert metrics["max_norm_relative_error"] < 0.1
    assert metrics["cos2_pooled_own"] > metrics["cos2_prompt_pca_own"]
    assert metrics["max_prompt_pca_cos2"] < metrics["min_cos2"]
    # The closed flow's late slope is its linearization's.
    slope, rate = metrics["slope_infinite"], metrics["rate_infinite"]
    assert slope == pytest.approx(rate, rel=0.02)


def test_what_no_run_can_have_is_refused():
    with pytest.raises(ValueError, match="heads.0: expected 'LinearAttention' or"):
        params(heads=["linear"])
    with pytest.raises(ValueError, match="heads: expected each kind once"):
        params(heads=["LinearAttention", "LinearAttention"])
    with pytest.raises(ValueError, match="config: settings.own.theta"):
        params(settings={"own": {"theta": -1.0, "prompt_length": 4}})
    with pytest.raises(ValueError, match="config: gap.lengths.0"):
        params(gap={"theta": 3.0, "lengths": [1, 2], "tokens": 10})
