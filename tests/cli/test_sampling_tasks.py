"""The sampling tasks on small configs, through the command."""

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
    def run(name, changes, *arguments):
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**config, **changes}))
        out = tmp_path / "run"
        result = CliRunner().invoke(
            app, ["run", str(path), "--out", str(out), *map(str, arguments)]
        )
        assert result.exit_code == 0, result.output
        again = CliRunner().invoke(app, ["plot", str(out)])
        assert again.exit_code == 0, again.output
        return json.loads((out / "metrics.json").read_text()), out

    return run


@pytest.mark.slow
def test_posterior_of_a_line(run, tmp_path):
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
    methods = {"shk": {"kind": "shk", "step": 0.1, "steps": 200}}
    metrics, out = run(
        "posterior_kidiq", {"methods": methods, "repeats": 3}, "--data", file
    )
    # Three standard errors of a hundred draws, the worst of three; the tail of sigma.
    assert metrics["worst_mean_error_sd"] < 0.4
    assert 0.75 < metrics["sd_ratio_min"] < metrics["sd_ratio_max"] < 1.35
    assert metrics["worst_mean_error_sd"] == metrics["worst_mean_error_sd_shk"]
    assert metrics["sd_ratio_min_initial"] > 1.5
    assert (out / "figures" / "moments.png").is_file()


@pytest.mark.slow
def test_conductivity_of_a_small_plate(run):
    data = {"kind": "elliptic", "cells": 2, "mesh": 4, "points": 3, "draws": 400}
    methods = {"mala": {"kind": "mala", "step": 0.2, "steps": 100}}
    free = {"kind": "aldi_gradient_free", "step": 0.05, "steps": 100}
    changes = {
        "data": data,
        "default": "mala",
        "methods": {**methods, "free": free},
        "particles": 100,
    }
    metrics, _ = run("elliptic_inverse", changes)
    # Chains agree with NUTS within some standard errors of a hundred draws.
    assert metrics["worst_mean_error_sd"] < 0.6
    assert 0.5 < metrics["sd_ratio_min"] < metrics["sd_ratio_max"] < 1.6
    assert metrics["failed_runs_free"] == 0


def test_a_posterior_needs_its_file():
    result = CliRunner().invoke(app, ["run", str(CONFIGS / "posterior_kidiq.yaml")])
    assert result.exit_code == 2
    assert "data.path: expected the file <data>__kidscore_momiq.npz" in result.output
