"""Resetting against ridge: by hand on made-up arrays, and once in small."""

from pathlib import Path

import numpy as np
import pytest

from tests.studies.small_runs import run_config
from tests.studies.tiny_files import FILES
from wflow.studies import load
from wflow.studies._params import validate
from wflow.studies.regression._laws import filter_arrays


RIDGE, LAWS, OU = (load(f"resetting_{name}") for name in ("ridge", "laws", "ou"))
DET = {"det": {"kind": "Deterministic"}}
MU = np.logspace(-2, 2, 5)
ONE = {"one": [{"count": 3}]}
# As many filters as ridge, one law and early stopping are.
CURVES = {
    "mu": MU,
    "filter": np.stack([MU / (MU + rate) for rate in (1, 2, 3)]),
    "filter_at_slope": np.stack([MU / (MU + 1)] * 3),
    "penalty": np.stack([np.full(5, 1.0), np.linspace(1, np.e, 5), np.full(5, 9.0)]),
}


def made(study, **keys):
    name = study.config.model_fields["task"].annotation.__args__[0]
    return validate(study.config, {"task": name, "precision": "float64", **keys}, "x")


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    name, arrays = FILES["resetting_ridge"]
    path = tmp_path_factory.mktemp("data") / name
    np.savez(path, **arrays)
    return path


def test_report_of_ridge_by_hand():
    p = made(RIDGE, laws=DET, splits=2)
    arrays = {
        **CURVES,
        "names": np.array(["age", "bmi"]),
        "coef": np.array([1.0, 2.0]),
        "std": np.array([0.1, 0.2]),
        "ridge": np.array([1.0, 2.5]),
        "z": np.array([-3.0, 1.0]),
        "covariance_error": np.array(0.25),
        "largest_curvature": np.array(7.0),
        "rate": MU,
        "coefficients": np.ones((3, 5, 2)) * np.array([1.0, 2.0]),
        # By filter, split and rate: best at the first, second and first rate.
        "error": np.array(
            [[[1, 3], [3, 5]], [[5, 1], [5, 2]], [[2, 9], [4, 9]]], float
        ),
        "error_gcv": np.array([[2, 2], [2, 4], [2, 2], [4, 4], [1, 1]], float),
    }
    found = RIDGE.report(p, arrays)
    assert found.metrics["max_abs_coef_difference_to_ridge"] == 0.5
    assert found.metrics["max_z_score_simulated"] == 3.0
    assert found.metrics["coef_bmi"] == 2.0
    assert found.metrics["test_error_best_det"] == 1.5
    # (1, 2) minus (1, 3), in per cent of the mean of the latter.
    assert found.metrics["excess_over_ridge_best_det"] == pytest.approx(-25)
    assert found.metrics["excess_over_ridge_se_best_det"] == pytest.approx(25)
    assert found.metrics["excess_over_ridge_best_early_stop"] == pytest.approx(50)
    assert found.metrics["excess_over_ridge_gcv_pcr"] == pytest.approx(-50)
    assert "excess_over_ridge_best_pcr" not in found.metrics
    assert found.tables[0].rows["min_norm"] == [None, 4.0]
    assert (
        found.remarks[1] == "best: det is best, 25 % below ridge (standard error 25)."
    )
    drawn = RIDGE.figures(p, arrays)
    assert list(drawn) == ["filters", "coefficients", "test_error"]
    titles = [axes.get_title() for axes in drawn["test_error"].axes]
    assert titles == ["at the best rate", "by cross-validation"]


def test_report_of_laws_by_hand():
    signals = {"signals": ["high"], "replicates": 2}
    p = made(LAWS, laws=DET, problems={"rough": [{"count": 3}]}, monte_carlo=signals)
    arrays = {
        **CURVES,
        "mean_rough": np.array([4.0, 2.0, 3.0]),
        # Ridge, the law, early stopping, and the best linear filter.
        "risk_rough": np.array([2.0, 1.0, 4.0, 0.5]),
        "error_high": np.array([[2, 2], [1, 3], [2, 2], [4, 4], [3, 3]], float),
    }
    found = LAWS.report(p, arrays)
    expected = {
        "ridge_mean_rough": 4.0,
        "ridge_risk_rough": 2.0,
        "risk_ratio_rough_det": 0.5,
        "risk_ratio_rough_early_stop": 2.0,
        "risk_ratio_rough_wiener": 0.25,
        "mean_rough_det": 2.0,
        "penalty_log_range_ridge": 0.0,
        "penalty_log_range_det": 1.0,
        "test_error_high_min_norm": 4.0,
        "test_error_se_high_det": 1.0,
        "excess_over_ridge_high_min_norm": 100.0,
    }
    for name, value in expected.items():
        assert found.metrics[name] == pytest.approx(value), name
    assert "mean_rough_wiener" not in found.metrics
    assert found.tables[1].rows == {"ridge": [4.0], "det": [2.0], "early_stop": [3.0]}
    assert found.remarks[-1] == "high: ridge is best."
    assert list(LAWS.figures(p, arrays)) == ["filters", "risk_ratios", "monte_carlo"]


PROCESS = {
    "curvature": [[2.0, 0.6], [0.6, 0.5]],
    "linear": [1.0, -0.5],
    "noise": [[0.3, 0.1], [0.1, 0.2]],
    "origin": [0.2, 0.4],
    "mean": 1.5,
    "laws": {"poisson": {"kind": "Exponential"}},
}


def test_report_of_a_process_by_hand():
    p = made(OU, **PROCESS)
    eye = np.eye(2)
    arrays = {
        "cov_poisson": np.stack([3 * eye, eye, eye]),
        "exact_cov_poisson": np.stack([2 * eye, eye, 0 * eye]),
        "exact_mean_poisson": np.array([0.5, 0.25]),
        "z_poisson": np.array([1.0, -2.0]),
        "draws_poisson": np.random.default_rng(0).normal(size=(2, 9, 2)),
        "time": MU,
        "resets_poisson": np.array([1.0, np.inf]),
        "path_poisson": np.stack([MU, MU]),
    }
    found = OU.report(p, arrays)
    assert found.metrics["relative_covariance_error"] == 0.5
    assert found.metrics["relative_noise_cov_error_poisson"] == 0.0
    assert np.isnan(found.metrics["relative_timing_cov_error_poisson"])
    assert found.metrics["max_z_score_mean_poisson"] == 2.0
    assert found.metrics["mean_2_poisson"] == 0.25
    assert found.metrics["cov_12_poisson"] == 0.0
    assert list(OU.figures(p, arrays)) == ["covariance", "path_poisson"]


def test_closed_form_of_a_process():
    # Poisson resets in two dimensions, solved by hand for these numbers.
    exact = made(OU, **PROCESS).process("poisson").exact
    assert exact.mean[0] == pytest.approx(0.53150242, abs=1e-7)
    assert exact.cov[0, 1] == pytest.approx(-0.15348762, abs=1e-7)


@pytest.mark.slow
def test_covariance_of_a_process(tmp_path):
    found = run_config("resetting_ou", tmp_path).metrics
    # Ten times the sampling error of 2e5 draws.
    assert found["relative_covariance_error"] < 0.1
    assert found["relative_noise_cov_error_poisson"] < 0.1


@pytest.mark.slow
def test_risks_of_two_groups():
    groups = [
        {"count": 10, "curvature": 10.0, "signal": 1.0},
        {"count": 190, "curvature": 0.1, "signal": 0.0},
    ]
    p = made(LAWS, laws=DET, problems={"spiked": groups})
    found = LAWS.report(p, LAWS.arrays(p)).metrics
    # By scipy's minimization over the mean.
    assert found["risk_ratio_spiked_det"] == pytest.approx(0.8268, abs=6e-4)
    assert found["risk_ratio_spiked_early_stop"] == pytest.approx(0.6438, abs=6e-4)
    assert found["penalty_log_range_ridge"] < 1e-12 < found["penalty_log_range_det"]


@pytest.mark.slow
def test_a_law_of_infinite_slope_has_no_match():
    tail = {"tail": {"kind": "Lomax", "alpha": 1.8}}
    arrays = filter_arrays(made(LAWS, laws=tail, problems=ONE).filters)
    assert np.isnan(arrays["filter_at_slope"][1]).all()
    assert np.isfinite(arrays["filter"]).all()


@pytest.mark.slow
def test_errors_on_random_designs(tmp_path):
    found = run_config("resetting_laws", tmp_path).metrics
    assert found["test_error_high_ridge"] > 1
    assert found["excess_over_ridge_high_min_norm"] > 0


@pytest.mark.slow
def test_ridge_on_a_file(tmp_path):
    directory, found, _ = run_config("resetting_ridge", tmp_path)
    arrays = directory.read_results()
    assert found["max_abs_coef_difference_to_ridge"] < 1e-10
    assert found["max_z_score_simulated"] < 4
    assert arrays["error"].shape == (3, 4, 5)
    assert (arrays["error_gcv"] > 0).all()


@pytest.mark.parametrize(
    ("study", "keys", "words"),
    [
        (RIDGE, {"precision": "float32", "laws": DET}, "expected 'float64'"),
        (
            RIDGE,
            {"laws": {"pcr": DET["det"]}},
            "x: laws: pcr is the name of a comparator",
        ),
        (
            LAWS,
            {"problems": ONE, "laws": {"a": {"kind": "hyper_exponential"}}},
            r"x: laws.a.kind: .*Did you mean HyperExponential\?",
        ),
        (
            LAWS,
            {"problems": ONE, "laws": {"a": {"kind": "Gamma"}}},
            "x: laws.a.shape is missing",
        ),
        (
            LAWS,
            {"problems": {"a": [{"count": 3, "deca": 1.0}]}, "laws": DET},
            r"x: problems.a.0.deca is not a key .* Did you mean problems.a.0.decay\?",
        ),
        (
            LAWS,
            {"problems": ONE, "laws": {"a": {"kind": "Gamma", "shape": -1.0}}},
            "x: laws.a: Gamma: expected shape > 0",
        ),
        (OU, {**PROCESS, "laws": DET}, "x: laws.det: expected a law that is not peri"),
        (OU, {**PROCESS, "curvature": [[2.0, 0.6], [0.1, 0.5]]}, "symmetric"),
        (OU, {**PROCESS, "noise": [[0.3, 0.1], [0.1]]}, "x: noise"),
        (OU, {**PROCESS, "origin": [0.1, 0.2, 0.3]}, "expected origin of shape"),
    ],
)
def test_bad_configs_are_named(study, keys, words):
    with pytest.raises(ValueError, match=words):
        made(study, **keys)


def test_bad_files_are_named(design, tmp_path):
    arrays = dict(np.load(design))
    changes = {
        "keys": ({"y": None}, "expected the keys"),
        "shape": ({"y": np.ones(3)}, "y of shape"),
        "nan": ({"y": np.full(40, np.nan)}, "not finite"),
        "text": ({"y": np.full(40, "a")}, "expected numbers"),
        "constant": ({"X": np.ones((40, 3))}, "is constant"),
    }
    cases: list[tuple[Path | None, str]] = [(None, "--data FILE")]
    cases.append((tmp_path / "none.npz", "no such file"))
    for name, (change, words) in changes.items():
        cases.append((tmp_path / f"{name}.npz", words))
        kept = {k: v for k, v in {**arrays, **change}.items() if v is not None}
        np.savez(tmp_path / f"{name}.npz", **kept)
    (tmp_path / "plain.npz").write_text("no archive")
    cases.append((tmp_path / "plain.npz", "expected a .npz of numbers"))
    np.save(tmp_path / "one.npy", np.ones(3))
    cases.append((tmp_path / "one.npy", "expected a .npz of numbers"))
    for path, words in cases:
        p = made(RIDGE, data=None if path is None else str(path), laws=DET)
        with pytest.raises(ValueError, match=f"^config.yaml: data: .*{words}"):
            RIDGE.check(p, "config.yaml")


def test_the_file_of_the_command_is_put_in(design):
    config = RIDGE.with_data({"task": "resetting_ridge"}, design)
    assert config["data"] == str(design.resolve())
