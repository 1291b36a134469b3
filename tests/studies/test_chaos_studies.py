"""Studies of networks of finite width: their reports on made-up arrays, and runs."""

import jax
import numpy as np
import pytest

from tests.studies.small_runs import run_config
from wflow import studies
from wflow.studies._params import validate
from wflow.studies.networks import (
    _powers,
    _widths,
    chaos_exponents,
    chaos_noisy,
    chaos_teacher,
)


KEY = jax.random.key(0)
TIMES = np.geomspace(0.1, 100, 30)
NEURONS = (16, 64)


def widths(*given):
    return [{"neurons": m, "seeds": seeds} for m, seeds in given]


WIDTHS = widths((16, 4), (64, 4))


def params(task, **changes):
    return validate(studies.load(task).config, {"task": task, **changes}, "it")


def refused(task, **changes):
    with pytest.raises(ValueError, match="it: ") as error:
        params(task, **changes)
    return str(error.value)


def made_up(name="", decay=3.0, power=1.0):
    """Gaps t / m^power of a loss like t^-decay, as the arrays of a report."""
    m = np.array(NEURONS, float)
    mean = TIMES / m[:, None] ** power
    found = {
        "times": TIMES,
        "mean": mean,
        "error": mean / 10,
        "sup": mean[:, -1],
        "slope": np.array(-power),
        "interval": np.array([-power - 0.1, -power + 0.1]),
        "sups": np.repeat(mean[None, :, -1], 3, axis=0),
        "loss": TIMES**-decay,
    }
    return {f"{name}{key}": value for key, value in found.items()}


def test_report_of_quadratic_networks():
    p = params("chaos_quadratic", widths=WIDTHS, horizon=100.0)
    late = np.geomspace(1, 1000, 50)
    arrays = made_up() | {
        "limit": TIMES,
        "late": late,
        "late_loss": late**-3.0,
        "near_loss": TIMES**-3.0,
        "rate": np.array(0.5),
        "rate_60": np.array(2.0),
        "fresh": np.array(3.0),
        "frozen": TIMES**-1.0,
    }
    study = studies.load("chaos_quadratic")
    found = study.report(p, arrays)
    assert found.metrics["peak_clt"] == pytest.approx(100)
    # The first of the widths of equally many networks: m times 100 / m.
    assert found.metrics["peak_m_times_e"] == pytest.approx(100)
    assert found.metrics["peak_error"] == pytest.approx(10)
    assert found.metrics["decay_exponent"] == pytest.approx(3)
    assert found.metrics["bound_exponent"] == pytest.approx(0.5)
    assert found.metrics["log10_gronwall_60"] == pytest.approx(240 / np.log(10))
    assert found.metrics["loss_end_frozen"] == pytest.approx(0.01)
    [table] = found.tables
    assert table.rows["m = 64"] == pytest.approx([100, 100, 3, 4 * 100 / 2])
    assert "consistent" in found.remarks[0]
    assert study.figures(p, arrays).keys() == {"chaos"}


def test_report_of_exponents():
    p = params("chaos_exponents", exponents=[3.0, 4.5], widths=WIDTHS, window=[10, 100])
    arrays = made_up("3_", 3.0, 0.35) | made_up("4p5_", 4.5)
    found = chaos_exponents.report(p, arrays)
    assert found.metrics["slope_4p5"] == -1
    assert found.metrics["amplification_3"] == pytest.approx(1000)
    assert found.metrics["decay_4p5"] == pytest.approx(4.5)
    assert found.metrics["worst_decay_error"] == pytest.approx(0, abs=1e-9)
    # m e(t) is the same of both widths where gaps are t / m.
    assert found.metrics["collapse_4p5"] == pytest.approx(0, abs=1e-12)
    # 16^.65 = 2^2.6 and 64^.65 = 2^3.9.
    low, high = 2**2.6, 2**3.9
    assert found.metrics["collapse_3"] == pytest.approx(2 * (high - low) / (high + low))
    # c = 3 asks for a slope of -1/2, and -.35 is three standard errors above.
    assert found.metrics["inconsistent"] == 1
    assert found.remarks[:2] == ["c = 3: inconsistent.", "c = 4.5: consistent."]
    assert found.tables[0].rows["theorem: at least"] == pytest.approx([0.5, 0.75])
    assert chaos_exponents.figures(p, arrays).keys() == {"exponents"}


def test_report_of_single_indices():
    targets = {"two": [0.0, 0.0, 1.0], "degree 4": [0.0, 0.0, 0.0, 0.0, 1.0]}
    p = params("chaos_single_index", targets=targets, dims=[3], widths=WIDTHS)
    arrays = made_up("two_d3_", 3.0) | made_up("degree_4_d3_", 4.0, 0.9)
    study = studies.load("chaos_single_index")
    found = study.report(p, arrays)
    # m e(0) = .1 beside 1 - E s^2 = 2/3 and, of m^.1/10, 1 - E s^4 = 4/5.
    assert found.metrics["start_error_two_d3"] == pytest.approx(0.1 * 3 / 2 - 1)
    start = 0.1 * (16**0.1 + 64**0.1) / 2
    assert found.metrics["start_error_degree_4_d3"] == pytest.approx(start / 0.8 - 1)
    assert found.metrics["decay_degree_4_d3"] == pytest.approx(4)
    assert (found.metrics["slope_min"], found.metrics["slope_max"]) == (-1, -0.9)
    assert found.tables[0].rows["two, d = 3"][:3] == pytest.approx([-1, -0.5, 3])
    assert study.figures(p, arrays).keys() == {"single_index"}


def test_report_of_a_teacher():
    p = params("chaos_teacher", widths=WIDTHS)
    aligned = np.linspace(0.4, 0.9, 30)
    arrays = made_up() | {"alignment": aligned, "frozen": TIMES**-0.5}
    study = studies.load("chaos_teacher")
    found = study.report(p, arrays)
    assert found.metrics["alignment_end"] == pytest.approx(0.9)
    assert found.metrics["loss_end_frozen"] == pytest.approx(0.1)
    # t^-3 < 1e-3 from the first time after 10 on.
    assert found.metrics["time_to_loss_1e_3"] == TIMES[TIMES > 10][0]
    # The theorem's m^-1/2 through the first supremum, 100 / 16.
    bound = found.tables[0].rows["theorem's exponent"]
    assert bound == pytest.approx([100 / 16, 100 / 32])
    assert study.figures(p, arrays).keys() == {"teacher"}


def test_report_of_samples_and_steps():
    p = params(
        "chaos_samples_steps", teacher=[0.5], samples=[100, 400], steps=[0.04, 0.02]
    )
    arrays = {
        "samples_sup": np.array([[0.01, 0.03], [0.004, 0.006]]),
        "samples_end": np.array([[0.001, 0.001], [0.001, 0.001]]),
        "steps_sup": np.array([[0.2, 0.2], [0.1, 0.1]]),
        "samples_slopes": np.linspace(-1.2, -0.8, 41),
        "steps_slopes": np.linspace(0.9, 1.1, 41),
        "stable_step": np.array(0.3),
        "loss_near_teacher": np.array(1e-6),
        "loss_below_stable_step": np.array(1e-9),
        "loss_above_stable_step": np.array(0.1),
    }
    study = studies.load("chaos_samples_steps")
    found = study.report(p, arrays).metrics
    assert found["slope_samples"] == pytest.approx(-1)
    assert found["slope_samples_low"] == pytest.approx(-1.19)
    assert found["slope_steps"] == pytest.approx(1)
    assert found["n_times_sup_min"] == found["n_times_sup_max"] == pytest.approx(2)
    assert found["step_ratio_min"] == found["step_ratio_max"] == pytest.approx(2)
    assert found["end_factor_min"] == pytest.approx(5)
    assert found["loss_above_stable_step"] == 0.1
    assert study.figures(p, arrays).keys() == {"samples_steps"}


def test_report_of_noise():
    p = params("chaos_noisy", temperatures=[0.01, 0.1], widths=WIDTHS)
    ends = np.array([1e-6, 0.01, 0.1])
    losses = ends[:, None] * np.linspace(2, 1, 30)
    arrays = made_up("noiseless_") | made_up("noisy_", power=0.5) | {"losses": losses}
    found = chaos_noisy.report(p, arrays)
    assert found.metrics["loss_end_noiseless"] == 1e-6
    assert found.metrics["loss_end_0.1"] == 0.1
    assert found.metrics["loss_power_of_temperature"] == pytest.approx(1)
    assert found.metrics["m_times_e_end_noiseless"] == pytest.approx(100)
    assert found.metrics["m_times_e_end_noisy"] == pytest.approx(800)
    assert (found.metrics["slope_noiseless"], found.metrics["slope_noisy"]) == (
        -1,
        -0.5,
    )
    assert chaos_noisy.figures(p, arrays).keys() == {"noisy"}


@pytest.mark.slow
def test_quadratic(tmp_path):
    found = run_config("chaos_quadratic", tmp_path).metrics
    # Two widths and 100 seeds: a standard error of some .1.
    assert -1.5 < found["slope"] < -0.5
    assert found["slope_low"] < found["slope"] < found["slope_high"]
    assert found["loss_end"] < 0.1 * found["loss_end_frozen"]
    assert found["log10_gronwall_60"] > 100


@pytest.mark.slow
def test_exponents(tmp_path):
    found = run_config("chaos_exponents", tmp_path).metrics
    assert found["decay_3p5"] == pytest.approx(3.5, abs=0.05)
    assert found["slope_3p5"] == pytest.approx(-1, abs=0.25)
    assert found["inconsistent"] == 0


@pytest.mark.slow
def test_single_index(tmp_path):
    found = run_config("chaos_single_index", tmp_path).metrics
    assert found["slope_two_d3"] == pytest.approx(-1, abs=0.5)
    assert found["loss_end_two_d3"] < 0.2
    # 1 - 1/d = 2/3, of 32 draws and one reference.
    assert abs(found["start_error_two_d3"]) < 0.6


@pytest.mark.slow
def test_teacher_and_its_inputs(tmp_path):
    found = run_config("chaos_teacher", tmp_path).metrics
    assert found["loss_end"] < 0.5 * found["loss_start"]
    assert found["loss_end"] < found["loss_end_frozen"]
    assert found["slope"] < 0


@pytest.mark.slow
def test_teacher_on_the_mean_over_all_inputs():
    """Of erf it is in closed form: near the mean over many inputs, none at the end."""
    config = {"activation": "erf", "dim": 2, "teacher": 2, "widths": WIDTHS}
    every, many = (
        chaos_teacher._student(params("chaos_teacher", **config, inputs=n), KEY)
        for n in (None, 20_000)
    )
    np.testing.assert_array_equal(every[1].x, many[1].x)
    np.testing.assert_allclose(every[0].risk.loss(every[1]), 0, atol=1e-12)
    network = every[0].network(KEY, 8)
    expected = many[0].risk.loss(network)
    # Five standard errors of 20,000 squares.
    np.testing.assert_allclose(every[0].risk.loss(network), expected, rtol=0.08)


@pytest.mark.slow
def test_samples_and_steps(tmp_path):
    found = run_config("chaos_samples_steps", tmp_path).metrics
    assert found["slope_samples"] == pytest.approx(-1, abs=0.4)
    assert found["slope_steps"] == pytest.approx(1, abs=0.1)
    before = found["loss_near_teacher"]
    assert found["loss_below_stable_step"] < before < 1
    assert found["loss_above_stable_step"] > before


@pytest.mark.slow
def test_noisy(tmp_path):
    found = run_config("chaos_noisy", tmp_path).metrics
    assert found["loss_end_noiseless"] < found["loss_end_0.01"]
    assert found["loss_end_0.01"] < found["loss_end_0.1"]
    assert found["slope_noisy"] < -0.5


def test_refusals():
    said = refused("chaos_exponents", exponents=[0.4], widths=WIDTHS)
    assert "exponents: expected more than (p - 1) / p = 0.5, found 0.4" in said
    said = refused("chaos_exponents", exponents=[3.0, 3.0], widths=WIDTHS)
    assert "exponents: expected distinct" in said
    said = refused("chaos_exponents", exponents=[3.0], widths=WIDTHS[::-1])
    assert "widths: expected increasing neurons" in said
    said = refused("chaos_teacher", inputs=None, widths=WIDTHS)
    assert "inputs: the whole population is known for erf alone" in said
    said = refused("chaos_teacher", teacher=6, widths=WIDTHS)
    assert "teacher: expected at most 5 neurons" in said
    said = refused("chaos_teacher", reference=255, widths=WIDTHS)
    assert "reference: expected at least 4 x 64 neurons, found 255" in said
    alike = {"a b": [1.0], "a_b": [1.0]}
    said = refused("chaos_single_index", targets=alike, dims=[2], widths=WIDTHS)
    assert "targets: expected distinct" in said
    said = refused("chaos_noisy", temperatures=[0.1, 0.01], widths=WIDTHS)
    assert "temperatures: expected increasing" in said
    given = {"teacher": [1.0], "samples": [5, 9]}
    said = refused("chaos_samples_steps", steps=[0.1, 0.2], **given)
    assert "steps: expected decreasing" in said


def test_names_of_metrics():
    assert _widths.tag(4.5) == "4p5"
    assert _widths.tag("degree 3") == "degree_3"


def test_resampled_powers():
    """Of seeds that are all alike the power is known: 1/x^2."""
    values = np.array([[1.0, 1.0], [0.25, 0.25], [0.0625, 0.0625]])
    found = _powers.resampled_powers([1, 2, 4], values, jax.random.key(0), 5)
    np.testing.assert_allclose(found, np.full(5, -2), rtol=1e-12)
