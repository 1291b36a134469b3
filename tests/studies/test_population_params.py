"""Configs of populations: laws and trainings by the names of classes, and refusals."""

import re

import jax
import pytest
import yaml
from population_runs import read

from wflow.flows import GradientFlow, LagrangianFlow
from wflow.learning import AdamW, FixedHorizon, MassAndShape, Sinkhorn
from wflow.parameters import Learnable
from wflow.populations import coefficients
from wflow.populations.reading import parts
from wflow.studies.population._data import true_energy


@pytest.mark.parametrize("name", ["readable_swarm", "readable_langevin"])
def test_configs_say_the_truth_that_they_simulate(name):
    _, p = read(name)
    truth = coefficients(true_energy(p))
    assert truth["external x1^2"] == pytest.approx(0.3)
    energy = p.law(2, jax.random.key(0)).energy
    assert coefficients(energy)["external x2^2"] == 0.25
    assert parts(energy).external is not None
    assert (parts(energy).pair is None) == (name == "readable_langevin")
    # In other units than the data's the truth is another.
    assert true_energy(read(name, "data.standardize=true")[1]) is None


def test_candidates_are_forecasts_with_their_energy():
    _, p = read("readable_gapminder")
    names = ["bowl", "bowl+pair", "bowl+entropy", "perceptron"]
    assert list(p.candidates) == names
    own = p.forecast("bowl+pair")
    assert own.task == "population_forecast"
    assert own.energy == p.candidates["bowl+pair"]
    assert own.split == p.split


# A law of second order and its training, in the place of what a config matches.
ROLLOUTS = (
    "objective=null",
    "inertia=true",
    "fit={steps: 2, loss: {kind: MassAndShape, coefficient: 5}}",
)


def test_the_law_is_that_of_the_config():
    _, p = read("gapminder")
    flow = p.law(2, jax.random.key(0))
    assert isinstance(flow.friction, Learnable)
    assert flow.friction.value == pytest.approx(1.0)
    assert read("boids")[1].law(2, jax.random.key(0)).friction == 0
    _, p = read("unbalanced_gene_2d", *ROLLOUTS)
    moving, _ = p.law(2, jax.random.key(0)).parts
    assert isinstance(moving, LagrangianFlow)
    _, p = read("unbalanced_gene_2d")
    moving, _ = p.law(2, jax.random.key(0)).parts
    assert isinstance(moving, GradientFlow)
    assert isinstance(p.without_growth().law(2, jax.random.key(0)), GradientFlow)


def test_the_training_is_that_of_the_config():
    options = read("boids")[1].options()
    assert options["steps"] == 500
    assert options["optimizer"] == AdamW(5e-3, weight_decay=1e-4, schedule="cosine")
    assert isinstance(options["horizon"], FixedHorizon)
    assert options["loss"].p == 1
    _, p = read("unbalanced_gene_2d", *ROLLOUTS)
    assert p.options()["loss"].coefficient == 5
    # Without growth shapes alone are compared.
    balanced = p.without_growth()
    assert "loss" not in balanced.options()
    shape = "fit.loss={kind: MassAndShape, shape: {kind: Sinkhorn, p: 1}}"
    loss = (
        read("unbalanced_gene_2d", *ROLLOUTS, shape)[1]
        .without_growth()
        .options()["loss"]
    )
    assert isinstance(loss, Sinkhorn)
    assert isinstance(p.options()["loss"], MassAndShape)


@pytest.mark.parametrize(
    ("name", "setting", "sentence"),
    [
        ("gapminder", "energy.kind=mlp", "energy.kind: .* Did you mean MLPPotential"),
        ("gapminder", "energy.widht=3", "energy.widht .* Did you mean energy.width"),
        ("gapminder", "energy.width=0", "energy: MLPPotential: expected width >= 1"),
        (
            "gapminder",
            "energy=[{kind: MLPPotential}, {kind: PairPotential, wdth: 1}]",
            "energy.1.wdth .* Did you mean energy.1.width",
        ),
        (
            "gapminder",
            "energy=[{kind: MLPPotential}, {kind: Entropy, temperature: .inf}]",
            "energy.1: Entropy: expected temperature >= 0 and finite",
        ),
        ("gapminder", "energy={kind: sum}", "energy.kind: .* found 'sum'"),
        ("gapminder", "friction=-1", "LagrangianFlow: expected friction >= 0"),
        ("gapminder", "friction={value: 1, learn: true}", "friction.value is not a"),
        ("gapminder", "velocity.kind=ot", "velocity.kind: .* mean Displacement"),
        ("gapminder", "velocity.bandwidth=1", "velocity.bandwidth is not a key"),
        ("gapminder", "fit.stepz=3", "fit.stepz .* Did you mean fit.steps"),
        ("gapminder", "fit.steps=0", "fit: expected steps >= 1, found 0"),
        ("gapminder", "fit.steps=many", "fit: expected steps to be a whole number"),
        ("gapminder", "fit.resume=true", "fit.resume is not a key under fit"),
        ("gapminder", "fit={batch: 3}", "fit.steps is missing"),
        ("gapminder", "fit.horizon.kind=random", "fit.horizon.kind: .* RandomHorizon"),
        ("gapminder", "fit.loss={p: 2}", "fit.loss.kind is missing"),
        ("gapminder", "fit.loss.blur=mean", "fit.loss: Sinkhorn: expected blur > 0"),
        ("gapminder", "fit.optimizer.lr=1", "fit.optimizer.lr .* Valid: learning_rate"),
        ("gapminder", "fit.optimizer.learning_rate=.inf", "expected learning_rate"),
        ("gapminder", "growth={widht: 3}", "growth.widht .* Did you mean growth.width"),
        ("gapminder", "growth={width: 3}", "fit.loss: expected MassAndShape"),
        ("gapminder", "data.time.unit=.inf", "data.time.unit: expected a finite"),
        ("gapminder", "split={kind: until}", "split.time is missing"),
        ("boids", "data.simulate.kind=boyds", "data.simulate.kind: .* mean boids"),
        ("boids", "data.simulate.particles=3", "data.simulate.particles is not a key"),
        ("boids", "data={kind: simulator}", "data.simulate is missing"),
        ("boids", "data.kind=simulatr", "data.kind: .* Did you mean simulator"),
        ("gapminder_ensemble", "ensemble.members=1", "ensemble.members: expected"),
        ("gapminder_ensemble", "ensemble.member=4", "Did you mean ensemble.members"),
        ("branching_ensemble", "inertia=auto", "inertia: expected true or false, fou"),
        ("ocean_interpolation", "split.snapshots=[]", "split.snapshots: "),
        ("leave_one_out_emt_3d", "growth={width: 3}", "growth: expected null, found"),
        ("unbalanced_gene_2d", "data.masses=null", "data.masses is missing"),
        ("unbalanced_gene_2d", "growth=null", "growth: expected a kind"),
        ("unbalanced_gene_2d", "inertia=auto", "inertia: expected true"),
        ("unbalanced_gene_2d", "objective=null", "inertia: expected true without"),
        ("unbalanced_gene_2d", "fit.batch=8", "fit.batch: expected no option of Roll"),
        ("unbalanced_gene_2d", "fresh={kind: togle}", "fresh.kind: .* mean toggle"),
        ("readable_gapminder", "candidates={a: {kind: Entropy}}", "candidates: "),
        (
            "readable_gapminder",
            "candidates.chosen={kind: MLPPotential}",
            "candidates.chosen: another name",
        ),
        (
            "readable_gapminder",
            "candidates.perceptron.depth=-1",
            "candidates.perceptron: energy: MLPPotential: expected depth >= 0",
        ),
        ("gradient_flow_sde", "potentials=[poli]", "potentials: expected .* 'poli'"),
        (
            "gradient_flow_sde",
            "data.simulate={kind: boids}",
            "data.simulate.kind: expected gradient_flow_sde, found 'boids'",
        ),
    ],
)
def test_what_a_config_gets_wrong_is_said_with_its_key(name, setting, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        read(name, setting)
    assert str(caught.value).startswith(f"{name}: ")
    assert not re.search("validation error|pydantic", str(caught.value))


def test_the_resolved_config_is_a_config():
    study, p = read("readable_swarm")
    text = yaml.safe_dump(p.model_dump(mode="json"))
    assert study.config.model_validate(yaml.safe_load(text)) == p
