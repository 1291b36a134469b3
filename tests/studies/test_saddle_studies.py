"""Studies of small ReLU networks: reports of known arrays, and tiny runs."""

import math

import numpy as np
import pytest

from tests.studies.small_runs import run_config
from wflow.studies._params import validate
from wflow.studies.networks import (
    saddle_descent,
    saddle_interpolation,
    saddle_near_orthogonal,
    saddle_norm,
    saddle_staircase,
    saddle_width,
)
from wflow.studies.networks._saddle import half_way, lateness


LATE = np.array([0.0, 1.0, 2.0, 3.0])
FALLS = np.array([1.0, 1.0, 0.2, 0.1])
NAN = np.nan


def params(study, **config):
    task = study.__name__.rpartition(".")[2]
    config = {"task": task, "precision": "float64", **config}
    return validate(study.Params, config, "config")


def curves(figure):
    """Numbers of named curves in each frame."""
    return [len(axes.get_legend_handles_labels()[1]) for axes in figure.axes]


def test_report_of_a_staircase():
    p = params(saddle_staircase, instances=1, inverse_scales=[10.0, 100.0])
    arrays = {
        "limit_jumps": np.array([[2.0, np.inf]]),
        "limit_losses": np.array([[1.0, 0.25, 0.25]]),
        # 2 - 1 / scale, so that nothing is left of the extrapolation.
        "jumps": np.array([[[1.9, NAN], [1.99, NAN]]]),
        "jump_errors": np.array([[[0.1, 0.0], [0.01, 0.0]]]),
        "plateau_errors": np.array([[[0.0, 0.5, 0.0], [0.0, 0.2, 0.0]]]),
        "contamination": np.array([[[0.3, 0.0], [0.0, 0.0]]]),
        "alone": np.array([[2.5, 1.0]]),
        "first_half": np.array([1.98]),
        "steps": np.array([[30, 50]]),
        "tau": np.stack([[LATE, LATE]]),
        "loss": np.stack([[FALLS, FALLS]]),
        "drawn": np.array(3),
    }
    outcome = saddle_staircase.report(p, arrays)
    expected = {
        "max_jump_time_error_10": 0.1,
        "max_jump_time_error_100": 0.01,
        "max_plateau_error_100": 0.2,
        "max_contamination_10": 0.3,
        "steps_100": 50,
        "richardson_error": 0,
        "first_jump_error": 0.01,
        "jumps": 1,
        "drawn": 3,
    }
    found = {name: outcome.metrics[name] for name in expected}
    assert found == pytest.approx(expected, abs=1e-12)
    assert outcome.tables[0].rows["each neuron as if alone"] == pytest.approx(
        [0.6, 0.51]
    )
    drawn = saddle_staircase.figures(p, arrays)["staircase"]
    assert curves(drawn) == [3]


def test_report_of_interpolation():
    flow = {"samples": 2, "widths": [2], "draws": 4}
    config = {"samples": [2, 4], "widths": [2, 4], "draws": 100, "flow": flow}
    p = params(saddle_interpolation, **config)
    arrays = {
        # 0.995 is a cell in which 100 draws cannot tell.
        "expected": np.array([[0.5, 0.9], [0.25, 0.995]]),
        "counted": np.array([[0.6, 0.9], [0.25, 1.0]]),
        "width_half": np.array([2, 5]),
        "width_99": np.array([9, 10]),
        "flow_fitted": np.array([[True, True, False, False]]),
        "flow_foretold": np.array([[True, True, False, True]]),
    }
    metrics = saddle_interpolation.report(p, arrays).metrics
    assert metrics["max_probability_z"] == pytest.approx(2)
    assert metrics["cells"] == 3
    assert (metrics["width_half_4"], metrics["width_99_2"]) == (5, 9)
    assert metrics["union_99_4"] == pytest.approx(math.log(400) / math.log(4 / 3))
    assert metrics["flow_agreement"] == 0.75
    assert curves(saddle_interpolation.figures(p, arrays)["interpolation"]) == [5]


def test_report_of_norms():
    cases = [{"samples": 4, "width": 3}, {"samples": 16, "width": 3}]
    p = params(saddle_norm, cases=cases, repeats=2, flow=cases[:1], flow_repeats=2)
    arrays = {
        "norm_squared": np.array([[2.0, 4.0], [8.0, 100.0]]),
        "least": np.array([[1.0, 2.0], [4.0, 1.0]]),
        # The last draw does not interpolate and does not count.
        "unfitted": np.array([[0, 0], [0, 1]]),
        "active": np.array([[1, 3], [5, 9]]),
        "first_jump": np.array([[1.0, 3.0], [4.0, 9.0]]),
        "last_jump": np.array([[2.0, 4.0], [5.0, 9.0]]),
        "flow_norm": np.array([[2.2, 2.0]]),
        "flow_least": np.array([[1.0, 1.0]]),
        "flow_foretold": np.array([[2.0, 2.0]]),
    }
    outcome = saddle_norm.report(p, arrays)
    expected = {
        "norm_slope": math.log(8 / 3) / math.log(4),
        "ratio_min": 2,
        "ratio_max": 2,
        "interpolating": 3,
        "norm_squared_4": 3,
        "norm_squared_16": 8,
        "ratio_16": 2,
        "active_4": 2,
        "flow_norm_error": 0.1,
    }
    found = {name: outcome.metrics[name] for name in expected}
    assert found == pytest.approx(expected)
    assert outcome.tables[1].rows["last jump"] == [3, 5]
    assert curves(saddle_norm.figures(p, arrays)["norm"]) == [3, 3]


def test_report_of_descent():
    """The solve in the weights ends once in two draws; at 1000 only the flow runs."""
    config = {"instances": 2, "inverse_scales": [10.0, 1000.0], "step_shares": [0.5]}
    p = params(saddle_descent, **config)
    none = [[NAN], [NAN]]
    arrays = {
        "steps": np.array(
            [[[100, 200], [300, 500]], [[40, NAN], [NAN] * 2], [[20, 30], [NAN] * 2]]
        ),
        "late": np.array(
            [
                [[[0.0], [0.0]], [[0.0], [0.0]]],
                [[[0.01], [NAN]], none],
                [[[0.2], [-0.3]], none],
            ]
        ),
        # eta g = 1: the first jump takes 1 / log 2 as long.
        "rate": np.array([1.0, 1.0]),
        "largest_step": np.array(2.0),
        **{f"tau_{k}": np.stack([LATE, LATE]) for k in range(2)},
        **{f"loss_{k}": np.stack([FALLS, FALLS]) for k in range(2)},
    }
    outcome = saddle_descent.report(p, arrays)
    assert outcome.metrics == pytest.approx(
        {
            "steps_flow_10": 150,
            "steps_flow_1000": 400,
            "steps_weights_10": 40,
            "late_weights_10": 0.01,
            "steps_descent_0.5_10": 25,
            "late_descent_0.5_10": 0.3,
            "ended_weights_10": 1,
            "first_late_0.5": 0.2,
            "first_late_error_0.5": 1 / math.log(2) - 1 + 0.3,
        }
    )
    steps, late = outcome.tables
    assert steps.rows["descent, step 0.5"] == [25, None]
    assert list(late.rows) == ["adaptive solve in (a, w)", "descent, step 0.5"]
    drawn = saddle_descent.figures(p, arrays)
    assert curves(drawn["descent"]) == [2, 2]
    assert curves(drawn["cost"]) == [3, 2]


def test_report_of_nearly_orthogonal_inputs():
    config = {"samples": 6, "instances": 2, "dims": [36], "cosines": [1e-2, 1e-6]}
    p = params(saddle_near_orthogonal, **config, inverse_scales=[10.0])
    arrays = {
        "late": np.array([[[0.0, 1.0, 0.2, 0.0], [0.0, np.inf, 0.2, 0.0]]]),
        "norm_squared": np.array([[[4.0, 2.0, 4.0, 4.0], [4.0, 2.0, 4.0, 4.0]]]),
        "woken": np.array([[[0, 3, 1, 0], [0, 4, 1, 0]]]),
        "loss": np.array([[[0.0, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.5]]]),
        "finished": np.array([[[True, True, True, True], [True, True, True, False]]]),
        "limit": np.array([4.0, 4.0]),
        "least": np.array([2.0, 4.0]),
    }
    metrics = saddle_near_orthogonal.report(p, arrays).metrics
    expected = {
        # Half way between the two cosines none and all follow.
        "breaking_10": math.log(1e4) / 10,
        "norm_over_limit_orthogonal_10": 1,
        "norm_over_least_orthogonal_10": 1.5,
        "fitted_orthogonal_10": 0.5,
        "finished_10": 0.5,
        "follows_36_10": 0,
        "woken_36_10": 3.5,
        "fitted_36_10": 0,
        "norm_over_least_36_10": 0.75,
    }
    assert metrics == pytest.approx(expected)
    (drawn,) = saddle_near_orthogonal.figures(p, arrays).values()
    assert curves(drawn) == [3, 3]


def test_report_of_widths():
    p = params(saddle_width, samples=6, widths=[2, 4], dims=[6], draws=4)
    orthogonal = np.array([[True, False, False, False], [True, True, True, False]])
    covered = orthogonal.copy()
    covered[0, 1] = True
    arrays = {
        "fitted": np.array([orthogonal, np.zeros((2, 4), bool)]),
        "covered": np.array([covered, covered]),
        "expected": np.array([[0.5, 0.5, 0.4, 0.6], [1.0, 1.0, 1.0, 1.0]]),
    }
    outcome = saddle_width.report(p, arrays)
    found = dict(outcome.metrics)
    assert math.isnan(found.pop("width_half_6"))
    assert found == pytest.approx(
        {
            "width_half_orthogonal": 3,
            "width_half_formula": 2,
            "cover_agreement": 7 / 8,
            # A quarter where a half is expected; of the sure cell nothing can be told.
            "max_probability_z": 1,
            "fitted_orthogonal": 0.5,
            "fitted_6": 0,
        }
    )
    assert outcome.tables[0].rows["m = 2"] == [0.75, 0.5, 1.0]
    assert curves(saddle_width.figures(p, arrays)["width"]) == [3, 1]


def test_lateness_and_half_way():
    exact = np.array([2.0, 2.0, NAN, NAN])
    found = lateness(np.array([3.0, NAN, 5.0, NAN]), exact)
    np.testing.assert_array_equal(found, [0.5, np.inf, 0, 0])
    places = np.array([1.0, 2.0, 4.0])
    assert half_way(places, np.array([0.0, 0.25, 0.75])) == 3
    assert half_way(places, np.array([0.6, 0.0, 0.9])) == 1
    assert math.isnan(half_way(places, np.array([0.0, 0.1, 0.2])))


@pytest.mark.slow
def test_jumps_come_to_those_of_the_limit(tmp_path):
    """Of first order in 1 / log(1 / scale), which extrapolation removes."""
    metrics = run_config("saddle_staircase", tmp_path).metrics
    errors = [metrics[f"max_jump_time_error_{scale}"] for scale in (50, 200, 1000)]
    assert errors[2] <= errors[1] <= errors[0]
    assert 4 < errors[1] / errors[2] < 6
    assert metrics["richardson_error"] < 1e-3
    assert metrics["first_jump_error"] < 1e-5


@pytest.mark.slow
def test_covers_are_as_frequent_as_the_formula_says():
    config = {"samples": [6], "widths": [4, 6, 8, 12], "draws": 500}
    p = params(saddle_interpolation, **config)
    arrays = saddle_interpolation.STUDY.arrays(p)
    metrics = saddle_interpolation.report(p, arrays).metrics
    assert metrics["cells"] == 4
    assert metrics["max_probability_z"] < 4
    assert metrics["width_half_6"] < metrics["width_99_6"] <= metrics["union_99_6"] + 1


@pytest.mark.slow
def test_norms_are_above_the_least():
    cases = [{"samples": n, "width": 24} for n in (20, 80)]
    p = params(saddle_norm, cases=cases, repeats=6)
    metrics = saddle_norm.report(p, saddle_norm.STUDY.arrays(p)).metrics
    assert 1 <= metrics["ratio_min"] < metrics["ratio_max"] <= 2.6
    assert 0.4 < metrics["norm_slope"] < 0.8


@pytest.mark.slow
def test_the_flow_ends_at_the_norm_of_the_limit(tmp_path):
    """Where runners-up are far behind."""
    assert run_config("saddle_norm", tmp_path).metrics["flow_norm_error"] < 0.1


@pytest.mark.slow
def test_the_flow_fits_what_the_limit_fits(tmp_path):
    metrics = run_config("saddle_interpolation", tmp_path).metrics
    assert metrics["flow_agreement"] == 1


@pytest.mark.slow
def test_cases_that_no_draw_interpolates_are_refused():
    cases = [{"samples": 80, "width": 1}, {"samples": 4, "width": 12}]
    p = params(saddle_norm, cases=cases, repeats=2)
    with pytest.raises(ValueError, match=r"^cases\.0\.width: none of 2 draws of 1 neu"):
        saddle_norm.STUDY.arrays(p)


@pytest.mark.slow
def test_descent_is_late_as_the_growth_of_a_step_says(tmp_path):
    metrics = run_config("saddle_descent", tmp_path).metrics
    for share in (0.4, 0.1):
        late = metrics[f"first_late_{share}"]
        # But for terms of 1 / log(1 / scale).
        assert late > share / 20
        assert metrics[f"first_late_error_{share}"] < 0.05 * late
    assert metrics["late_weights_10"] < 1e-4
    # Steps of descent grow with the scale; where numbers end it has none.
    assert metrics["steps_descent_0.1_200"] > 10 * metrics["steps_descent_0.1_10"]
    assert metrics["steps_flow_1000"] < 2 * metrics["steps_flow_200"]
    assert "steps_descent_0.1_1000" not in metrics


@pytest.mark.slow
def test_what_fits_orthogonal_samples_is_their_cover(tmp_path):
    """At every scale."""
    metrics = run_config("saddle_width", tmp_path).metrics
    assert metrics["cover_agreement"] == 1
    assert metrics["max_probability_z"] < 4
    assert metrics["width_half_orthogonal"] <= 16


@pytest.mark.slow
def test_cosines_above_the_scale_wake_units(tmp_path):
    """exp(-20) = 2e-9: of cosines far above it units wake up, far below none does."""
    directory, metrics, _ = run_config("saddle_near_orthogonal", tmp_path)
    arrays = directory.read_results()
    assert 0.5 < metrics["breaking_20"] < 1.5
    assert metrics["woken_24_20"] > 0
    assert metrics["finished_20"] == 1
    assert arrays["woken"].shape == (1, 4, 7)
    np.testing.assert_array_equal(arrays["woken"][..., -1], 0)
    assert np.all(arrays["late"][..., -1] < 1e-6)


TWO = {"inverse_scales": [5.0, 9.0]}
COSINES = {"cosines": [1e-3, 1e-9], "inverse_scales": [15.0]}


@pytest.mark.parametrize(
    ("study", "config", "message"),
    [
        (
            saddle_width,
            {"widths": [2, 4], "dims": [20]},
            "dims: .* none below sa",
        ),
        (saddle_width, {"widths": [4, 2], "dims": [50]}, "widths: expected increasing"),
        (
            saddle_width,
            {"widths": [2, 4], "dims": [50], "labels": {"low": 0.5}},
            "labels.low: success .* expected labels of size >= 1",
        ),
        (
            saddle_near_orthogonal,
            {**COSINES, "cosines": [0.5, 1e-9]},
            r"cosines: expected at most 1 / \(2 samples\)",
        ),
        (
            saddle_near_orthogonal,
            {**COSINES, "inverse_scales": [1000.0]},
            "inverse_scales: .* expected at most 700",
        ),
        (saddle_near_orthogonal, {**COSINES, "dims": [3]}, "dims: expected none below"),
        (
            saddle_descent,
            {**TWO, "step_shares": [0.05, 0.5]},
            "step_shares: expected decreasing numbers",
        ),
        (saddle_descent, {**TWO, "step_shares": [1.5]}, "step_shares.0: expected"),
        (
            saddle_descent,
            {"inverse_scales": [800.0, 900.0], "step_shares": [0.5]},
            "the first to be at most 700",
        ),
        (
            saddle_staircase,
            {"inverse_scales": [9.0, 5.0]},
            "inverse_scales: expected increasing numbers",
        ),
        (
            saddle_staircase,
            {**TWO, "labels": {"low": 2.0, "high": 1.0}},
            "labels: expected low <= high, found 2 and 1",
        ),
        (
            saddle_norm,
            {"cases": [{"samples": 4, "width": m} for m in (2, 3)]},
            "cases: expected distinct numbers of samples",
        ),
    ],
)
def test_refused(study, config, message):
    with pytest.raises(ValueError, match=message):
        params(study, **config)
