"""Growth: closed forms, two measures, and the leapfrog that carries weights."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Functional, Interaction, Potential
from wflow.flows import GradientFlow, GrowthFlow, LagrangianFlow, NeuralRate
from wflow.flows.sums import split_growth
from wflow.geometries import FisherRao
from wflow.measures import (
    Gaussian,
    Grid,
    Particles,
    Phase,
    UnsupportedMeasureError,
)
from wflow.solvers import DampedLeapfrog, solve
from wflow.solvers._rollout import rollout, start_rollout


rng = np.random.default_rng(0)
X, V = rng.normal(size=(8, 2)), rng.normal(size=(8, 2))
WEIGHTS = rng.uniform(0.5, 1.5, size=8)
CLOUD = Particles.from_samples(X, WEIGHTS)
GRID = Grid(rng.uniform(size=(4, 3)), -1.0, 2.0)


def bump(x, t):
    return jnp.exp(-jnp.sum(x**2)) - 0.3 + 0 * t


class Rate(eqx.Module):
    """g(x, t) = a + b cos t, whose numbers are leaves: new ones compile nothing."""

    constant: jax.Array = eqx.field(converter=jnp.asarray)
    wave: jax.Array = eqx.field(converter=jnp.asarray)

    def __call__(self, x, t):
        return self.constant + self.wave * jnp.cos(t)


@pytest.mark.parametrize(
    ("rate", "factor"),
    [
        (Rate(0.7, 0.0), np.exp(0.7 * 1.5)),
        # g = cos t multiplies by exp(sin t).
        (Rate(0.0, 1.0), np.exp(np.sin(1.5))),
    ],
    ids=["constant", "of time"],
)
@pytest.mark.parametrize(
    "mu", [CLOUD, GRID, Phase.at_rest(GRID)], ids=["particles", "grid", "phase"]
)
def test_a_rate_multiplies_the_mass(rate, factor, mu):
    end = solve(GrowthFlow(rate), mu, 0.0, 1.5)[-1]
    mass, start = (getattr(m, "measure", m).mass for m in (end, mu))
    np.testing.assert_allclose(mass, factor * start, rtol=1e-7)


@pytest.mark.slow
def test_growth_beside_a_motion():
    # The leapfrog, exact at any step.
    growing = GrowthFlow(Rate(0.7, 0.0))
    moving = LagrangianFlow(Potential(lambda x: jnp.sum(x**2)), 0.5) + growing
    solution = solve(moving, Phase(CLOUD, jnp.asarray(V)), 0.0, 1.5, dt0=0.5)
    assert solution.stats["solver"] == "DampedLeapfrog"
    mass = solution[-1].measure.mass
    np.testing.assert_allclose(mass, np.exp(0.7 * 1.5) * CLOUD.mass, rtol=1e-13)


@pytest.mark.slow
def test_logistic_growth_is_births_plus_crowding():
    """M' = r M (1 - M / K), the deaths a reaction down r M^2 / (2 K)."""
    r, capacity, t = 1.3, 2.0, 1.7
    crowding = Interaction(lambda x, y: r / capacity + 0.0 * x[0])
    flow = GrowthFlow(lambda x, t: r) + GradientFlow(
        crowding, FisherRao(conserve_mass=False)
    )
    cloud = Particles.from_samples(X, np.full(8, 0.05))
    end = solve(flow, cloud, 0.0, t)[-1]
    expected = capacity / (1 + (capacity / 0.4 - 1) * np.exp(-r * t))
    np.testing.assert_allclose(end.mass, expected, rtol=1e-6)


@pytest.mark.slow
def test_grid_particles_and_reaction_agree():
    """At cell centers; and -g is a potential that a reaction goes down."""
    centers, masses = map(np.asarray, GRID.atoms)
    atoms = Particles.from_samples(centers, masses)
    flow = GrowthFlow(bump)
    on_grid = np.asarray(solve(flow, GRID, 0.0, 1.0)[-1].atoms[1])
    on_atoms = np.asarray(solve(flow, atoms, 0.0, 1.0)[-1].w)
    np.testing.assert_allclose(on_grid, on_atoms, rtol=1e-6)
    rates = np.exp(-np.sum(centers**2, axis=1)) - 0.3
    np.testing.assert_allclose(on_atoms, masses * np.exp(rates), rtol=1e-6)
    reaction = GradientFlow(
        Potential(lambda x: -bump(x, 0.0)), FisherRao(conserve_mass=False)
    )
    same = solve(reaction, atoms, 0.0, 1.0)[-1].w
    np.testing.assert_allclose(on_atoms, same, rtol=1e-6)


@pytest.mark.slow
def test_leapfrog_is_of_order_two():
    """With an energy that feels the weights; against Tsit5."""
    pull = Interaction(lambda x, y: jnp.log1p(jnp.sum((x - y) ** 2)))
    flow = LagrangianFlow(pull, 0.8, "unified") + GrowthFlow(
        lambda x, t: bump(x, t) + jnp.cos(3 * t)
    )
    phase = Phase(CLOUD, jnp.asarray(V))
    exact = solve(flow, phase, 0.0, 1.0, solver=diffrax.Tsit5())[-1]
    errors = []
    # In steps of sixteen: solves that follow each other share a program.
    for n in (16, 32, 64):
        found = phase
        for t0 in np.arange(0, 1, 16 / n):
            found = solve(flow, found, t0, t0 + 16 / n, dt0=1 / n)[-1]
        errors.append(
            [
                np.abs(found.measure.x - exact.measure.x).max(),
                np.abs(found.measure.logw - exact.measure.logw).max(),
            ]
        )
    ratios = np.asarray(errors[:-1]) / np.asarray(errors[1:])
    np.testing.assert_allclose(ratios, 4, rtol=0.1)
    # The training rollout is the same map; weights move, and the force feels them.
    state = jax.jit(
        lambda: rollout(flow, CLOUD, start_rollout(flow, phase, 0.0), 0.0, 1 / 64, 64)
    )()
    np.testing.assert_allclose(state.x, found.measure.x, rtol=1e-12)
    np.testing.assert_allclose(state.logw, found.measure.logw, rtol=1e-12)


def test_split_growth():
    moving = LagrangianFlow(Potential(lambda x: jnp.sum(x**2)))
    one, two = (GrowthFlow(lambda x, t, c=c: c * x[0]) for c in (1.0, 2.0))
    assert split_growth(moving) == (moving, None)
    assert split_growth(one) == (None, one)
    rest, growth = split_growth(one + moving + two)
    assert rest is moving
    np.testing.assert_allclose(growth.rates(CLOUD.x), 3 * X[:, 0])


def test_neural_rate_is_zero_until_trained():
    rate = NeuralRate(2, width=4, depth=1, time_dim=3, key=jax.random.key(0))
    np.testing.assert_array_equal(GrowthFlow(rate).rates(CLOUD.x, 0.3), 0)


def test_refusals():
    flow = GrowthFlow(lambda x, t: x)
    with pytest.raises(ValueError, match="a number at a point, found shape"):
        flow.rates(CLOUD.x)
    with pytest.raises(UnsupportedMeasureError, match="Particles or Grid"):
        flow.velocity(Gaussian(jnp.zeros(2), jnp.eye(2)))
    with pytest.raises(TypeError, match="second-order flows"):
        solve(flow, CLOUD, 0.0, 1.0, solver=DampedLeapfrog(), dt0=0.1)


@pytest.mark.parametrize("mu", [CLOUD, GRID], ids=["particles", "grid"])
def test_logistic_growth(mu):
    # m' = r m (1 - m / K), m(t) = K / (1 + (K / m0 - 1) e^{-r t}); nothing moves.
    r, capacity, t = 0.8, 2.0, 1.5
    energy = Functional(lambda mu, t: r * mu.mass**2 / (2 * capacity) - r * mu.mass)
    end = solve(GradientFlow(energy, FisherRao(conserve_mass=False)), mu, 0.0, t)[-1]
    expected = capacity / (1 + (capacity / mu.mass - 1) * np.exp(-r * t))
    np.testing.assert_allclose(end.mass, expected, rtol=1e-6)
    np.testing.assert_allclose(end.mean, mu.mean, rtol=1e-12)
