"""A solve that ends early says why; what can be solved is."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import KDE, Interaction, KLDivergence, Potential
from wflow.flows import (
    BirthDeathFlow,
    GradientFlow,
    LagrangianFlow,
)
from wflow.flows.sums import SumFlow
from wflow.geometries import Euclidean, Wasserstein
from wflow.measures import Gaussian, Particles, Phase, Point
from wflow.sampling import MetropolisLangevinFlow, ReweightingFlow
from wflow.solvers import RESULTS, SolveError, solve
from wflow.solvers._rollout import rollout, start_rollout


def half_square(x):
    return x @ x / 2


QUADRATIC = Potential(half_square)
DECAY = GradientFlow(QUADRATIC, Wasserstein())
KEY = jax.random.key(0)


def particles(*rows, dtype=jnp.float32):
    return Particles.from_samples(jnp.asarray(rows, dtype))


def flow_of(energy):
    return GradientFlow(energy, Wasserstein())


CLOUD = particles([1.0], [0.0])
BROKEN = {
    "state": (DECAY, particles([np.nan], [0.0]), {}, "x of mu0 is nan at index"),
    "infinite": (DECAY, particles([np.inf], [0.0]), {}, "x of mu0 is inf"),
    "fixed": (DECAY, particles([np.nan], [0.0]), {"dt0": 0.5}, "x of mu0 is nan"),
    "slope": (
        flow_of(Potential(lambda x: np.nan * x[0])),
        CLOUD,
        {},
        "velocity of GradientFlow in x is nan",
    ),
    "force": (
        flow_of(Potential(lambda x: jnp.sum(jnp.sqrt(x - 0.5)))),
        CLOUD,
        {},
        "velocity of GradientFlow in x is nan at index",
    ),
    "pair": (
        flow_of(Interaction(lambda x, y: -jnp.log(jnp.linalg.norm(x - y)))),
        CLOUD,
        {},
        "itself",
    ),
    "velocity": (
        LagrangianFlow(QUADRATIC),
        Phase(CLOUD, jnp.array([[np.nan], [0.0]], jnp.float32)),
        {},
        "velocity of mu0 is nan",
    ),
    "tolerance": (
        DECAY,
        CLOUD,
        {"stepsize_controller": diffrax.PIDController(1e-12, 1e-14)},
        "below the rounding of float32",
    ),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_what_is_not_a_number_is_named(case):
    flow, mu, options, match = BROKEN[case]
    with pytest.raises((SolveError, ValueError), match=match) as caught:
        solve(flow, mu, 0.0, 1.0, max_steps=200, **options)
    assert "max_steps" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.slow
def test_no_first_step_under_jit():
    @eqx.filter_jit
    def end(mu):
        return solve(DECAY, mu, 0.0, 1.0)[-1].x

    with pytest.raises((RuntimeError, ValueError), match="No first step was accepted"):
        jax.block_until_ready(end(BROKEN["state"][1]))
    ended = solve(DECAY, BROKEN["state"][1], 0.0, 1.0, throw=False)
    assert ended.result == RESULTS.no_first_step
    # Given up long before max_steps.
    assert ended.stats["num_steps"] < 100


class Power(eqx.Module):
    """|x|^p, whose power is a leaf: another one compiles nothing."""

    power: jax.Array

    def __call__(self, x):
        return jnp.sum(jnp.abs(x) ** self.power)


@pytest.mark.parametrize(("power", "start"), [(4, 30.0), (6, 20.0), (3, 1e5)])
def test_a_first_step_that_overflows_is_made_shorter(power, start):
    # x' = -p x^(p - 1).
    flow = flow_of(Potential(Power(jnp.asarray(float(power)))))
    right = (start ** (2 - power) + power * (power - 2)) ** (1 / (2 - power))
    found = solve(flow, particles([start]), 0.0, 1.0)[-1].x[0, 0]
    np.testing.assert_allclose(found, right, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [diffrax.Kvaerno3(), diffrax.Kvaerno5()])
def test_stiff_in_single_precision(solver):
    energy = KLDivergence(lambda x: -500 * x[0] ** 2 - x[1] ** 2 / 2)
    mu = Gaussian(jnp.ones(2, jnp.float32), jnp.eye(2, dtype=jnp.float32))
    controller = diffrax.PIDController(1e-4, 1e-6)
    options = {"solver": solver, "stepsize_controller": controller}
    end = solve(flow_of(energy), mu, 0.0, 1.0, **options)[-1]
    np.testing.assert_allclose(end.mean, [0, np.exp(-1)], atol=1e-3)


@pytest.mark.slow
def test_a_gaussian_at_a_focus():
    flow = LagrangianFlow(Potential(lambda x: 2 * x @ x), 1.0, "unified")
    start = Phase.at_rest(Gaussian(jnp.zeros(1), 0.1 * jnp.eye(1)))
    with pytest.raises(SolveError, match="paths meet in a focus") as caught:
        solve(flow, start, 0.0, 0.9, max_steps=1000)
    assert "max_steps" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    x = jnp.ones(2, dtype)
    point = solve(GradientFlow(QUADRATIC, Euclidean()), Point(x), 0.0, 1.0)[-1].value
    assert point.dtype == dtype
    np.testing.assert_allclose(point.astype(float), np.exp(-1), rtol=1e-2)


class Wave(eqx.Module):
    """Re(c e^{ix}): with c = i this is -sin x."""

    c: jax.Array

    def __call__(self, x):
        return jnp.real(self.c * jnp.exp(1j * x[0]))


def test_complex_parameters_keep_their_imaginary_part():
    # x' = cos x: with x = 2 atan(tanh(t/2 + atanh tan(x0/2))).
    flow = flow_of(Potential(Wave(jnp.array(1j))))
    found = solve(flow, particles([0.3]), 0.0, 1.0)[-1].x[0, 0]
    right = 2 * np.arctan(np.tanh(0.5 + np.arctanh(np.tan(0.15))))
    np.testing.assert_allclose(found, right, rtol=1e-3)


def broken(x):
    return jnp.where(x[0] > 0, jnp.nan, -x @ x / 2)


KL = KLDivergence(broken, KDE(0.5, form="plug_in"))


@pytest.mark.parametrize(
    "flow", [MetropolisLangevinFlow(broken), BirthDeathFlow(KL), ReweightingFlow(KL)]
)
def test_a_density_that_is_nan_is_refused(flow):
    mu = Particles.from_samples(jnp.linspace(-1, 1, 6)[:, None])
    match = f"log-density of {type(flow).__name__} is nan"
    with pytest.raises(SolveError, match=match):
        solve(flow, mu, 0.0, 0.2, dt0=0.1, key=KEY)


REFUSED = {
    "flow": ({"flow": QUADRATIC}, "flow to be a flow"),
    "measure": ({"mu0": "cloud"}, "mu0 to be a measure"),
    "solver": ({"solver": "Heun"}, "solver to be a solver of Diffrax"),
    "class": ({"solver": diffrax.Heun}, r"call it: Heun\(...\)"),
    "structure": ({"solver": diffrax.SemiImplicitEuler()}, "SemiImplicitEuler"),
    "no noise": ({"solver": diffrax.EulerHeun()}, "flows with noise"),
    "controller": ({"stepsize_controller": 1e-3}, "stepsize_controller to be"),
    "no error": (
        {
            "solver": diffrax.Euler(),
            "stepsize_controller": diffrax.PIDController(1e-3, 1e-3),
        },
        "give dt0 instead",
    ),
    "implicit": ({"solver": diffrax.Kvaerno5(), "dt0": 0.1}, "implicit"),
    "adjoint": ({"adjoint": "direct"}, "adjoint to be"),
    "key": ({"key": 0}, "key to be one random key"),
    "splitting": ({"splitting": "Strang"}, "splitting 'strang' or 'lie'"),
    "stop": ({"stop": 0.5}, "stop to be a function"),
    "max_steps": ({"max_steps": 2.5}, "max_steps to be a whole number"),
    "no steps": ({"max_steps": 0}, "max_steps >= 1"),
    "throw": ({"throw": "yes"}, "throw"),
    "progress": ({"progress": "bar"}, "progress"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_parts_and_options_are_looked_at(case):
    options, match = REFUSED[case]
    given = {"flow": DECAY, "mu0": CLOUD, "t0": 0.0, "t1": 1.0} | options
    with pytest.raises((TypeError, ValueError), match=match) as caught:
        solve(**given)
    assert len(str(caught.value)) < 300


def test_rollouts_look_at_their_arguments():
    flow = LagrangianFlow(QUADRATIC)
    phase = Phase.at_rest(CLOUD)
    state = start_rollout(flow, phase, 0.0)
    with pytest.raises(ValueError, match="num_steps >= 0, found -1"):
        rollout(flow, CLOUD, state, 0.0, 0.1, -1)
    with pytest.raises(TypeError, match="num_steps to be a whole"):
        rollout(flow, CLOUD, state, 0.0, 0.1, 2.5)
    with pytest.raises(ValueError, match="h finite"):
        rollout(flow, CLOUD, state, 0.0, np.nan, 1)
    with pytest.raises(TypeError, match="flow to be a LagrangianFlow"):
        start_rollout(SumFlow((DECAY, DECAY)), phase, 0.0)
    gaussian = Phase.at_rest(Gaussian(jnp.zeros(1), jnp.eye(1)))
    with pytest.raises(TypeError, match="Particles, found Gaussian"):
        start_rollout(flow, gaussian, 0.0)
