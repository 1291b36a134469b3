"""Objects of the library from mappings of a config: by their own names and refusals."""

import itertools
import re
from typing import Annotated

import equinox as eqx
import jax
import numpy as np
import pytest

from wflow import (
    energies,
    filtering,
    flows,
    geometries,
    io,
    kernels,
    learning,
    measures,
    networks,
    populations,
    regression,
    sampling,
    transport,
)
from wflow.filtering import EnKF
from wflow.filtering.base import AbstractMethod
from wflow.kernels import AbstractRadialKernel, EnergyDistance, GaussianKernel
from wflow.learning.losses import AbstractLoss
from wflow.learning.velocities import AbstractInitialVelocity
from wflow.parameters import Learnable
from wflow.populations import simulators
from wflow.studies import Options, Part, Spec, Strict, build
from wflow.studies._build import _BEFORE
from wflow.studies._params import validate


ROOMS = (
    energies,
    filtering,
    flows,
    geometries,
    kernels,
    learning,
    measures,
    networks,
    populations,
    regression,
    sampling,
    transport,
)

RBF = {"kind": "GaussianKernel", "bandwidth": 0.5}
DOMAIN = {"kind": "Domain", "radius": 1.5, "distance": [[0.0, 1.0], [1.0, 0.0]]}
SEEN = {"kind": "GaussianObservation", "operator": "COMPONENTS", "cov": [[1.0]]}
SEEN["operator"] = {"kind": "Components", "stop": 1}
MODEL = {
    "kind": "StateSpace",
    "transition": {"kind": "RungeKutta4", "drift": {"kind": "Lorenz96"}, "dt": 0.05},
    "observation": SEEN,
}
NORMAL = {"kind": "Gaussian", "mean": [0.0], "cov": [[1.0]]}
FLOW = {
    "kind": "GradientFlow",
    "energy": {"kind": "Entropy"},
    "geometry": {"kind": "Wasserstein"},
}

LAGRANGIAN = {"kind": "LagrangianFlow", "energy": {"kind": "Entropy"}}

# Arguments of every class that a config can build.
SPECS = {
    kernels: {
        "EnergyDistance": {},
        "GaussianKernel": {"bandwidth": 0.5},
        "InverseMultiquadric": {"bandwidth": 2, "exponent": 0.25},
        "Kronecker": {},
        "LaplaceKernel": {"bandwidth": 0.5},
        "Matern32": {"bandwidth": 0.5},
        "Matern52": {"bandwidth": 0.5},
        "MedianGaussian": {"max_points": 16},
        "ProductKernel": {
            "kernels": [RBF, {"kind": "LaplaceKernel", "bandwidth": 1}],
            "dims": [1, 2],
        },
        "ScaleMixture": {"kernel": RBF, "scales": [0.5, 2.0], "weights": [0.25, 0.75]},
    },
    filtering: {
        "Components": {"start": 1, "every": 2},
        "CouplingTransport": {"kernel_x": RBF, "target": {"kind": "LikelihoodFree"}},
        "Domain": {"radius": 1.5, "distance": [[0.0, 1.0], [1.0, 0.0]]},
        "ETKF": {"inflation": 1.02, "rotate": True},
        "EnKF": {"inflation": 1.04},
        "GaussianObservation": {"operator": {"kind": "Components"}, "cov": [[1.0]]},
        "GridFilter": {},
        "KalmanFilter": {},
        "KuramotoSivashinsky": {"steps": 2},
        "LETKF": {"domain": DOMAIN},
        "LikelihoodFree": {"draws": 3},
        "LikelihoodTransport": {"start": "identity"},
        "Linear": {"matrix": [[1.0, 0.5], [0.0, 1.0]]},
        "LocalEnKF": {"domain": DOMAIN, "inflation": 1.1},
        "LocalTransport": {"method": {"kind": "LikelihoodTransport"}, "domain": DOMAIN},
        "Lorenz63": {"rho": 20},
        "Lorenz96": {},
        "MomentTransport": {},
        "ParticleFilter": {"jitter": 2.4, "threshold": 0.3},
        "RaoBlackwellized": {},
        "RungeKutta4": {"drift": {"kind": "Lorenz63"}, "dt": 0.01, "steps": 2},
        "StateSpace": {"transition": MODEL["transition"], "observation": SEEN},
        "SteinTransport": {},
        "TrainedTransport": {"width": 4, "depth": 1},
    },
    flows: {
        "BirthDeathFlow": {"energy": {"kind": "Entropy"}, "rate": 2.0},
        "Diffusion": {"deviation": [[0.3, 0.1], [0.0, 0.2]]},
        "Exponential": {"rate": 2.0},
        "GradientFlow": {
            "energy": {"kind": "Entropy"},
            "geometry": {"kind": "Stein", "kernel": RBF},
        },
        "LagrangianFlow": {"energy": {"kind": "Entropy"}, "force_scaling": "unified"},
        "LangevinFlow": {"energy": {"kind": "Entropy"}, "temperature": 1.0},
        "NoiseInjectionFlow": {"energy": {"kind": "Entropy"}, "level": 0.1},
        "ResettingFlow": {
            "flow": FLOW,
            "law": {"kind": "Exponential", "rate": 1.0},
            "origin": [0.0],
        },
        "TracerFlow": {"flow": FLOW},
    },
    regression: {
        "Deterministic": {"mean": 1},
        "Gamma": {"mean": 1.0, "shape": 3.0},
        "HyperExponential": {"weights": [0.5, 0.5], "rates": [1.0, 2.0]},
        "InverseGaussian": {"mean": 1.0, "shape": 3.0},
        "KnownResets": {"epochs": [0.5, 1.0]},
        "LogNormal": {"mean": 1.0, "sigma": 0.5},
        "Lomax": {"mean": 1.0, "alpha": 3.0},
        "PoissonMomentFlow": {"flow": FLOW, "rate": 1.0, "origin": [0.0]},
        "Uniform": {"low": 0.5, "high": 1},
        "Weibull": {"mean": 1.0, "shape": 2.0},
    },
    geometries: {
        "Block": {"geometry": {"kind": "Wasserstein"}, "moving": 1},
        "Euclidean": {},
        "FisherRao": {"conserve_mass": False},
        "HellingerKantorovich": {"alpha": 2, "beta": 0.5},
        "Sphere": {},
        "Stein": {"kernel": {"kind": "MedianGaussian"}},
        "Wasserstein": {},
    },
}
# What needs a function, an array of a run or a key that no config can hold.
OTHERS = {
    filtering: {
        "AdaptiveODE",
        "DiscreteMap",
        "EulerMaruyama",
        "Fields",
        "SimulatedObservation",
    },
    flows: {
        "GrowthFlow",
        "NeuralRate",
        "Noise",
        "VelocityFlow",
    },
    geometries: {"Riemannian"},
    kernels: {"Nystrom", "RandomFeatures"},
    regression: {
        "Custom",
        "ResettingRidge",
        "ResettingRidgeCV",
        "SpectralData",
        "SpectralProblem",
    },
}
CASES = [
    pytest.param(room, name, arguments, id=f"{room.__name__}.{name}")
    for room, specs in SPECS.items()
    for name, arguments in specs.items()
]


def _classes(room):
    return {
        name
        for name in room.__all__
        if isinstance(getattr(room, name), type) and not name.startswith("Abstract")
    }


def _constructed(room, spec):
    """What ``spec`` means, by the constructors alone."""
    made = {}
    for name, value in spec.items():
        if isinstance(value, dict):
            made[name] = _constructed(_home(value["kind"], room, name), value)
        elif isinstance(value, list) and isinstance(value[0], dict):
            made[name] = tuple(
                _constructed(_home(v["kind"], room, name), v) for v in value
            )
        elif name == "dims":
            made[name] = tuple(value)
        else:
            made[name] = value
    return getattr(room, made.pop("kind"))(**made)


def _home(kind, room, argument):
    if argument == "initial":
        return measures
    homes = (
        r for r in (kernels, energies, geometries, flows, room) if kind in r.__all__
    )
    return next(homes)


@pytest.mark.parametrize("room", SPECS)
def test_every_class_of_a_room_is_built_below_or_cannot_be(room):
    assert _classes(room) == set(SPECS[room]) | OTHERS.get(room, set())


@pytest.mark.parametrize(("room", "name", "arguments"), CASES)
def test_what_is_built_is_what_the_constructor_makes(room, name, arguments):
    spec = {"kind": name, **arguments}
    made = build(spec, room)
    assert type(made) is getattr(room, name)
    assert eqx.tree_equal(made, _constructed(room, spec))
    if not arguments:
        assert eqx.tree_equal(build(name, room), made)


@pytest.mark.parametrize(("room", "name", "arguments"), CASES)
def test_a_spoiled_argument_is_taken_or_refused_in_its_place(room, name, arguments):
    spoiled = ["spoiled", True, None, -1, 0.5, float("nan"), [], ["a", 1], {"a": 1}]
    for argument, value in itertools.product(arguments, spoiled):
        spec = {"kind": name, **arguments, argument: value}
        try:
            sentence = ""
            build(spec, room, place="part")
        except ValueError as error:
            sentence = str(error)
        assert re.match(r"$|part[.:] ?\S", sentence), spec
        assert len(sentence) < 600


def test_a_string_is_a_class_that_needs_no_arguments():
    assert isinstance(build("EnKF", filtering), EnKF)
    with pytest.raises(ValueError, match=r"^a\.bandwidth is missing\.$"):
        build("GaussianKernel", kernels, place="a")


def test_parts_come_from_the_room_that_the_signature_asks_for():
    spec = {
        "kind": "CouplingTransport",
        "kernel_x": {"kind": "GaussianKernel", "bandwidth": 0.5},
        "target": {"kind": "LikelihoodFree", "draws": 3},
    }
    made = build(spec, filtering, AbstractMethod)
    assert isinstance(made.kernel_x, GaussianKernel)
    assert made.target.draws == 3
    assert isinstance(made.kernel_y, AbstractRadialKernel)


def test_lists_of_parts_name_the_one_that_is_wrong():
    spec = {
        "kind": "ProductKernel",
        "kernels": [RBF, {"kind": "LaplaceKernel"}],
        "dims": [1, 1],
    }
    with pytest.raises(ValueError, match=r"^k\.kernels\.1\.bandwidth is missing\.$"):
        build(spec, kernels, place="k")


def test_given_arguments_reach_every_part_that_has_them():
    spec = {"kind": "LocalTransport", "method": {"kind": "LikelihoodTransport"}}
    domain = filtering.Domain(1.0, np.zeros((2, 2)))
    made = build(spec, filtering, place="m", domain=domain, steps=7, unused=3)
    assert made.domain is domain
    assert made.method.steps == 7
    # What the config says is not overruled.
    assert build({"kind": "LikelihoodFree", "draws": 2}, filtering, draws=5).draws == 2
    key = jax.random.key(0)
    rate = build({"kind": "NeuralRate", "dim": 2}, flows, key=key)
    assert isinstance(rate, flows.NeuralRate)


@pytest.mark.parametrize(
    ("spec", "room", "of", "sentence"),
    [
        (
            {"kind": "Gausian", "bandwidth": 1},
            kernels,
            AbstractRadialKernel,
            "k.kind: expected one of EnergyDistance, GaussianKernel, "
            "InverseMultiquadric, Kronecker, LaplaceKernel, Matern32, Matern52, "
            "ScaleMixture, found 'Gausian'. "
            "Did you mean GaussianKernel?",
        ),
        (
            # A class of the room that does not fulfill the contract.
            {"kind": "MedianGaussian"},
            kernels,
            AbstractRadialKernel,
            "Did you mean GaussianKernel?",
        ),
        # Another room's.
        ("EnKF", kernels, object, "found 'EnKF'."),
        ("AbstractKernel", kernels, object, "found 'AbstractKernel'."),
        # A function of the room, a module, names of private and foreign things.
        ("gram", kernels, object, "found 'gram'."),
        ("base", kernels, object, "found 'base'."),
        ("os.system", kernels, object, "found 'os.system'."),
        ("__builtins__", kernels, object, "found '__builtins__'."),
        ("wflow.GaussianKernel", kernels, object, "found 'wflow.GaussianKernel'."),
        ("eqx", geometries, object, "found 'eqx'."),
        # An error is no part of anything.
        ("FilterError", filtering, object, "found 'FilterError'."),
        ({}, geometries, object, "k.kind is missing: Block, Euclidean, "),
        ({"mean": 1}, geometries, object, "k.kind is missing: Block, Euclidean, "),
        (
            3,
            geometries,
            object,
            "k: expected a kind and its arguments, found 3.",
        ),
        (
            None,
            geometries,
            object,
            "k: expected a kind and its arguments, found nothing.",
        ),
        (
            {"kind": ["Block"]},
            geometries,
            object,
            "k: expected a kind and its arguments, found {'kind': ['Block']}.",
        ),
        (
            {"kind": "GaussianKernel", "bandwith": 1},
            kernels,
            object,
            "k.bandwith is not a key under k. Did you mean k.bandwidth? "
            "Valid: bandwidth.",
        ),
        ({"kind": "GaussianKernel"}, kernels, object, "k.bandwidth is missing."),
        (
            {"kind": "GaussianKernel", "bandwidth": -1.0},
            kernels,
            object,
            "k: GaussianKernel: expected bandwidth > 0, found -1.0.",
        ),
        (
            {
                "kind": "ScaleMixture",
                "kernel": {"kind": "GaussianKernel", "bandwidth": "a"},
            },
            kernels,
            object,
            "k.kernel: expected bandwidth to be a number or an array of numbers, "
            "found 'a'.",
        ),
        (
            {"kind": "Block", "geometry": {"kind": "GaussianKernel"}, "moving": 1},
            geometries,
            object,
            "k.geometry.kind: expected one of Block, Euclidean, ",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_dotted_key(spec, room, of, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        build(spec, room, of, "k")
    assert str(caught.value).startswith(("k:", "k."))
    assert "\n" not in str(caught.value)


def test_without_a_place_the_sentence_begins_with_what_is_wrong():
    with pytest.raises(ValueError, match=r"^kind: expected one of .*'a'\.$"):
        build("a", geometries)
    with pytest.raises(ValueError, match=r"^bandwith is not a key at the top\. "):
        build({"kind": "GaussianKernel", "bandwith": 1}, kernels)
    with pytest.raises(ValueError, match=r"^GaussianKernel: expected bandwidth > 0"):
        build({"kind": "GaussianKernel", "bandwidth": 0}, kernels)


@pytest.mark.parametrize(("old", "new"), sorted(_BEFORE.items()))
def test_a_name_of_before_is_refused_with_that_of_the_class(old, new):
    rooms = [room for room in ROOMS if new in room.__all__]
    assert rooms
    for room in rooms:
        with pytest.raises(ValueError, match=rf"found '{old}'\. Did you mean {new}\?$"):
            build({"kind": old}, room)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_a_name_in_lower_case_is_refused_with_that_of_the_class(room):
    for name in _classes(room):
        if issubclass(getattr(room, name), BaseException):
            continue
        old = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        for kind in {old, old.replace("_", ""), name.upper()} - {name, *_BEFORE}:
            with pytest.raises(ValueError, match=rf"Did you mean {name}\?$"):
                build(kind, room)


def test_a_number_is_learned_where_the_config_says_so():
    flow = {**LAGRANGIAN, "friction": {"learn": 0.5}}
    made = build(flow, flows, flows.LagrangianFlow)
    assert eqx.tree_equal(made.friction, Learnable(0.5))
    signed = {"kind": "Power", "strength": {"learn": -1.0, "positive": False}}
    assert eqx.tree_equal(
        build(signed, energies), energies.Power(Learnable(-1.0, positive=False))
    )


@pytest.mark.parametrize(
    ("friction", "sentence"),
    [
        ({"learn": -1.0}, "p.friction.learn: expected value >= 0, found -1.0"),
        ({"learn": True}, "p.friction.learn: expected the number that it starts at"),
        ({"learn": 1.0, "from": 2}, "p.friction.from is not a key under p.friction."),
        ({"value": 1.0, "learn": True}, "p.friction.value is not a key"),
    ],
)
def test_what_cannot_be_learned_is_refused(friction, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build({**LAGRANGIAN, "friction": friction}, flows, place="p")


@pytest.mark.slow
def test_a_list_in_place_of_an_energy_is_the_sum_with_a_key_for_each():
    network = {"kind": "MLPPotential", "width": 3, "depth": 1}
    spec = [network, {"kind": "Entropy", "temperature": 0.5}, network]
    key = jax.random.key(3)
    made = build(spec, energies, energies.AbstractEnergy, dim=2, key=key)
    a, _, b = jax.random.split(key, 3)
    first, last = (energies.MLPPotential(2, width=3, depth=1, key=k) for k in (a, b))
    assert eqx.tree_equal(made, first + energies.Entropy(0.5) + last)
    # As an argument.
    flow = {"kind": "LagrangianFlow", "energy": spec}
    assert eqx.tree_equal(build(flow, flows, dim=2, key=key).energy, made)
    with pytest.raises(ValueError, match=r"^e\.1\.kind: expected one of .*'Entropi'"):
        build(["Entropy", "Entropi"], energies, energies.AbstractEnergy, "e")
    with pytest.raises(ValueError, match="^v: expected a kind and its arguments"):
        build([{"kind": "Zero"}], learning, AbstractInitialVelocity, "v")


@pytest.mark.slow
def test_a_constructor_of_a_class_is_named_with_it():
    spec = {"kind": "Bumps.lattice", "low": -1.0, "high": 1.0, "count": 3}
    made = build(spec, energies, dim=2)
    assert eqx.tree_equal(made, energies.Bumps.lattice(2, -1.0, 1.0, 3))
    for kind in ("Bumps.numbers", "Bumps._private", "Bumps.__init__", "Bumps.x.y"):
        with pytest.raises(ValueError, match="^kind: expected one of"):
            build({**spec, "kind": kind}, energies, dim=2)


@pytest.mark.slow
def test_a_function_counts_as_what_it_returns():
    spec = {"kind": "vortex", "n": 4, "snapshots": 3}
    key = jax.random.key(0)
    made = build(spec, simulators, learning.Snapshots, key=key)
    assert made.sizes == (4, 4, 4)
    with pytest.raises(
        ValueError, match=r"boids, gradient_flow_sde, swarm, toggle, vortex, found"
    ):
        build({"kind": "vortx"}, simulators, learning.Snapshots)


def test_a_kind_may_be_left_out_where_there_is_one():
    assert build({"columns": 2}, io, io.Keys).columns == 2
    spec = {"kind": "boids", "n": 3, "snapshots": 2, "rule": {"sight": -1.0}}
    with pytest.raises(ValueError, match=r"^s\.rule: BoidsRule: expected sight >= 0"):
        build(spec, simulators, learning.Snapshots, "s", key=0)


def _trained(flow, *, steps: int, loss: AbstractLoss | None = None):
    raise AssertionError


def _checked(*, steps, loss=None):
    if steps < 1:
        raise ValueError(f"_trained: expected steps >= 1, found {steps}.")


class _Training(Strict):
    fit: Annotated[Spec, Options(_trained, needs=["flow"], check=_checked)]


def test_options_are_arguments_of_a_function():
    options = Options(_trained, needs=["flow"], check=_checked)
    read = options.read({"steps": 3, "loss": {"kind": "Sinkhorn", "p": 1}}, "fit")
    assert read["steps"] == 3
    assert read["loss"].p == 1
    found = validate(_Training, {"fit": {"steps": 3}}, "x.yaml")
    assert found.model_dump(mode="json") == {"fit": {"steps": 3}}


@pytest.mark.parametrize(
    ("fit", "sentence"),
    [
        (3, "x: fit: expected keys and values, found 3."),
        ({}, "x: fit.steps is missing."),
        ({"steps": 0}, "x: fit: expected steps >= 1, found 0."),
        (
            {"steps": 1, "flow": 3},
            "x: fit.flow is not a key under fit. Did you mean fit.loss? Valid: steps, "
            "loss.",
        ),
        (
            {"steps": 1, "loss": {"p": 1}},
            "x: fit.loss.kind is missing: CharacteristicDistance, MassAndShape, "
            "Sinkhorn.",
        ),
        (
            {"steps": 1, "loss": {"kind": "Sinkhorn", "p": 3}},
            "x: fit.loss: Sinkhorn: expected p 1 or 2, found 3.",
        ),
    ],
)
def test_options_are_looked_at_when_the_config_is_read(fit, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        validate(_Training, {"fit": fit}, "x")


class _Parts(Strict):
    kernel: Annotated[Spec, Part(kernels, of=AbstractRadialKernel)]
    filter: Annotated[Spec, Part(filtering, needs=["domain"])] = {"kind": "EnKF"}


def _read(**keys):
    return validate(_Parts, keys, "x.yaml")


def test_a_part_is_kept_as_it_was_written():
    found = _read(kernel="EnergyDistance", filter={"kind": "LETKF", "rotate": True})
    assert found.kernel == {"kind": "EnergyDistance"}
    assert found.model_dump(mode="json") == {
        "kernel": {"kind": "EnergyDistance"},
        "filter": {"kind": "LETKF", "rotate": True},
    }
    assert isinstance(build(found.kernel, kernels), EnergyDistance)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "x.yaml: kernel is missing."),
        (
            {"kernel": {"kind": "GaussianKernel", "bandwidth": 0}},
            "x.yaml: kernel: GaussianKernel: expected bandwidth > 0, found 0.0.",
        ),
        (
            {"kernel": {"kind": "GaussianKernel", "width": 1}},
            "x.yaml: kernel.width is not a key under kernel. Did you mean "
            "kernel.bandwidth? Valid: bandwidth.",
        ),
        (
            # What the study gives itself may be missing; all else may not.
            {"kernel": "EnergyDistance", "filter": {"kind": "LocalTransport"}},
            "x.yaml: filter.method is missing.",
        ),
        (
            {
                "kernel": "EnergyDistance",
                "filter": {
                    "kind": "LocalTransport",
                    "method": {"kind": "LikelihoodTransport", "stepz": 3},
                },
            },
            "x.yaml: filter.method.stepz is not a key under filter.method. Did you "
            "mean filter.method.step? Valid: kernel_x, start, steps, step, inflation.",
        ),
    ],
)
def test_a_part_is_looked_at_when_the_config_is_read(keys, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        _read(**keys)
