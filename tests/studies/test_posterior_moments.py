"""Posteriors whose moments are known: a line, and a small plate by NUTS."""

import pytest

from tests.studies.small_runs import run_config


@pytest.mark.slow
def test_posterior_of_a_line(tmp_path):
    metrics = run_config("posterior_kidiq", tmp_path).metrics
    # Three standard errors of a hundred draws, the worst of three; the tail of sigma.
    assert metrics["worst_mean_error_sd"] < 0.4
    assert 0.75 < metrics["sd_ratio_min"] < metrics["sd_ratio_max"] < 1.35
    assert metrics["sd_ratio_min_initial"] > 1.5


@pytest.mark.slow
def test_conductivity_of_a_small_plate(tmp_path):
    _, metrics, said = run_config("elliptic_inverse", tmp_path)
    # Chains agree with NUTS within some standard errors of a hundred draws.
    assert metrics["worst_mean_error_sd"] < 0.6
    assert 0.5 < metrics["sd_ratio_min"] < metrics["sd_ratio_max"] < 1.6
    assert metrics["failed_runs_free"] == metrics["failed_runs"] == 0
    # Steps that lead out of all numbers are counted and told.
    assert metrics["failed_runs_wild"] == 3
    assert "wild: worst error of a mean inf" in said
    # A hundred of the reference's own draws.
    assert metrics["worst_mean_error_sd_reference"] < 0.6
