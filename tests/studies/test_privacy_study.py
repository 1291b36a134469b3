"""Privacy and utility of a flow: by hand on made-up arrays, and once in small."""

import math

import numpy as np
import pytest

from tests.studies.small_runs import run_config
from wflow.studies import load
from wflow.studies._params import validate


STUDY = load("sampling_privacy")
TINY = {
    "task": "sampling_privacy",
    "precision": "float64",
    "people": 3,
    "epsilon": 1.0,
    "alpha": 0.1,
    "pairs": 2,
    "cells": 12,
    "times": [0.2, 1.0],
}


def made(**changes):
    return validate(STUDY.config, {**TINY, **changes}, "x")


def test_report_by_hand():
    names = ("b1", "b2", "b3", "excess_loss", "excess_loss_bound", "intrinsic_loss")
    arrays = {name: np.array([0.5, 0.25]) for name in names}
    arrays |= {
        "sup_r": np.array([0.25, 0.5]),
        "certificate": np.array([0.5, 0.625]),
        "private_until": np.array(3.0),
    }
    p = made()
    found = STUDY.report(p, arrays)
    assert len(found.metrics) == 3 + 2 * 8
    assert found.metrics["min_certificate_slack"] == 0.125
    assert found.metrics["sup_r_t0.2"] == 0.25
    assert found.metrics["b3_t1"] == 0.25
    assert found.tables[0].rows["certificate"] == [0.5, 0.625]
    assert found.remarks[0] == "Certified at 1 or less up to t = 3."
    forever = STUDY.report(p, {**arrays, "private_until": np.array(np.inf)})
    assert forever.remarks[0] == "Every run is certified at 1 or less."
    assert list(STUDY.figures(p, arrays)) == ["privacy", "utility"]


@pytest.mark.slow
def test_the_certificate_is_kept(tmp_path):
    found = run_config("privacy_mechanism", tmp_path).metrics
    assert found["min_certificate_slack"] > 0
    for t in ("0.2", "1"):
        assert found[f"sup_r_t{t}"] < found[f"certificate_t{t}"]
        assert found[f"excess_loss_t{t}"] < found[f"excess_loss_bound_t{t}"]
    assert found["sup_r_t0.2"] < found["sup_r_t1"] < found["epsilon0"] == 1.0
    assert found["excess_loss_t1"] < found["excess_loss_t0.2"]


@pytest.mark.slow
def test_reaction_alone_is_certified_below_the_mechanism():
    p = made(alpha=0.0)
    found = STUDY.report(p, STUDY.arrays(p)).metrics
    exact = 1 - math.exp(-1)
    assert found["certificate_t1"] == pytest.approx(exact, rel=1e-9)
    # r is -(1 - e^-t) delta and a constant; delta of these pairs oscillates by less.
    assert found["sup_r_t1"] <= exact
    assert found["private_until"] == math.inf


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"people": 1}, "one for each of 1 people, found 2"),
        ({"alpha": 0.0, "beta": 0.0}, "alpha and beta"),
        ({"epsilon": 0.0}, "x: epsilon: expected greater than 0"),
        ({"times": [1.0, 0.5]}, "times: expected increasing"),
        ({"cell": 3}, "Did you mean cells"),
    ],
)
def test_bad_configs_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        made(**change)
