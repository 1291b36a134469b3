"""The filtering tasks on small configs, through the command."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from wflow.cli.filtering.filter_scores import level_shares, read_scores


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
ENKF = {"kind": "enkf", "members": 20}


def methods(name, *kept, **changes):
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["methods"]
    return {kind: {**config[kind], **changes} for kind in kept}


@pytest.mark.slow
def test_twin(run):
    chosen = methods("filter_lorenz63", "enkf", "particle")
    changes = {"repeats": 2, "cycles": 40, "burn_in": 20, "methods": chosen}
    metrics, out = run("filter_lorenz63", changes)
    for name in chosen:
        assert metrics[f"rmse_{name}"] < 0.5 * metrics["rmse_climatology"]
        assert 0 <= metrics[f"coverage_{name}"] <= 1
        assert metrics[f"failures_{name}"] == 0
        assert metrics[f"seconds_per_cycle_{name}"] > 0
    assert (out / "figures" / "scores_lorenz63.png").is_file()
    scores = read_scores(out / "scores.csv")
    assert set(scores["case"]) == {"lorenz63"}
    assert list(scores["method"]) == ["enkf", "enkf", "particle", "particle"]
    of_enkf = scores["rmse"][scores["method"] == "enkf"].mean()
    np.testing.assert_allclose(of_enkf, metrics["rmse_enkf"])


@pytest.mark.slow
def test_local_methods_and_several_cases(run):
    chosen = methods("filter_lorenz96", "enkf_local", "letkf", members=10)
    cases = {"all": {"kind": "lorenz96"}, "half": {"kind": "lorenz96_hard"}}
    changes = {"repeats": 1, "cycles": 4, "burn_in": 0, "methods": chosen}
    metrics, out = run("filter_lorenz96", {**changes, "cases": cases})
    # The start is a twentieth of the climate's spread.
    assert metrics["rmse_letkf_all"] < 1
    assert "rmse_error_letkf_all" not in metrics
    assert (out / "figures" / "scores_half.png").is_file()


@pytest.mark.slow
def test_bimodal(run):
    kernel = {"kind": "gaussian", "scales": [0.5, 1.0, 2.0]}
    short = {"steps": 20, "members": 50, "kernel_y": kernel}
    chosen = methods("filter_bimodal", "transport", **short)
    changes = {"repeats": 1, "methods": {**chosen, "enkf": ENKF}, "cells": 401}
    metrics, out = run("filter_bimodal", changes)
    assert metrics["w1_transport"] < metrics["w1_enkf"]
    assert metrics["mode_mass_min"] == metrics["mode_mass_transport"] > 0
    assert (out / "figures" / "bimodal.png").is_file()


@pytest.mark.slow
def test_static(run):
    particle = {"kind": "particle", "members": 2000, "jitter": 0.0}
    changes = {
        "correlations": [0.6],
        "scales": [0.4],
        "squares": [1.0],
        "repeats": 2,
        "methods": {"particle": particle, "enkf": {**ENKF, "members": 2000}},
    }
    metrics, out = run("filter_static", changes)
    # Sampling errors of 2000 weighted draws; the Kalman update is exact for one law
    # and does nothing for the other.
    assert metrics["w1_gaussian_enkf"] < 0.06
    assert metrics["w1_gaussian_particle"] < 0.06
    assert metrics["w1_bimodal_particle"] < 0.1 < metrics["w1_bimodal_enkf"]
    assert (out / "figures" / "static.png").is_file()
    scores = read_scores(out / "scores.csv")
    assert set(scores["case"]) == {"r = 0.6", "lambda = 0.4, y = 1"}
    assert set(scores["method"]) == {"particle", "enkf"}


def test_scores_have_names(tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text("case,method,rmse,failed\n12,enkf,0.5,-1\n12,a b,nan,3\n")
    scores = read_scores(table)
    assert list(scores["case"]) == ["12", "12"]
    assert list(scores["method"]) == ["enkf", "a b"]
    np.testing.assert_array_equal(scores["rmse"], [0.5, np.nan])


def test_ranks_fill_bins_that_do_not_divide_them():
    ranks = (np.arange(61) + 0.5) / 61
    np.testing.assert_allclose(level_shares(ranks, 60, 11), 1 / 11, atol=1e-12)
    # The lowest rank alone lies within the first bin.
    lowest = level_shares(np.array([0.5 / 61, np.nan]), 60, 11)
    np.testing.assert_allclose(lowest, np.eye(11)[0], atol=1e-12)
    assert level_shares(np.array([np.nan]), 60, 11).sum() == 0


def test_refusals(run):
    local = {**ENKF, "local": {"radius": 2.0}}
    output, _ = run("filter_lorenz63", {"methods": {"near": local}}, code=2)
    assert "methods.near.local" in output.replace("\n", "")
    output, _ = run("filter_lorenz63", {"cycles": 60}, code=2)
    assert "64" in output
    output, _ = run("filter_bimodal", {"methods": {"enkf": ENKF}}, code=2)
    assert "transport" in output
    output, _ = run("filter_static", {"correlations": [], "scales": []}, code=2)
    assert "neither" in output
    smooth = methods("filter_lorenz63", "transport", exact=True)
    output, _ = run("filter_lorenz63", {"methods": smooth}, code=2)
    assert "gaussian" in output
