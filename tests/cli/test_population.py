"""The commands on a small run of the gapminder config, and on files."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.io import read_gapminder, read_snapshots, write_snapshots
from wflow.learning import Snapshots
from wflow.studies.population import _params


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = [
    "fit.steps=8",
    "fit.chunk=4",
    "fit.batch=12",
    "energy.width=8",
    "energy.depth=1",
    "precision=float64",
]


def _wflow(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _run(config, out, *arguments, settings=SMALL):
    pairs = [part for setting in settings for part in ("--set", setting)]
    return _wflow("run", CONFIGS / f"{config}.yaml", "--out", out, *pairs, *arguments)


@pytest.fixture(scope="module")
def gapminder(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "gapminder"
    result = _run("gapminder", out)
    assert result.exit_code == 0, result.output
    return out, result.output


@pytest.mark.slow
def test_run_directory(gapminder):
    out, printed = gapminder
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    figures = "snapshots forecasts forecasts_from_first loss friction landscape scores"
    assert {f"figures/{name}.png" for name in figures.split()} <= files
    assert {"config.yaml", "metrics.json", "history.csv", "model.eqx"} <= files
    page = (out / "report.html").read_text()
    assert len(page) < 8e6
    assert 'type="range"' in page
    for text in ("The model (mean", "log10 of GDP per head", "year 1997", "fit.steps"):
        assert text in page
    assert any(name.startswith("checkpoints/") for name in files)
    metrics = json.loads((out / "metrics.json").read_text())
    assert all(isinstance(value, int | float) for value in metrics.values())
    # Nothing moves, optimal transport of the last two snapshots, mean shift.
    expected = {
        "persistence_w1": (0.161, 0.267, 0.394),
        "constant_velocity_w1": (0.168, 0.263, 0.382),
        "mean_shift_w1": (0.148, 0.234, 0.330),
    }
    for name, values in expected.items():
        found = [metrics[f"{name}_{year}"] for year in (1997, 2002, 2007)]
        np.testing.assert_allclose(found, values, atol=6e-4)
        np.testing.assert_allclose(metrics[name], np.mean(found))
    assert metrics["steps"] == 8
    assert metrics["test_w1"] == metrics["test_w1_from_last"] > 0
    for name in ("test_w1_from_first", "train_w1", "seconds_per_step", "total_seconds"):
        assert metrics[name] > 0
    assert metrics["compile_seconds"] > 0
    history = (out / "history.csv").read_text().splitlines()
    columns = history[0].split(",")
    assert columns[:2] == ["step", "loss"]
    assert {"friction", "horizon", "start"} <= set(columns)
    assert len(history) == 9
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["fit"]["steps"] == 8
    assert config["fit"]["clip"] == 1.0
    for word in ("nothing moves", "constant velocity", "mean shift", "The model (mean"):
        assert word in printed


@pytest.mark.slow
def test_scored_and_drawn_again(gapminder, tmp_path):
    out, printed = gapminder
    again = _wflow("evaluate", out)
    assert again.exit_code == 0, again.output
    # Drawn again, too.
    path = out / "figures" / "forecasts.png"
    path.unlink()
    page = (out / "report.html").read_text()
    (out / "report.html").unlink()
    result = _wflow("plot", out)
    assert result.exit_code == 0, result.output
    assert path.exists()
    assert (out / "report.html").read_text() == page
    verdicts = [line for line in printed.splitlines() if line.startswith("The model")]
    assert len(verdicts) == 2
    for line in verdicts:
        assert line in again.output
    # The same countries from a file, in another order.
    snapshots, layout = read_gapminder(5)
    path = write_snapshots(tmp_path / "countries", snapshots, layout)
    other = _wflow("evaluate", out, "--data", path)
    assert other.exit_code == 0, other.output
    assert re.search(r"nothing moves +0\.1611 +0\.2674 +0\.3940", other.output)


@pytest.mark.slow
def test_runs_are_compared(gapminder, tmp_path):
    out, _ = gapminder
    other = shutil.copytree(out, tmp_path / "other")
    config = other / "config.yaml"
    config.write_text(config.read_text().replace("steps: 8", "steps: 9"))
    page = tmp_path / "page.html"
    result = _wflow("compare", out, other, "--html", page)
    assert result.exit_code == 0, result.output
    for line in (r"fit\.steps +8 +9", r"gapminder: model", r"other: model"):
        assert re.search(line, result.output), line
    # Baselines are the same in both.
    assert len(re.findall(r"\n +nothing moves ", result.output)) == 2
    assert "gapminder: 8; other: 9" in page.read_text()
    for words, said in (
        ((out,), "expected two runs or more, found one"),
        ((out, tmp_path), "expected the folder of a run, found no config.yaml"),
        ((out, out), "expected different runs, found one twice"),
        ((out, other, "--html", page), "exists and is kept"),
    ):
        result = _wflow("compare", *words)
        assert result.exit_code == 2
        assert said in " ".join(result.output.split())


@pytest.mark.slow
@pytest.mark.filterwarnings("default:.*outside the:UserWarning")
def test_evaluate_reads_columns_by_name(gapminder, tmp_path):
    out, printed = gapminder
    snapshots, layout = read_gapminder(0)
    path = write_snapshots(tmp_path / "countries", snapshots, layout)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("".join(f"{x},{year},{y}\n" for year, y, x in rows))
    own, swapped = _wflow("evaluate", out), _wflow("evaluate", out, "--data", path)
    assert swapped.exit_code == 0, swapped.output
    assert swapped.output == own.output
    text = "\n".join(",".join(row) for row in rows)
    path.write_text(text.replace("life_expectancy", "life"))
    other = _wflow("evaluate", out, "--data", path)
    assert other.exit_code == 2
    assert "was trained on the columns log10_gdp_per_head, life" in other.output
    earlier = Snapshots(snapshots.times - 5, snapshots.clouds)
    path = write_snapshots(tmp_path / "earlier", earlier, layout)
    other = _wflow("evaluate", out, "--data", path)
    assert "outside the 1952 to 1992 that the run was trained on" in other.output


@pytest.mark.slow
def test_forecasts_come_out_in_the_format_that_went_in(gapminder, tmp_path):
    out, _ = gapminder
    result = _wflow(
        "forecast", out, "--times", "1992,1997,2007", "--out", tmp_path / "f"
    )
    assert result.exit_code == 0, result.output
    assert "Forecasts at 3 times" in result.output
    text = (tmp_path / "f.csv").read_text()
    assert text.startswith("year,log10_gdp_per_head,life_expectancy\n1992,")
    clouds = read_snapshots(tmp_path / "f.csv").snapshots
    np.testing.assert_array_equal(clouds.times, [1992, 1997, 2007])
    # At the time it starts from a forecast is the snapshot, in the data's units.
    start = read_gapminder(0).snapshots[8]
    np.testing.assert_allclose(clouds[0], start, rtol=1e-12)
    result = _wflow(
        "forecast",
        out,
        "--times",
        1952,
        "--start",
        "initial",
        "--out",
        tmp_path / "g.npz",
    )
    assert result.exit_code == 0, result.output
    first = read_snapshots(tmp_path / "g.npz").snapshots
    np.testing.assert_allclose(first[0], read_gapminder(0).snapshots[0], rtol=1e-12)


@pytest.mark.slow
def test_wrong_questions_end_in_a_sentence(gapminder, tmp_path):
    out, _ = gapminder
    f = tmp_path / "f"
    three = write_snapshots(
        tmp_path / "three.npz", Snapshots([0, 1, 2], np.zeros((3, 4, 3)))
    )
    broken = tmp_path / "broken.npz"
    np.savez(broken, y=np.zeros(3))
    cases = [
        (["forecast", out, "--times", "1940", "--out", f], "begins at year 1952"),
        (["forecast", out, "--times", "soon", "--out", f], "expected numbers"),
        (["forecast", out, "--times", "2007", "--out", f"{f}.txt"], "ends in .npz"),
        (["forecast", tmp_path, "--times", "2007", "--out", f], "no config.yaml"),
        (["evaluate", out, "--data", three], "found 2"),
        (["evaluate", out, "--data", broken], "positions"),
        (["evaluate", out, "--data", tmp_path / "none.csv"], "no such file"),
        (["run", CONFIGS / "gapminder.yaml", "--set", "split.time=2010"], "split:"),
    ]
    for arguments, words in cases:
        result = _wflow(*arguments)
        assert result.exit_code == 2, arguments
        assert words in result.stderr
        assert "Traceback" not in result.output


def test_a_training_that_fails_keeps_its_history(tmp_path, monkeypatch):
    def fit(flow, snapshots, objective, *, callbacks, **options):
        history = {"step": np.arange(1, 3), "loss": np.ones(2)}

        class Chunk:
            class fit:
                pass

        Chunk.fit.history = history
        callbacks[0](Chunk)
        raise FloatingPointError("fit: the loss is not finite at step 3.")

    monkeypatch.setattr(_params, "fit", fit)
    result = _run("gapminder", tmp_path / "run")
    assert result.exit_code == 1
    assert "Failed: fit: the loss is not finite at step 3." in result.stderr
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 3


@pytest.mark.slow
def test_interpolation_of_a_file(tmp_path):
    """A cloud on a circle at constant speed, with its velocities; every second out."""
    rng = np.random.default_rng(0)
    t = np.arange(5)[:, None] * 0.5
    phase, radius = rng.uniform(0, 0.3, 12), rng.uniform(0.9, 1.1, 12)
    x = radius[:, None] * np.stack([np.cos(t + phase), np.sin(t + phase)], -1)
    v = radius[:, None] * np.stack([-np.sin(t + phase), np.cos(t + phase)], -1) / 2
    path = tmp_path / "circle.npz"
    np.savez(path, positions=x, velocities=v)
    out = tmp_path / "run"
    settings = [
        *SMALL,
        "energy.time_dim=0",
        "energy.feedforward=8",
        "split.snapshots=[1, 3]",
        "seeds=null",
    ]
    result = _run("ocean_interpolation", out, "--data", path, settings=settings)
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    np.testing.assert_allclose(
        metrics["test_w1"], (metrics["test_w1_1"] + metrics["test_w1_3"]) / 2
    )
    for name in ("ot_midpoint_w1", "constant_velocity_w1", "persistence_w1"):
        assert metrics[name] > 0
    assert (out / "figures" / "interpolations.png").exists()
    # With velocities in, velocities come out, in the same layout.
    forecast = _wflow("forecast", out, "--times", "4.5", "--out", tmp_path / "f")
    assert forecast.exit_code == 0, forecast.output
    with np.load(tmp_path / "f.npz") as file:
        assert file["positions"].shape == file["velocities"].shape == (1, 12, 2)
    # The run needs the file no more.
    assert "exact W1" in (scores := _wflow("evaluate", out).output)
    moved = path.rename(tmp_path / "moved.npz")
    assert _wflow("evaluate", out).output == scores
    assert _wflow("plot", out).exit_code == 0
    # A forecast is kept, or replaced as a whole.
    before = (tmp_path / "f.npz").read_bytes()
    refused = _wflow("forecast", out, "--times", "5", "--out", tmp_path / "f")
    assert refused.exit_code == 2
    assert "exists and is kept; --overwrite replaces it" in refused.stderr
    assert (tmp_path / "f.npz").read_bytes() == before
    wrong = ("forecast", out, "--times=-1", "--out", tmp_path / "f", "--overwrite")
    assert _wflow(*wrong).exit_code == 2
    assert (tmp_path / "f.npz").read_bytes() == before
    words = ("forecast", out, "--times", "4.5", "--out", tmp_path / "f", "--overwrite")
    assert _wflow(*words).exit_code == 0
    np.testing.assert_array_equal(
        read_snapshots(tmp_path / "f.npz").snapshots[0],
        np.load(io.BytesIO(before))["positions"][0],
    )
    assert not list(tmp_path.glob(".wflow-*"))
    # From the same snapshots in another file, and from another last one.
    again = _wflow(*words, "--data", moved)
    assert again.exit_code == 0, again.output
    forecast = read_snapshots(tmp_path / "f.npz").snapshots[0]
    np.testing.assert_allclose(
        forecast, np.load(io.BytesIO(before))["positions"][0], rtol=1e-6
    )
    np.savez(moved, positions=x[:, ::-1] + 0.1, velocities=v[:, ::-1])
    again = _wflow(*words, "--data", moved)
    assert again.exit_code == 0, again.output
    other = read_snapshots(tmp_path / "f.npz").snapshots[0]
    assert 0.01 < np.abs(other.mean(0) - forecast.mean(0)).max() < 1
