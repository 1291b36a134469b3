"""The propagation-of-chaos tasks on small configs, through the command."""

import pytest

from wflow.cli.networks.chaos_reports import tag


def widths(*given):
    return [{"neurons": m, "seeds": seeds} for m, seeds in given]


@pytest.mark.slow
def test_quadratic(run):
    changes = {"widths": widths((16, 100), (64, 100)), "long_horizon": 100.0}
    metrics, out = run("chaos_quadratic", {**changes, "step": 0.05})
    # Two widths and 100 seeds: a standard error of some .1.
    assert -1.5 < metrics["slope"] < -0.5
    assert metrics["slope_low"] < metrics["slope"] < metrics["slope_high"]
    assert metrics["loss_end"] < 0.1 * metrics["loss_end_frozen"]
    assert metrics["log10_gronwall_60"] > 100
    assert (out / "figures" / "chaos.png").is_file()


@pytest.mark.slow
def test_exponents(run):
    changes = {"exponents": [3.5], "widths": widths((16, 200), (64, 200))}
    metrics, out = run("chaos_exponents", changes)
    assert metrics["decay_3p5"] == pytest.approx(3.5, abs=0.05)
    assert metrics["slope_3p5"] == pytest.approx(-1, abs=0.25)
    assert metrics["inconsistent"] == 0
    assert (out / "figures" / "exponents.png").is_file()


def test_exponents_out_of_reach(run):
    output, _ = run("chaos_exponents", {"exponents": [0.4]}, code=2)
    assert "0.5" in output
    assert "0.4" in output
    output, _ = run("chaos_exponents", {"widths": widths((64, 9), (16, 9))}, code=2)
    assert "increasing" in output


@pytest.mark.slow
def test_single_index(run):
    changes = {
        "targets": {"two": [0.0, 0.0, 1.0]},
        "dims": [3],
        "reference": 64,
        "horizon": 5.0,
        "widths": widths((4, 16), (16, 16)),
    }
    metrics, out = run("chaos_single_index", changes)
    assert metrics["slope_two_d3"] == pytest.approx(-1, abs=0.5)
    assert metrics["loss_end_two_d3"] < 0.2
    # 1 - 1/d = 2/3, of 32 draws and one reference.
    assert abs(metrics["start_error_two_d3"]) < 0.6
    assert (out / "figures" / "single_index.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "inputs"), [("tanh", 100), ("erf", None)])
def test_teacher(run, activation, inputs):
    changes = {
        "activation": activation,
        "inputs": inputs,
        "dim": 2,
        "teacher": 2,
        "reference": 64,
        "horizon": 20.0,
        "widths": widths((4, 4), (16, 4)),
    }
    metrics, out = run("chaos_teacher", changes)
    assert metrics["loss_end"] < 0.5 * metrics["loss_start"]
    assert metrics["loss_end"] < metrics["loss_end_frozen"]
    assert metrics["slope"] < 0
    assert (out / "figures" / "teacher.png").is_file()


def test_the_population_of_tanh_is_not_known(run):
    output, _ = run("chaos_teacher", {"inputs": None}, code=2)
    assert "erf" in output


@pytest.mark.slow
def test_samples_and_steps(run):
    changes = {
        "samples": [100, 400],
        "sample_seeds": 20,
        "steps": [0.04, 0.02],
        "step_seeds": 2,
        "step_horizon": 2.0,
    }
    metrics, out = run("chaos_samples_steps", changes)
    assert metrics["slope_samples"] == pytest.approx(-1, abs=0.4)
    assert metrics["slope_steps"] == pytest.approx(1, abs=0.1)
    before = metrics["loss_near_teacher"]
    assert metrics["loss_below_stable_step"] < before < 1
    assert metrics["loss_above_stable_step"] > before
    assert (out / "figures" / "samples_steps.png").is_file()


@pytest.mark.slow
def test_noisy(run):
    changes = {
        "temperatures": [0.01, 0.1],
        "horizon": 2.0,
        "step": 0.02,
        "widths": widths((8, 20), (32, 20)),
    }
    metrics, out = run("chaos_noisy", changes)
    assert metrics["loss_end_noiseless"] < metrics["loss_end_0.01"]
    assert metrics["loss_end_0.01"] < metrics["loss_end_0.1"]
    assert metrics["slope_noisy"] < -0.5
    assert (out / "figures" / "noisy.png").is_file()


def test_names_of_metrics():
    assert tag(4.5) == "4p5"
    assert tag("degree 3_d5") == "degree_3_d5"
