"""Comparisons of weighted nodes, run small through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.sampling.quadrature_schema import QuadratureConfig
from wflow.cli.sampling.targets import JokerTarget, MixtureTarget
from wflow.studies._configs import override, read_yaml
from wflow.studies._params import validate


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
MIXTURE = CONFIGS / "msip_mixture.yaml"
SMALL = [
    "particles=[6]",
    "repeats=2",
    "methods={msip: {kind: msip, step: 0.1, steps: 20, bandwidth: 1.5, "
    "embedding: exact}, mala: {kind: mala, step: 0.5, steps: 5}}",
    "reweighted={nodes: [iid, mala], bandwidth: 1.5, ridge: 1e-2}",
]


@pytest.mark.parametrize("name", ["msip_mixture", "msip_recovery", "joker"])
def test_configs_are_valid(name):
    config = validate(QuadratureConfig, read_yaml(CONFIGS / f"{name}.yaml"), name)
    assert config.quadratures[0].startswith("msip")


@pytest.mark.slow
def test_a_small_comparison_fills_its_folder(tmp_path):
    pairs = [part for setting in SMALL for part in ("--set", setting)]
    out = tmp_path / "run"
    result = CliRunner().invoke(app, ["run", str(MIXTURE), "--out", str(out), *pairs])
    assert result.exit_code == 0, result.output
    metrics = json.loads((out / "metrics.json").read_text())
    for row in ("msip", "mala", "iid", "iid_reweighted", "mala_reweighted"):
        assert metrics[f"mmd2_{row}_m6"] > 0
        least, most = (metrics[f"mmd2_{row}_m6_{end}"] for end in ("least", "most"))
        assert least <= metrics[f"mmd2_{row}_m6"] <= most
    # (1 - c) / M with the constant of the specification, 0.0353582 at 25 nodes.
    np.testing.assert_allclose(metrics["mmd2_iid_expected_m6"], 0.147326, rtol=1e-5)
    assert metrics["nan_seeds"] == 0
    assert metrics["evaluations_mala_m6"] == 2 * 5 * 6
    assert {path.stem for path in (out / "figures").iterdir()} == {"mmd2", "nodes"}
    before = (out / "figures" / "nodes.png").stat().st_mtime_ns
    assert CliRunner().invoke(app, ["plot", str(out)]).exit_code == 0
    assert (out / "figures" / "nodes.png").stat().st_mtime_ns > before


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("target.kind=jokr", ["target.kind", "Did you mean joker?"]),
        ("target.precision=1.0", ["expected one of sd, precision and covs"]),
        ("target.sd=[1.0]", ["sd: expected 5, one for each centre, found 1"]),
        ("particles=[50, 25]", ["particles: expected increasing"]),
        ("initial={kind: normal, sd: 1.0, mean: [0.0]}", ["initial.mean: expected 2"]),
        ("methods.iid={kind: cbs, step: 0.1, steps: 2}", ["methods.iid", "by them"]),
        ("reweighted.nodes=[svdg]", ["found 'svdg'", "Did you mean svgd?"]),
        ("box.low=20.0", ["expected low < high"]),
    ],
)
def test_errors_name_the_key(setting, words):
    with pytest.raises(ValueError, match=r"\S") as error:
        validate(QuadratureConfig, override(read_yaml(MIXTURE), [setting]), "test")
    for word in words:
        assert word in str(error.value)


def test_targets_are_built_as_written():
    covs = [[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 4.0]]]
    raw = {"kind": "mixture", "centres": [[0, 0], [3, 1]], "covs": covs}
    built = MixtureTarget.model_validate(raw, strict=False).build()
    np.testing.assert_allclose(built.mean, [1.5, 0.5])
    np.testing.assert_allclose(built.law.covs, covs)
    np.testing.assert_allclose(built.spreads[1], 2.0)
    precise = MixtureTarget(kind="mixture", centres=[[0.0, 0.0]], precision=4.0).build()
    np.testing.assert_allclose(precise.law.covs[0], np.eye(2) / 4)
    with pytest.raises(ValueError, match="symmetric positive"):
        MixtureTarget(kind="mixture", centres=[[0.0]], covs=[[[-1.0]]])
    joker = JokerTarget(kind="joker").build()
    np.testing.assert_allclose(joker.law.mean, joker.mean, atol=1e-9)
