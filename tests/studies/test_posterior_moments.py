"""Moments of posteriors that are known: a line, and a small plate by NUTS."""

import numpy as np
import pytest

from wflow.studies._params import validate
from wflow.studies.sampling.sampling_posterior import STUDY


def metrics_of(**params):
    given = {"task": "sampling_posterior", **params}
    p = validate(STUDY.config, given, "test")
    return STUDY.report(p, STUDY.arrays(p)).metrics


@pytest.mark.slow
def test_posterior_of_a_line(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    design = np.stack([np.ones(60), x], 1)
    y = design @ [1.0, 2.0] + rng.normal(size=60)
    # Flat prior but for sigma's tail: normal around least squares, to order 1 / n.
    best, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    s2 = residual[0] / 58
    draws = rng.multivariate_normal(best, s2 * np.linalg.inv(design.T @ design), 2000)
    sigma = np.sqrt(s2) * (1 + rng.normal(size=2000) / np.sqrt(116))
    file = tmp_path / "line__kidscore_momiq.npz"
    np.savez(
        file,
        draws=np.column_stack([draws, sigma])[None],
        names=np.array(["beta[1]", "beta[2]", "sigma"]),
        data_kid_score=y,
        data_mom_iq=x,
    )
    metrics = metrics_of(
        data={"model": "kidscore_momiq", "path": str(file)},
        methods={"shk": {"kind": "SHK", "step_size": 0.1, "steps": 200}},
        default="shk",
        repeats=3,
    )
    # Three standard errors of a hundred draws, the worst of three; the tail of sigma.
    assert metrics["worst_mean_error_sd"] < 0.4
    assert 0.75 < metrics["sd_ratio_min"] < metrics["sd_ratio_max"] < 1.35
    assert metrics["sd_ratio_min_initial"] > 1.5


@pytest.mark.slow
def test_conductivity_of_a_small_plate():
    metrics = metrics_of(
        plate={"cells": 2, "mesh": 4, "points": 3, "draws": 400},
        methods={
            "mala": {"kind": "MALA", "step_size": 0.2, "steps": 100},
            "free": {
                "kind": "ALDI",
                "gradient_free": True,
                "step_size": 0.05,
                "steps": 100,
            },
        },
        default="mala",
        spread=1.5,
        repeats=3,
    )
    # Chains agree with NUTS within some standard errors of a hundred draws.
    assert metrics["worst_mean_error_sd"] < 0.6
    assert 0.5 < metrics["sd_ratio_min"] < metrics["sd_ratio_max"] < 1.6
    assert metrics["failed_runs_free"] == 0
