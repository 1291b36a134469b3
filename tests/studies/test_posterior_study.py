"""Moments of posteriors: by hand on made-up arrays, and once in small."""

import numpy as np
import pytest

from tests.sampling.posterior_files import file_of
from wflow.studies import load
from wflow.studies._params import validate


STUDY = load("sampling_posterior")
ULA = {"kind": "ULA", "step_size": 0.1, "steps": 5}
TINY = {
    "task": "sampling_posterior",
    "precision": "float64",
    "title": "A plate",
    "particles": 8,
    "repeats": 2,
    "plate": {"cells": 1, "mesh": 2, "points": 2, "draws": 100},
    "default": "ula",
    "methods": {"ula": ULA},
}


def made(**changes):
    data = {**TINY, **changes}
    given = {key: value for key, value in data.items() if value is not None}
    return validate(STUDY.config, given, "x")


def rows(name, mean, sd, ess=(4.0, 6.0)):
    return {
        f"mean_{name}": np.array(mean, float),
        f"sd_{name}": np.array(sd, float),
        f"ess_{name}": np.array(ess),
        f"seconds_{name}": np.where(np.isnan(ess), np.nan, [3.0, 1.0]),
        f"evaluations_{name}": np.array([0 if np.isnan(one) else 7 for one in ess]),
    }


MADE = {
    "names": np.array(["mu", "tau"]),
    "reference_mean": np.array([1.0, 0.0]),
    "reference_sd": np.array([2.0, 0.5]),
    **rows("initial", [[1, 0], [1, 0]], [[2, 0.5], [2, 0.5]]),
    **rows("laplace", [[1, 0], [1, 0]], [[2, 0.5], [2, np.nan]]),
    **rows("reference", [[1, 0], [1, 0]], [[2, 0.5], [2, 0.5]]),
    **rows("ula", [[3, 0], [0, 1]], [[1, 1], [4, 0.25]]),
}


def test_report_by_hand():
    p = made()
    found = STUDY.report(p, MADE)
    expected = {
        # The worst of each run are 1 and 2 standard deviations of the reference.
        "worst_mean_error_sd": 1.5,
        "worst_mean_error_sd_highest": 2.0,
        "sd_ratio_min": 0.5,
        "sd_ratio_max": 2.0,
        "failed_runs": 0.0,
        "ess": 5.0,
        "evaluations": 7.0,
        # The first run compiles.
        "seconds": 1.0,
    }
    for name, value in expected.items():
        assert found.metrics[name] == found.metrics[f"{name}_ula"] == value, name
    # A variance below zero counts as no spread.
    assert found.metrics["sd_ratio_min_laplace"] == 0.5
    assert found.tables[1].rows["ula"] == [pytest.approx(np.log(2))]
    (figure,) = STUDY.figures(p, MADE).values()
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ticks == ["mu", "tau"]


def test_runs_that_failed_are_infinitely_far_off():
    nan = np.nan
    lost = rows("ula", [[nan, nan], [0, 0]], [[nan, nan], [2, 0.5]], (nan, 6.0))
    found = STUDY.report(made(), {**MADE, **lost}).metrics
    assert found["failed_runs"] == 1.0
    assert found["worst_mean_error_sd"] == np.inf
    assert found["sd_ratio_max"] == 0.5
    assert found["seconds"] == 1.0
    assert found["ess"] == 6.0
    # The picture shows the run that did not fail.
    STUDY.figures(made(), {**MADE, **lost})
    both = {key: np.full_like(value, nan, float) for key, value in lost.items()}
    both["evaluations_ula"] = np.zeros(2)
    found = STUDY.report(made(), {**MADE, **both})
    assert found.metrics["failed_runs"] == 2.0
    assert found.metrics["ess"] == found.metrics["seconds"] == 0.0
    assert found.tables[1].rows["ula"] == [None]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plate": None}, "data or plate: expected one of them"),
        ({"data": {"model": "blr"}}, "data or plate: expected one of them"),
        (
            {"default": "ulla"},
            "default: expected one of ula, found 'ulla'. Did you mea",
        ),
        ({"methods": {"ula": ULA, "laplace": ULA}}, "laplace is the name of a row"),
        (
            {"methods": {"ula": {"kind": "aldi_gradient_free"}}},
            r"x: methods.ula.kind: .*Did you mean ALDI\?",
        ),
        (
            {"methods": {"ula": {**ULA, "step_size": -1.0}}},
            "x: methods.ula: ULA: expected step_size > 0",
        ),
        (
            {"methods": {"ula": {"kind": "MeanShift", "embedding": {"kind": "exact"}}}},
            r"methods.ula.embedding.kind: .*ExactEmbedding",
        ),
    ],
)
def test_bad_configs_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        made(**change)


def test_bad_files_are_named(tmp_path):
    np.savez(tmp_path / "a__arK.npz", **file_of("arK"))
    for path, words in (
        (None, "x: data.path: expected the file <data>__blr.npz, .*with --data"),
        (tmp_path / "a__arK.npz", "x: data: expected model blr, found arK"),
        (tmp_path / "a__blr.npz", "x: data: .*a__blr.npz: no such file"),
    ):
        name = None if path is None else str(path)
        p = made(plate=None, data={"model": "blr", "path": name})
        with pytest.raises(ValueError, match=words):
            STUDY.check(p, "x")


def test_the_file_of_the_command_is_put_in(tmp_path):
    path = tmp_path / "a__blr.npz"
    config = STUDY.with_data({"data": {"model": "blr"}}, path)
    assert config["data"] == {"model": "blr", "path": str(path.resolve())}
