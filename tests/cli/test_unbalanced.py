"""The task on populations that grow, on a small file."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.io import read_snapshots


CONFIG = Path(__file__).resolve().parents[2] / "configs" / "unbalanced_gene_2d.yaml"
SMALL = [
    "seeds=[3]",
    "fit.steps=8",
    "fit.chunk=4",
    "fit.batch=6",
    "fit.substeps=1",
    "energy.width=4",
    "energy.depth=1",
    "growth.width=4",
    "precision=float64",
]


def _wflow(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _run(data, out, *settings):
    pairs = [part for each in (*SMALL, *settings) for part in ("--set", each)]
    return _wflow("run", CONFIG, "--data", data, "--out", out, *pairs)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """8, 10 and 14 points of a cloud that drifts."""
    rng = np.random.default_rng(0)
    sizes = (8, 10, 14)
    path = tmp_path_factory.mktemp("data") / "cells.npz"
    x = np.concatenate([rng.normal(size=(n, 2)) + [k, 0] for k, n in enumerate(sizes)])
    np.savez(path, x=x, t=np.repeat([0.0, 1.0, 2.0], sizes))
    return path


@pytest.mark.slow
def test_a_run_its_scores_and_its_forecasts(data, tmp_path):
    out = tmp_path / "run"
    result = _run(data, out)
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    # Without growth the mass stays at that of the first snapshot.
    expected = 1 - 8 / 14
    for name in ("balanced_max_relative_mass_error", "persistence_w1_mean"):
        assert metrics[name] == metrics[f"{name}_median"]
    np.testing.assert_allclose(metrics["balanced_max_relative_mass_error"], expected)
    assert 0 < metrics["max_relative_mass_error"] != pytest.approx(expected)
    w1 = [metrics[f"w1_{time}"] for time in (1, 2)]
    np.testing.assert_allclose(metrics["w1_mean"], np.mean(w1))
    errors = [metrics[f"relative_mass_error_{time}"] for time in (1, 2)]
    np.testing.assert_allclose(metrics["max_relative_mass_error"], max(errors))
    seed = out / "seed-3"
    for name in ("growth", "masses", "clouds", "clouds_balanced", "loss", "scores"):
        assert (seed / "figures" / f"{name}.png").exists()
    assert (seed / "balanced" / "model.eqx").exists()
    # The saved models score the same; their forecasts are weighted.
    again = _wflow("evaluate", seed)
    assert again.exit_code == 0, again.output
    assert f"{metrics['w1_mean']:.4f}" in again.output
    assert f"{metrics['balanced_w1_mean']:.4f}" in again.output
    (seed / "figures" / "masses.png").unlink()
    assert _wflow("plot", seed).exit_code == 0
    assert (seed / "figures" / "masses.png").exists()
    forecast = _wflow("forecast", seed, "--times", "2,3", "--out", tmp_path / "f.npz")
    assert forecast.exit_code == 0, forecast.output
    found = read_snapshots(tmp_path / "f.npz").snapshots
    assert found.sizes == (14, 14)
    # Weights in a file sum to the mass: at the start that of the last snapshot.
    with np.load(tmp_path / "f.npz") as file:
        np.testing.assert_allclose(file["weights"][:14].sum(), 14 / 8)
        assert file["weights"][14:].sum() != pytest.approx(14 / 8)


def test_what_is_missing_ends_in_a_sentence(data, tmp_path):
    for setting, words in (
        ("data.masses=null", "data.masses is missing"),
        ("data.masses=[1, 2]", "expected 3 numbers, one for each snapshot"),
        ("growth=null", "growth: expected keys and values"),
    ):
        result = _run(data, tmp_path / "run", setting)
        assert result.exit_code == 2, result.output
        assert words in result.stderr
