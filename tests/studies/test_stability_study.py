"""Two flows on a circle: what is reported of arrays, a run, and refusals."""

import numpy as np
import pytest

from wflow.studies._params import validate
from wflow.studies.sampling.sampling_stability import STUDY, Params


PARAMS = {
    "task": "sampling_stability",
    "alpha": 0.0,
    "potential": [{"wave": "cos", "amplitude": 1.5}],
    "discrepancy": [{"wave": "sin", "amplitude": 0.25, "phase": 0.5}],
    "initial": [{"wave": "cos", "amplitude": -0.9}],
    "cells": 16,
    "times": [0.5, 1.0],
}
NAMES = ("osc_r", "sup_r", "kl", "b1", "b1_explicit", "b2", "b3", "b4", "kl_pure")


@pytest.fixture(scope="module")
def p():
    return validate(Params, PARAMS, "test")


@pytest.fixture
def made_up():
    arrays = {name: np.array([0.1, 0.2]) * (k + 1) for k, name in enumerate(NAMES)}
    return {**arrays, "osc_delta": np.array(0.5), "min_bound_slack": np.array(-0.1)}


def test_every_array_is_reported_at_every_time(p, made_up):
    found = STUDY.report(p, made_up)
    assert found.metrics["osc_r_t0.5"] == 0.1
    assert found.metrics["kl_pure_t1"] == pytest.approx(1.8)
    assert found.metrics["min_bound_slack"] == -0.1
    assert len(found.metrics) == 2 * len(NAMES) + 2
    assert found.tables[0].rows["osc(delta), the targets"] == [0.5, 0.5]
    assert found.remarks == [
        "Least slack of all bounds and times: -0.1 (without transport that of the "
        "source is an equality)."
    ]


def test_bounds_that_say_nothing_leave_the_picture(p, made_up):
    drawn = STUDY.figures(p, {**made_up, "b3": np.array([1e9, 1e12])})
    assert drawn.keys() == {"log_ratio", "kl"}
    (axes,) = drawn["log_ratio"].axes
    # Half of the least exact value, and forty times the largest.
    assert axes.get_ylim() == pytest.approx((0.05, 40 * 0.4))


@pytest.mark.slow
def test_without_transport_the_first_bound_is_an_equality(p):
    metrics = STUDY.report(p, STUDY.arrays(p)).metrics
    # osc of 0.25 sin, at cells of 2 pi / 16.
    assert metrics["osc_delta"] == pytest.approx(0.5, rel=0.02)
    exact = (1 - np.exp(-1)) * metrics["osc_delta"]
    # Single precision, and the integral in the bound.
    assert metrics["osc_r_t1"] == pytest.approx(exact, rel=1e-4)
    assert metrics["b1_t1"] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alpha": 0.0, "beta": 0.0}, "alpha and beta: expected at least one above"),
        ({"times": [1.0, 0.5]}, "times: expected increasing"),
        ({"potential": [{"wave": "tan", "amplitude": 1.0}]}, "potential.0.wave"),
        ({"initial": []}, "initial"),
        ({"cells": 4}, "cells"),
    ],
)
def test_refusals(changes, words):
    with pytest.raises(ValueError, match=words):
        validate(Params, {**PARAMS, **changes}, "test")
