"""The saddle-to-saddle tasks on small configs, through the command."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from wflow.cli.app import app


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.slow
def test_staircase(run):
    changes = {"samples": 5, "width": 4, "instances": 2, "seed": 1}
    metrics, out = run("saddle_staircase", changes)
    # Of first order in 1 / log(1 / scale), which extrapolation removes.
    errors = [metrics[f"max_jump_time_error_{scale}"] for scale in (50, 200, 1000)]
    assert errors[2] <= errors[1] <= errors[0]
    assert 4 < errors[1] / errors[2] < 6
    assert metrics["richardson_error"] < 1e-3
    assert metrics["first_jump_error"] < 1e-5
    assert (out / "figures" / "staircase.png").is_file()


@pytest.mark.slow
def test_interpolation(run):
    changes = {"samples": [6], "widths": [4, 6, 8, 12], "draws": 500, "flow": None}
    metrics, out = run("saddle_interpolation", changes)
    assert metrics["cells"] >= 4
    assert metrics["max_probability_z"] < 4
    assert metrics["width_half_6"] < metrics["width_99_6"] <= metrics["union_99_6"] + 1
    assert (out / "figures" / "interpolation.png").is_file()


@pytest.mark.slow
def test_norm(run):
    cases = [{"samples": n, "width": 24} for n in (20, 80)]
    metrics, out = run("saddle_norm", {"cases": cases, "repeats": 6, "flow": []})
    assert metrics["ratio_min"] >= 1
    assert metrics["ratio_max"] <= 2.6
    assert 0.4 < metrics["norm_slope"] < 0.8
    assert (out / "figures" / "norm.png").is_file()


@pytest.mark.slow
def test_more_instances_than_draws(run):
    output, _ = run(
        "saddle_staircase", {"instances": 300, "samples": 5, "width": 4}, code=2
    )
    assert "of 256 draws have jumps that lead by 0.1" in " ".join(output.split())


@pytest.mark.slow
def test_descent(run):
    changes = {
        "samples": 5,
        "width": 4,
        "instances": 2,
        "inverse_scales": [10.0, 200.0, 1000.0],
        "step_shares": [0.4, 0.1],
        "points": 1000,
    }
    metrics, out = run("saddle_descent", changes)
    # The first jump is late as the growth of a step says, but for 1 / log(1 / scale).
    for share in (0.4, 0.1):
        assert metrics[f"first_late_{share}"] > share / 20
        late, error = (
            metrics[f"first_late_{share}"],
            metrics[f"first_late_error_{share}"],
        )
        assert error < 0.05 * late
    # Steps of descent grow with the scale; where numbers end it has none.
    assert metrics["steps_descent_0.1_200"] > 10 * metrics["steps_descent_0.1_10"]
    assert metrics["steps_flow_1000"] < 2 * metrics["steps_flow_200"]
    assert "steps_descent_0.1_1000" not in metrics
    for name in ("descent", "cost"):
        assert (out / "figures" / f"{name}.png").is_file()


@pytest.mark.slow
def test_width(run):
    changes = {"samples": 6, "widths": [2, 4, 16], "dims": [6, 60], "draws": 12}
    metrics, out = run("saddle_width", {**changes, "steps": 3000})
    # What fits orthogonal samples is their cover, at every scale.
    assert metrics["cover_agreement"] == 1
    assert metrics["max_probability_z"] < 4
    assert metrics["width_half_orthogonal"] <= 16
    assert (out / "figures" / "width.png").is_file()


@pytest.mark.slow
def test_near_orthogonal(run):
    changes = {
        "samples": 6,
        "width": 5,
        "instances": 4,
        "dims": [24],
        "cosines": [1e-2, 1e-6, 1e-10, 1e-14, 1e-18],
        "inverse_scales": [20.0],
        "points": 400,
    }
    metrics, out = run("saddle_near_orthogonal", changes)
    # exp(-20) = 2e-9: of cosines far above it units wake up, far below none does.
    assert 0.5 < metrics["breaking_20"] < 1.5
    assert metrics["woken_24_20"] > 0
    assert metrics["finished_20"] == 1
    rows = (out / "history.csv").read_text().splitlines()
    names = rows[0].split(",")
    cells = [
        dict(zip(names, map(float, row.split(",")), strict=True)) for row in rows[1:]
    ]
    least = [cell for cell in cells if cell["cosine"] == 1e-18]
    assert len(least) == 4
    assert all(cell["woken"] == 0 for cell in least)
    assert all(cell["late"] < 1e-6 for cell in least)
    assert (out / "figures" / "near_orthogonal.png").is_file()


def test_configs_are_checked():
    def refused(name, *sets):
        arguments = [part for pair in sets for part in ("--set", pair)]
        result = CliRunner().invoke(
            app, ["run", str(CONFIGS / f"{name}.yaml"), *arguments]
        )
        assert result.exit_code == 2
        return " ".join(result.output.split())

    text = refused("saddle_width", "dims=[20]")
    assert "none below samples = 50" in text
    text = refused("saddle_width", "labels.low=0.5")
    assert "expected labels of size >= 1" in text
    text = refused("saddle_near_orthogonal", "cosines=[0.5,1e-9]")
    assert "expected at most 1 / (2 samples)" in text
    text = refused("saddle_near_orthogonal", "inverse_scales=[1000.0]")
    assert "expected at most 700" in text
    text = refused("saddle_descent", "step_shares=[0.05,0.5]")
    assert "expected decreasing shares" in text
    text = refused("saddle_descent", "step_shares=[1.5]")
    assert "step_shares" in text
