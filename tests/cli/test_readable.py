"""Energies that can be read, from configs to numbers and figures."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.population.build import build_energy, build_term
from wflow.cli.population.data import true_energy
from wflow.cli.population.schema import ForecastConfig, SelectionConfig
from wflow.cli.population.terms import Bumps, Morse, Polynomial
from wflow.cli.tasks.population_selection import PopulationSelection
from wflow.parameters import Learnable
from wflow.populations import coefficients, parts
from wflow.studies._configs import override, read_yaml
from wflow.studies._params import validate


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SWARM, LANGEVIN = CONFIGS / "readable_swarm.yaml", CONFIGS / "readable_langevin.yaml"
GAPMINDER = CONFIGS / "readable_gapminder.yaml"
TINY = ["seeds=null", "precision=float64", "fit.steps=4", "fit.chunk=4"]


def _run(config, out, *settings):
    pairs = [part for each in (*TINY, *settings) for part in ("--set", each)]
    result = CliRunner().invoke(app, ["run", str(config), "--out", str(out), *pairs])
    assert result.exit_code == 0, result.output
    return json.loads((out / "metrics.json").read_text())


def test_configs_are_valid_and_say_their_truth():
    for path in (SWARM, LANGEVIN):
        config = validate(ForecastConfig, read_yaml(path), path.name)
        truth = coefficients(true_energy(config.data))
        assert truth["external x1^2"] == pytest.approx(0.3)
        energy = build_energy(config.energy, 2, jax.random.key(0))
        found = parts(energy)
        assert found.external is not None
        assert (found.pair is None) == (path == LANGEVIN)
    config = validate(SelectionConfig, read_yaml(GAPMINDER), GAPMINDER.name)
    assert list(config.candidates) == [
        "bowl",
        "bowl+pair",
        "bowl+entropy",
        "perceptron",
    ]


def test_terms_are_learned_or_held():
    held = build_term(Morse(kind="morse", depth=2.0, learn=False), 2)
    assert not isinstance(held.pair.profile.depth, Learnable)
    free = build_term(Morse(kind="morse", depth=2.0), 2)
    assert coefficients(free)["pair depth"] == pytest.approx(2.0)
    assert isinstance(free.pair.profile.depth, Learnable)


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (
            Polynomial(kind="polynomial", coefficients={"x3": 1.0}),
            "among x1, x2, .* found x3",
        ),
        (Bumps(kind="bumps", centres=[[0.0]]), "dimension 2"),
        (Bumps(kind="bumps", low=1.0, high=0.0), "low < high"),
    ],
)
def test_terms_that_do_not_fit_the_data(term, words):
    with pytest.raises(ValueError, match=words):
        build_term(term, 2)


def test_a_selection_that_cannot_be():
    raw = read_yaml(GAPMINDER)
    for setting, words in (
        ("selection.held_out=0", "selection.held_out: expected the index"),
        ("selection.held_out=20", "found 20"),
        ("split.time=1957", "three snapshots to train on"),
        ("candidates.chosen={kind: mlp}", "another name"),
    ):
        config = validate(SelectionConfig, override(raw, [setting]), "test")
        with pytest.raises(ValueError, match=words):
            PopulationSelection().check(config, "test")
    with pytest.raises(ValueError, match="candidates"):
        validate(SelectionConfig, override(raw, ["candidates={a: {kind: mlp}}"]), "t")


@pytest.mark.slow
def test_a_small_swarm(tmp_path):
    out = tmp_path / "run"
    metrics = _run(SWARM, out, "data.particles=12", "data.snapshots=6")
    for name in ("friction", "external_x1^2", "external_x1_x2"):
        assert np.isfinite(metrics[name])
    # A pair potential that starts at zero is wrong by itself, nearly so at first.
    assert 0.5 < metrics["pair_force_error"] < 1.5
    assert metrics["external_force_error"] > 0
    for name in ("landscape", "external", "interaction"):
        assert (out / "figures" / f"{name}.png").exists()


@pytest.mark.slow
def test_a_small_selection(tmp_path):
    out = tmp_path / "run"
    names = ("bowl", "bowl+entropy")
    candidates = {
        "bowl": "{kind: polynomial}",
        "bowl+entropy": "{kind: entropy, density: gaussian}",
    }
    text = ", ".join(f"{name}: {energy}" for name, energy in candidates.items())
    metrics = _run(GAPMINDER, out, f"candidates={{{text}}}")
    scores = {name: metrics[f"selection_w1_{name}"] for name in names}
    winner = min(scores, key=scores.get)
    assert [metrics[f"chosen_{name}"] for name in names] == [n == winner for n in names]
    assert metrics["selection_persistence_w1"] > 0
    assert metrics["test_w1"] > 0
    # The forecast is a run of its own, without the candidates.
    raw = read_yaml(out / "part-chosen" / "config.yaml")
    assert raw["task"] == "population_forecast"
    assert "candidates" not in raw
    assert (out / "part-chosen" / "figures" / "scores.png").exists()
