"""The studies of filters: their numbers by hand, small runs, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from tests.studies.small_runs import run_config
from wflow.studies._params import validate
from wflow.studies.filtering import filter_bimodal, filter_static, filter_twin


CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("filter_*"))
ENKF = {"members": 20, "filter": {"kind": "EnKF", "inflation": 1.02}}
PARTICLE = {"members": 100, "filter": {"kind": "ParticleFilter", "jitter": 2.4}}
LETKF = {"members": 10, "filter": {"kind": "LETKF"}, "local": {"radius": 4.0}}
BIMODAL = {"task": "filter_bimodal", "repeats": 2, "cells": 201}
STATIC = {"task": "filter_static", "correlations": [0.6], "scales": [], "squares": []}


def twin(**changes):
    """Parameters of a short twin experiment."""
    short = {"repeats": 2, "cycles": 40, "burn_in": 20}
    case = {"lorenz63": {"kind": "lorenz63_full"}}
    given = {"task": "filter_twin", "cases": case, "methods": {"enkf": ENKF}, **short}
    return validate(filter_twin.Params, {**given, **changes}, "config")


def transport(**changes):
    """A likelihood-free transport with few steps."""
    chosen = {"kind": "CouplingTransport", "start": "identity", "steps": 20, **changes}
    return {"members": 50, "filter": chosen}


def refused(params, given):
    """The sentence about a config."""
    with pytest.raises(ValueError, match="config: ") as error:
        validate(params, given, "config")
    return str(error.value)


def made_up_twin():
    """Two truths, of which the filter lost the second at cycle 3; two cycles count."""
    rmse, spread = [[1.0, 3.0], [np.nan, np.nan]], [[0.5, 1.5], [np.nan, np.nan]]
    found = {
        "rmse": rmse,
        "spread": spread,
        "crps": [0.25, np.nan],
        "coverage": [0.75, np.nan],
        "failed": [-1, 3],
        "seconds": [5.0, 0.002],
        "shares": np.full(11, 1 / 11),
    }
    arrays = {f"{what}_lorenz63.enkf": np.array(v) for what, v in found.items()}
    return {"climate_lorenz63": np.array([8.0, 10.0]), **arrays}


def test_report_of_twins():
    p = twin(cycles=4, burn_in=2)
    outcome = filter_twin.report(p, made_up_twin())
    assert outcome.metrics == {
        "rmse_climatology": 9.0,
        "rmse_enkf": 2.0,
        "spread_enkf": 1.0,
        "crps_enkf": 0.25,
        "coverage_enkf": 0.75,
        "failures_enkf": 1.0,
        "seconds_per_cycle_enkf": 0.002,
    }
    assert outcome.tables[0].rows == {
        "climatology": [9.0, None, None, None, None, None],
        "enkf": [2.0, None, 1.0, 0.25, 0.75, 2.0],
    }
    assert outcome.remarks == [
        "lorenz63, enkf: 1 of 2 runs ended in nan, the first at cycle 3."
    ]


def test_figure_of_twins():
    drawn = filter_twin.figures(twin(cycles=4, burn_in=2), made_up_twin())
    left, right = drawn["scores_lorenz63"].axes
    points, bar = left.lines
    np.testing.assert_array_equal(points.get_xdata(), [2.0, np.nan])
    np.testing.assert_array_equal(bar.get_xdata(), [1.0])
    assert [label.get_text() for label in left.get_yticklabels()] == ["enkf"]
    # Ranks that are all as frequent have the density one.
    np.testing.assert_allclose(right.patches[0].get_data().values, 1.0)


@pytest.mark.slow
def test_filters_follow_lorenz63():
    p = twin(methods={"enkf": ENKF, "particle": PARTICLE})
    arrays = filter_twin.STUDY.arrays(p)
    assert arrays["rmse_lorenz63.enkf"].shape == (2, 20)
    metrics = filter_twin.report(p, arrays).metrics
    for name in p.methods:
        assert metrics[f"rmse_{name}"] < 0.5 * metrics["rmse_climatology"]
        assert 0 <= metrics[f"coverage_{name}"] <= 1
        assert metrics[f"failures_{name}"] == 0
        assert metrics[f"seconds_per_cycle_{name}"] > 0
        assert arrays[f"shares_lorenz63.{name}"].sum() == pytest.approx(1)


@pytest.mark.slow
def test_local_filters_on_rings():
    cases = {"all": {"kind": "lorenz96_classic"}, "half": {"kind": "lorenz96_hard"}}
    p = twin(cases=cases, methods={"letkf": LETKF}, repeats=1, cycles=4, burn_in=0)
    arrays = filter_twin.STUDY.arrays(p)
    metrics = filter_twin.report(p, arrays).metrics
    # The start is a twentieth of the climate's spread.
    assert metrics["rmse_letkf_all"] < 1
    assert "rmse_error_letkf_all" not in metrics
    assert set(filter_twin.figures(p, arrays)) == {"scores_all", "scores_half"}


def test_observations_that_are_not_linear():
    x = np.array([-2.0, 0.0, 1.0])
    of = {"absolute": np.abs(x), "saturated": 10 * np.arctan(x)}
    for name, expected in of.items():
        case = {"kind": "lorenz63_full", "observed": name}
        law = twin(cases={"a": case}).cases["a"].setting().model.observation
        np.testing.assert_allclose(law.mean(x), expected, rtol=1e-6)
        np.testing.assert_array_equal(law.cov, 2 * np.eye(3))


def test_report_of_bimodal():
    methods = {"transport": transport(), "enkf": ENKF}
    p = validate(filter_bimodal.Params, {**BIMODAL, "methods": methods}, "config")
    arrays = {
        "burn_in": np.array(1),
        "w1_transport": np.array([[9.0, 1.0, 3.0], [9.0, 3.0, 5.0]]),
        "mass_transport": np.array([[0.0, 0.5, 0.4], [0.0, 0.3, 0.2]]),
        "w1_enkf": np.array([[9.0, 2.0, 2.0], [9.0, np.nan, np.nan]]),
        "mass_enkf": np.zeros((2, 3)),
    }
    outcome = filter_bimodal.report(p, arrays)
    # Of the two truths after the first step: 2 and 4, so that s.d. is the root of 2.
    assert outcome.metrics["w1_transport"] == 3.0
    assert outcome.metrics["w1_sd_transport"] == pytest.approx(2**0.5)
    assert outcome.metrics["w1_enkf"] == 2.0
    assert outcome.metrics["mode_mass_min"] == 0.2
    assert outcome.tables[1].rows["transport"] == [pytest.approx(1.0), 0.2]
    w1, mass = filter_bimodal.figures(p, arrays)["bimodal"].axes
    np.testing.assert_array_equal(w1.lines[0].get_ydata(), [9.0, 2.0, 4.0])
    np.testing.assert_array_equal(mass.lines[0].get_ydata(), [0.0, 0.3, 0.2])


@pytest.mark.slow
def test_transport_keeps_two_modes(tmp_path):
    metrics = run_config("filter_bimodal", tmp_path).metrics
    assert metrics["w1_transport"] < metrics["w1_enkf"]
    assert metrics["mode_mass_min"] == metrics["mode_mass_transport"] > 0


@pytest.mark.slow
def test_report_of_single_updates():
    """Quantiles of the posterior N(0, 1/4), and the same half a deviation further."""
    given = {**STATIC, "repeats": 2, "methods": {"enkf": ENKF}}
    p = validate(filter_static.Params, given, "config")
    grid = np.linspace(-6.0, 6.0, 2401)
    quantiles = stats.norm.ppf((np.arange(4000) + 0.5) / 4000) / 2
    arrays = {
        "density": stats.norm.pdf(grid, scale=0.5)[None],
        "members_enkf": np.stack([quantiles, quantiles + 0.25])[None],
        "weights_enkf": np.full((1, 2, 4000), 1 / 4000),
    }
    outcome = filter_static.report(p, arrays)
    # Half a cell of the grid, 0.005, and tails beyond the last quantile.
    assert outcome.metrics["w1_gaussian_enkf"] == pytest.approx(0.125, abs=3e-3)
    assert outcome.metrics["mean_error_enkf"] == pytest.approx(0.25, abs=1e-3)
    assert outcome.metrics["std_error_enkf"] < 2e-3
    (axes,) = filter_static.figures(p, arrays)["static"].axes
    exact, found = axes.lines
    share = np.interp(found.get_xdata(), exact.get_xdata(), exact.get_ydata())
    np.testing.assert_allclose(found.get_ydata(), share, atol=5e-3)


@pytest.mark.slow
def test_single_updates():
    methods = {
        "particle": {"members": 2000, "filter": {"kind": "ParticleFilter"}},
        "enkf": {"members": 2000, "filter": {"kind": "EnKF"}},
    }
    some = {"scales": [0.4], "squares": [1.0], "repeats": 2, "methods": methods}
    p = validate(filter_static.Params, {**STATIC, **some}, "config")
    arrays = filter_static.STUDY.arrays(p)
    # The posterior of the pair of correlation r is N(r, 1 - r^2) after one deviation.
    grid = np.linspace(-6.0, 6.0, 2401)
    exact = stats.norm.pdf(grid, 0.6, 0.8)
    np.testing.assert_allclose(arrays["density"][0], exact, atol=1e-6)
    outcome = filter_static.report(p, arrays)
    # Sampling errors of 2000 weighted draws; the Kalman update is exact for one law
    # and does nothing for the other.
    assert outcome.metrics["w1_gaussian_enkf"] < 0.06
    assert outcome.metrics["w1_gaussian_particle"] < 0.06
    bimodal = outcome.metrics["w1_bimodal_particle"]
    assert bimodal < 0.1 < outcome.metrics["w1_bimodal_enkf"]
    titles = [table.columns for table in outcome.tables]
    assert titles == [("r = 0.6",), ("lambda = 0.4, y = 1",)]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_filters_of_configs_are_built(path):
    given = yaml.safe_load(path.read_text())
    studies = (filter_bimodal, filter_static, filter_twin)
    study = {each.__name__.rpartition(".")[2]: each for each in studies}[given["task"]]
    p = validate(study.Params, given, path.name)
    assert p.methods["transport"].filter["kind"].endswith("Transport")


def test_contenders_are_refused():
    given = twin().model_dump()
    sentence = lambda method: refused(
        filter_twin.Params, {**given, "methods": {"near": method}}
    )
    said = sentence({**LETKF, "local": None})
    assert "methods.near.local is missing: LETKF" in said
    said = sentence({**ENKF, "local": {"radius": 2.0}})
    assert "methods.near.local: EnKF is not local" in said
    said = sentence(LETKF)
    assert "methods.near.local: the components of lorenz63_full have no" in said
    said = sentence({"members": 10, "filter": {"kind": "KalmanFilter"}})
    assert "methods.near.filter: expected a filter with an ensemble" in said
    said = sentence({"members": 10, "filter": {"kind": "enkf"}})
    assert "methods.near.filter.kind: expected one of" in said
    assert said.endswith("Did you mean EnKF?")
    exact = transport(target={"kind": "RaoBlackwellized"})
    said = sentence(exact)
    assert (
        "methods.near.filter: RaoBlackwellized: expected kernel_y to be a Gaussian"
        in said
    )
    assert "'a b'" in refused(filter_twin.Params, {**given, "methods": {"a b": ENKF}})


def test_twins_are_refused():
    given = twin().model_dump()
    said = refused(filter_twin.Params, {**given, "cycles": 60, "burn_in": None})
    assert "cycles: expected more than the burn-in of lorenz63, 64, found 60" in said
    case = {"kind": "lorenz63_partial", "observed": "absolute"}
    said = refused(filter_twin.Params, {**given, "cases": {"a": case}})
    assert "cases.a.observed: expected components" in said
    said = refused(filter_twin.Params, {**given, "cases": {"a": {"kind": "lorenz63"}}})
    assert "cases.a.kind: expected 'lorenz63_full'" in said
    same = {"methods": {"a": ENKF, "a_b": ENKF}}
    cases = {name: {"kind": "lorenz63_full"} for name in ("b_c", "c")}
    said = refused(filter_twin.Params, {**given, **same, "cases": cases})
    assert "found a_b_c twice" in said


def test_other_studies_are_refused():
    said = refused(filter_bimodal.Params, {**BIMODAL, "methods": {"enkf": ENKF}})
    assert "methods: expected one called transport, found enkf" in said
    given = {**STATIC, "methods": {"enkf": ENKF}}
    said = refused(filter_static.Params, {**given, "correlations": []})
    assert "expected correlations, or scales and squares, found neither" in said
    said = refused(filter_static.Params, {**given, "correlations": [-0.5]})
    assert "correlations.0: expected greater than 0, found -0.5" in said
    said = refused(filter_static.Params, {**given, "methods": {"letkf": LETKF}})
    assert "methods.letkf.local: the components of the line have no" in said
