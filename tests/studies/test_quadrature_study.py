"""Weighted nodes compared: what is reported of arrays, a run, and refusals."""

import numpy as np
import pytest

from wflow.measures import GaussianMixture
from wflow.studies._params import validate
from wflow.studies.sampling._nodes import law_of
from wflow.studies.sampling.sampling_quadrature import STUDY, Params


PARAMS = {
    "task": "sampling_quadrature",
    "target": {"kind": "GaussianMixture", "means": [[0.0, 0.0]], "covs": 2.0},
    "initial": {"kind": "UniformBox", "low": [-3.0, -3.0], "high": [3.0, 3.0]},
    "box": {"low": -3.0, "high": 3.0},
    "particles": [6],
    "repeats": 2,
    "bandwidth": 1.5,
    "methods": {
        "msip": {
            "kind": "MeanShift",
            "steps": 20,
            "bandwidth": 1.5,
            "embedding": {"kind": "ExactEmbedding"},
        },
        "mala": {"kind": "MALA", "step_size": 0.5, "steps": 5},
    },
    "reweighted": {"nodes": ["iid", "mala"], "bandwidth": 1.5, "ridge": 1e-2},
}
ROWS = ("msip", "mala", "iid", "iid_reweighted", "mala_reweighted")
SCORES = ("mmd2", "mean_error", "ksd", "max_abs_weight", "condition")


@pytest.fixture(scope="module")
def p():
    return validate(Params, PARAMS, "test")


@pytest.fixture(scope="module")
def found(p):
    return STUDY.arrays(p)


@pytest.fixture
def made_up():
    rng, arrays = np.random.default_rng(0), {"iid_expected": np.array(0.6)}
    for name in ROWS:
        arrays |= {f"{what}_{name}": np.array([[0.1, 0.3]]) for what in SCORES}
        arrays[f"modes_{name}"] = np.array([[0, 1]])
        arrays[f"finite_{name}"] = np.array([[True, name != "mala"]])
        arrays[f"x_{name}_m6"] = rng.normal(size=(2, 6, 2))
        arrays[f"w_{name}_m6"] = np.tile([0.5, 0.5, 0.2, 0.2, -0.2, -0.2], (2, 1))
        arrays |= {f"seconds_{name}": np.array([2.0]), f"evaluations_{name}": [60]}
    return arrays


def test_medians_ends_and_counts(p, made_up):
    found = STUDY.report(p, made_up)
    for key, value in {
        "mmd2_mala_m6": 0.2,
        "mmd2_mala_m6_least": 0.1,
        "mmd2_mala_m6_most": 0.3,
        "mmd2_iid_expected_m6": 0.1,
        "condition_msip_m6": 0.2,
        "max_abs_weight_iid_reweighted_m6": 0.3,
        "max_abs_weight": 0.3,
        "evaluations_mala_m6": 60,
        "nan_seeds": 1,
        "modes_found_min": 0,
    }.items():
        assert found.metrics[key] == pytest.approx(value), key
    # Weights of samplers are not solved for.
    assert "condition_mala_m6" not in found.metrics
    assert found.tables[0].rows["iid, expected"] == pytest.approx([100.0])


@pytest.mark.slow
def test_nodes_are_drawn_in_the_plane(p, made_up):
    made_up["mmd2_mala"] = np.array([[np.nan, np.nan]])
    drawn = STUDY.figures(p, made_up)
    assert drawn.keys() == {"mmd2", "nodes"}
    assert [axes.get_title() for axes in drawn["nodes"].axes[:5]] == list(ROWS)


@pytest.mark.slow
def test_a_small_comparison(p, found):
    metrics = STUDY.report(p, found).metrics
    for row in ROWS:
        least, most = (metrics[f"mmd2_{row}_m6_{end}"] for end in ("least", "most"))
        assert 0 < least <= metrics[f"mmd2_{row}_m6"] <= most
    # Of two Gaussians of variance s^2 in the plane the kernel's mean is
    # h^2 / (h^2 + 2 s^2).
    expected = (1 - 1.5**2 / (1.5**2 + 4)) / 6
    assert metrics["mmd2_iid_expected_m6"] == pytest.approx(expected, rel=1e-5)
    for row in ("iid", "mala"):
        # The optimal weights are no worse than equal ones, but for the ridge.
        assert metrics[f"mmd2_{row}_reweighted_m6"] < metrics[f"mmd2_{row}_m6"]
    assert metrics["nan_seeds"] == 0
    assert metrics["evaluations_mala_m6"] == 2 * 5 * 6
    assert np.abs(found["x_msip_m6"]).max() <= 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": {"kind": "joker"}}, "target.kind.*Did you mean Joker?"),
        ({"target": {"kind": "mixture"}}, "target.kind.*Did you mean GaussianMixture?"),
        ({"particles": [50, 25]}, "particles: expected increasing"),
        (
            {"initial": {"kind": "Gaussian", "mean": [0.0], "cov": [[1.0]]}},
            "initial: expected a law in 2 dimensions.*found 1",
        ),
        ({"methods": {"iid": {"kind": "CBS"}}}, "methods: iid, and names of rew"),
        ({"methods": {"cbs": {"kind": "CBS"}}}, "methods: expected at least one Mean"),
        (
            {"methods": {"m": {"kind": "MeanShift", "bandwidth": -1.0}}},
            "methods.m: MeanShift: expected bandwidth > 0",
        ),
        (
            {"reweighted": {"nodes": ["msip"], "bandwidth": 1.0}},
            "reweighted.nodes: expected names among iid, mala, found 'msip'",
        ),
        ({"box": {"low": 20.0, "high": 1.0}}, "box.low: expected low < high"),
    ],
)
def test_refusals(changes, words):
    with pytest.raises(ValueError, match=words):
        validate(Params, {**PARAMS, **changes}, "test")


def test_the_embeddings_of_joker_are_those_of_a_mixture():
    target = validate(Params, {**PARAMS, "target": {"kind": "Joker"}}, "test").law
    law = law_of(target)
    assert isinstance(law, GaussianMixture)
    np.testing.assert_allclose(law.mean, target.mean, atol=1e-5)
