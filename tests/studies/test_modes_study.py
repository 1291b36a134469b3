"""Masses of modes: what is reported of arrays, a run, and refusals."""

import numpy as np
import pytest

from wflow.studies._params import validate
from wflow.studies.sampling.sampling_modes import STUDY, Params


FLOW = {
    "kind": "SHK",
    "step_size": 0.05,
    "steps": 60,
    "transport": "langevin",
    "density": {"kind": "KDE", "form": "plug_in"},
    "settle": 0.0,
}
PARAMS = {
    "task": "sampling_modes",
    "title": "Two modes",
    "target": {
        "kind": "GaussianMixture",
        "means": [[-4.0], [4.0]],
        "covs": 1.0,
        "weights": [1.0, 3.0],
    },
    "start": [0.95, 0.05],
    "particles": 100,
    "repeats": 2,
    "methods": {"flow": FLOW},
    "baselines": {
        "ula": [{"kind": "ULA", "step_size": h, "steps": 60} for h in (0.01, 0.05)]
    },
    "grid": {"low": -8.0, "high": 8.0, "cells": 32, "time": 3.0},
}


@pytest.fixture(scope="module")
def p():
    return validate(Params, PARAMS, "test")


def curve(*masses):
    """Runs that start from (1, 0) and end with these masses of the first mode."""
    return np.array([[[1.0, 0.0], [a, 1 - a]] for a in masses])


@pytest.fixture
def made_up():
    times = np.array([0.0, 3.0])
    return {
        "masses_flow": curve(0.25, 0.35),
        "times_flow": times,
        "masses_ula": curve(1.0, 1.0),
        "times_ula": times / 3,
        "step_ula": np.array(0.05),
        "grid_masses": curve(0.27),
        "grid_times": times,
    }


def test_errors_are_half_the_sum_of_gaps(p, made_up):
    metrics = STUDY.report(p, made_up).metrics
    assert metrics == pytest.approx(
        {
            # The weights are a quarter and three quarters.
            "mode_mass_error_flow": 0.05,
            "mode_mass_error_flow_sd": 0.05,
            "mode_mass_error_ula": 0.75,
            "mode_mass_error_ula_sd": 0.0,
            "step_ula": 0.05,
            "mode_mass_error_start": 0.7,
            "mode_mass_error_grid": 0.02,
        },
        abs=1e-7,
    )


def test_the_grid_is_drawn_where_it_is_as_long(p, made_up):
    flow, ula = STUDY.figures(p, made_up)["masses"].axes[:2]
    # Two runs, their mean and a dot for each mode; and the grid.
    assert (len(flow.lines), len(ula.lines)) == (10, 8)


@pytest.mark.slow
def test_the_reaction_finds_the_masses(p):
    metrics = STUDY.report(p, STUDY.arrays(p)).metrics
    assert metrics["mode_mass_error_start"] == pytest.approx(0.7)
    # Log-ratios of masses decay like exp(-t): at t = 3 a twentieth of 4.04 is left.
    logit = np.log(3) - 0.0498 * (np.log(3) + np.log(19))
    exact = 0.75 - 1 / (1 + np.exp(-logit))
    assert metrics["mode_mass_error_grid"] == pytest.approx(exact, abs=0.01)
    assert metrics["mode_mass_error_flow"] < metrics["mode_mass_error_ula"] / 2
    assert metrics["step_ula"] in (0.01, 0.05)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": [0.5, 0.6]}, "start: expected 2 shares that sum to 1"),
        ({"baselines": {"flow": [{"kind": "ULA"}]}}, "baselines: flow is among"),
        ({"methods": {"flow": {"kind": "shk"}}}, "methods.flow.kind.*Did you mean SHK"),
        (
            {"methods": {"flow": {**FLOW, "step_size": -1.0}}},
            "methods.flow: SHK.*step_size > 0",
        ),
        ({"baselines": {"n": [{"kind": "NUTS"}]}}, "baselines.n.0.kind: expected one"),
        ({"grid": {"low": 1.0, "high": 0.0, "time": 1.0}}, "grid.low: expected low"),
        (
            {
                "target": {
                    "kind": "GaussianMixture",
                    "means": [[0.0] * 3] * 2,
                    "covs": 1,
                }
            },
            "grid: expected a target in one or two",
        ),
    ],
)
def test_refusals(changes, words):
    with pytest.raises(ValueError, match=words):
        validate(Params, {**PARAMS, **changes}, "test")
