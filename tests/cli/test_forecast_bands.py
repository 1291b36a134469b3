"""Bands in the forecast task."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.population.schema import ForecastConfig
from wflow.cli.tasks.population_forecast import TASK
from wflow.studies._configs import override, read_yaml
from wflow.studies._params import validate


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = [
    "fit.steps=4",
    "fit.chunk=4",
    "fit.batch=12",
    "energy.width=8",
    "energy.depth=1",
    "precision=float64",
    "ensemble.members=2",
]


def _wflow(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("gapminder", "ensemble.members=1", "ensemble.members"),
        ("gapminder", "ensemble.member=4", "Did you mean ensemble.members?"),
        ("gapminder", "ensemble.resample=rows", "only where data.shuffle is false"),
        ("gapminder", "ensemble.backtest=[9]", "numbers below 9"),
        ("vortex", "ensemble.backtest=[1]", "ensemble.backtest"),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused(name, setting, words):
    raw = override(read_yaml(CONFIGS / f"{name}_ensemble.yaml"), [setting])
    with pytest.raises(ValueError, match=r"\S") as error:
        TASK.check(validate(ForecastConfig, raw, "test"), "test")
    assert words in str(error.value)


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_bands_of_a_small_run(tmp_path):
    out = tmp_path / "run"
    pairs = [part for setting in SMALL for part in ("--set", setting)]
    config = CONFIGS / "gapminder_ensemble.yaml"
    result = _wflow("run", config, "--out", out, *pairs)
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["ensemble_members"] == 2
    # Mean, deviation and five quantiles of two coordinates in three years.
    assert metrics["band_count"] == 42
    for kind in ("", "members_", "persistence_", "trend_"):
        assert 0 <= metrics[f"{kind}coverage_50"] <= metrics[f"{kind}coverage_90"] <= 1
        narrow, wide = (metrics[f"{kind}band_width_{p}"] for p in (50, 90))
        assert 0 < narrow < wide <= metrics[f"{kind}interval_score_90"]
    assert metrics["model_error_rate"] > 0
    assert "in their 90% bands" in result.output
    rows = _rows(out / "bands.csv")
    assert len(rows) == 42
    inside = [
        float(row["low_90"]) <= float(row["observed"]) <= float(row["high_90"])
        for row in rows
    ]
    np.testing.assert_allclose(np.mean(inside), metrics["coverage_90"])
    assert (out / "figures" / "bands.png").exists()
    # Everything is kept: scored again, and drawn again.
    again = _wflow("evaluate", out)
    assert again.exit_code == 0, again.output
    sentences = [line for line in result.output.splitlines() if "90% bands, " in line]
    assert len(sentences) == 4
    for sentence in sentences:
        assert sentence in again.output
    (out / "figures" / "bands.png").unlink()
    assert _wflow("plot", out).exit_code == 0
    assert (out / "figures" / "bands.png").exists()
    # A forecast comes with its bands.
    future = tmp_path / "future.csv"
    forecast = _wflow("forecast", out, "--times", "1997,2012", "--out", future)
    assert forecast.exit_code == 0, forecast.output
    bands = _rows(tmp_path / "future.bands.csv")
    assert {row["time"] for row in bands} == {"1997.0", "2012.0"}
    for key in ("centre", "low_90", "high_50"):
        np.testing.assert_allclose(float(bands[0][key]), float(rows[0][key]))
