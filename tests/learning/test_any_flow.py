"""Rollouts of laws of every kind: their steps, what they learn, and their fits."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import trained

from wflow.energies import Potential
from wflow.flows import (
    GradientFlow,
    GrowthFlow,
    LagrangianFlow,
    LangevinFlow,
    VelocityFlow,
)
from wflow.geometries import HellingerKantorovich, Wasserstein
from wflow.learning import (
    AdamW,
    CharacteristicDistance,
    Displacement,
    Fit,
    FullHorizon,
    MassAndShape,
    Snapshots,
    Zero,
)
from wflow.measures import Particles, Phase
from wflow.parameters import Learnable
from wflow.solvers import DampedLeapfrog, solve
from wflow.solvers._rollout import rollout, start_rollout
from wflow.solvers.fixed_step import brownian_step, fixed_step


KEY = jax.random.key(0)
TIMES = np.linspace(0.0, 0.9, 4)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2)) * 0.5 + [1.0, -0.5]


class Bowl(eqx.Module):
    """k |x|^2 / 2 - a."""

    stiffness: jax.Array
    floor: jax.Array

    def __call__(self, x):
        return self.stiffness * jnp.sum(x**2) / 2 - self.floor


def bowl(stiffness, floor=0.0):
    return Potential(Bowl(stiffness, floor))


def shuffled(clouds, weights=None, masses=None):
    rows = [RNG.permutation(len(x)) for x in clouds]
    pick = lambda arrays: [a[r] for a, r in zip(arrays, rows, strict=True)]
    return Snapshots(
        TIMES,
        pick(clouds),
        weights=None if weights is None else pick(weights),
        masses=masses,
    )


def train(flow, snapshots, **options):
    options = {
        "steps": 120,
        "chunk": 120,
        "loss": CharacteristicDistance(),
        "horizon": FullHorizon(),
        "optimizer": AdamW(scalar_learning_rate=0.05, schedule="cosine"),
        **options,
    }
    return trained(flow, snapshots, key=KEY, progress=False, **options)


@pytest.mark.slow
def test_a_step_is_that_of_the_solver():
    flow = GradientFlow(
        bowl(1.3, 0.4), HellingerKantorovich(1.0, 1.0, conserve_mass=False)
    )
    mu = Particles.from_samples(X)
    step = eqx.filter_jit(lambda mu: fixed_step(flow, mu, 0.0, jnp.asarray(0.3)))(mu)
    solution = solve(flow, mu, 0.0, 0.3, solver=diffrax.Heun(), dt0=0.3)
    np.testing.assert_allclose(step.x, solution.measures.x[-1], rtol=1e-12)
    np.testing.assert_allclose(step.logw, solution.measures.logw[-1], rtol=1e-12)


@pytest.mark.slow
def test_noisy_steps_have_the_moments_of_their_law():
    n, tau, h = 40_000, 0.3, jnp.asarray(0.1)
    mu = Particles.from_samples(jnp.ones((n, 1)))
    flow = LangevinFlow(bowl(1.0), temperature=tau)
    end = eqx.filter_jit(lambda mu: fixed_step(flow, mu, 0.0, h, KEY))(mu)
    # Heun's step of an Ornstein-Uhlenbeck process, in closed form.
    keep, kick = 1 - h + h**2 / 2, 1 - h / 2
    std = float(jnp.sqrt(2 * tau * h) * kick)
    np.testing.assert_allclose(end.x.mean(), keep, atol=5 * std / np.sqrt(n))
    np.testing.assert_allclose(end.x.std(), std, rtol=5 / np.sqrt(2 * n))
    # Two keys, two draws.
    other = fixed_step(flow, mu, 0.0, h, jax.random.key(1))
    assert (other.x != end.x).any()


def test_finer_steps_follow_the_same_noise():
    state = (jnp.zeros((5000, 1)), jnp.zeros(3))

    @eqx.filter_jit
    def path(level, count):
        step = lambda k: brownian_step(state, 0.8 / count, KEY, k, level)[0]
        return jax.lax.map(step, jnp.arange(8))

    # Two steps of 0.4 in all, or halves and quarters of them.
    whole, half, quarter = (path(level, 2 << level) for level in range(3))
    np.testing.assert_allclose(half[:4:2] + half[1:4:2], whole[:2], atol=1e-12)
    np.testing.assert_allclose(quarter[::2] + quarter[1::2], half[:4], atol=1e-12)
    each = quarter[..., 0]
    np.testing.assert_allclose(each.var(axis=1), 0.1, rtol=5 * np.sqrt(2 / 5000))
    np.testing.assert_allclose(np.corrcoef(each), np.eye(8), atol=5 / np.sqrt(5000))


@pytest.mark.slow
def test_leapfrog_steps_of_langevin_dynamics_are_those_of_the_solver():
    flow = LangevinFlow(bowl(1.3), temperature=0.2, friction=0.7)
    mu = Phase(Particles.from_samples(X), jnp.asarray(X[::-1]))
    state = start_rollout(flow, mu, 0.0)
    state = rollout(flow, mu.measure, state, 0.0, 0.2, 3, key=KEY)
    solution = solve(flow, mu, 0.0, 0.6, solver=DampedLeapfrog(), dt0=0.2, key=KEY)
    # The solver folds its own numbers into the key: the same moments, another draw.
    assert state.x.shape == solution.measures.measure.x[-1].shape
    assert np.abs(state.x - solution.measures.measure.x[-1]).max() < 2.0
    assert (state.x != mu.measure.x).all()


@pytest.mark.slow
def test_gradient_flow_finds_its_stiffness(tmp_path):
    snapshots = shuffled([X * np.exp(-0.8 * t) for t in TIMES])
    make = lambda k: GradientFlow(bowl(Learnable(k)), Wasserstein())
    found = train(make(0.3), snapshots, substeps=2)
    np.testing.assert_allclose(
        found.flow.energy.potential.stiffness.value, 0.8, rtol=0.02
    )
    assert found.velocities == (None,) * 4
    assert "friction" not in found.history
    ahead = found.forecast([1.2])
    assert ahead.velocities is None
    assert ahead.masses is None
    np.testing.assert_allclose(ahead[0], snapshots[3] * np.exp(-0.24), atol=0.02)
    np.testing.assert_allclose(
        found.interpolate(0.45)[0], snapshots[1] * np.exp(-0.12), atol=0.02
    )
    assert found.report().model < 0.02
    found.save(tmp_path / "fit.eqx")
    again = Fit.load(tmp_path / "fit.eqx", make(1.0))
    np.testing.assert_array_equal(again.forecast([1.2])[0], ahead[0])


@pytest.mark.slow
def test_velocity_field_with_growth_finds_both():
    rate, grown = 0.5, np.exp(0.4 * TIMES)
    turn = lambda t: np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    snapshots = shuffled([X @ turn(rate * t) for t in TIMES], masses=grown)

    class Turning(eqx.Module):
        speed: jax.Array

        def __call__(self, x, t):
            return self.speed * jnp.stack([-x[1], x[0]])

    class Rate(eqx.Module):
        value: jax.Array

        def __call__(self, x, t):
            return self.value + 0 * x[0]

    flow = VelocityFlow(Turning(Learnable(0.2))) + GrowthFlow(Rate(Learnable(0.1)))
    found = train(
        flow, snapshots, loss=MassAndShape(CharacteristicDistance()), substeps=2
    )
    parts = found.flow.parts
    np.testing.assert_allclose(parts[0].f.speed.value, rate, rtol=0.02)
    np.testing.assert_allclose(parts[1].rate.value.value, 0.4, rtol=0.02)
    masses = found.forecast(TIMES[1:], start="initial").masses
    np.testing.assert_allclose(masses, grown[1:], rtol=0.02)


@pytest.mark.slow
def test_hellinger_kantorovich_finds_the_mass_of_unequal_clouds():
    floor, k = 0.8, 1.0
    grown = lambda t: np.exp(floor * t - np.sum(X**2, 1) * (1 - np.exp(-2 * k * t)) / 4)
    clouds, weights = [X * np.exp(-k * t) for t in TIMES], [grown(t) for t in TIMES]
    masses = np.array([w.mean() for w in weights])
    # The first cloud holds fewer points than padding makes room for.
    clouds[1], weights[1] = np.repeat(clouds[1], 2, 0), np.repeat(weights[1], 2, 0)
    snapshots = shuffled(clouds, weights, masses)
    flow = GradientFlow(
        bowl(k, Learnable(0.2)), HellingerKantorovich(1.0, 1.0, conserve_mass=False)
    )
    found = train(
        flow, snapshots, loss=MassAndShape(CharacteristicDistance()), substeps=2
    )
    np.testing.assert_allclose(
        found.flow.energy.potential.floor.value, floor, rtol=0.03
    )
    ahead = found.forecast(TIMES[1:], start="initial")
    np.testing.assert_allclose(ahead.masses, masses[1:], rtol=0.02)


@pytest.mark.slow
def test_langevin_flow_finds_its_temperature():
    tau, n = 0.3, 600
    start = RNG.normal(size=(n, 2)) * 0.2 + [1.5, -1.0]
    draw = lambda t: (
        np.exp(-t) * start
        + np.sqrt(tau * (1 - np.exp(-2 * t))) * RNG.normal(size=(n, 2))
    )
    snapshots = shuffled([draw(t) for t in TIMES])
    found = train(LangevinFlow(bowl(1.0), temperature=Learnable(0.1)), snapshots)
    # A variance of 600 points in two dimensions is known to 4 %.
    np.testing.assert_allclose(found.history["temperature"][-1], tau, rtol=0.12)
    assert found.forecast([1.5])[0].shape == (n, 2)


@pytest.mark.slow
def test_refuses_what_a_law_of_first_order_has_not():
    snapshots = shuffled([X * np.exp(-t) for t in TIMES])
    flow = GradientFlow(bowl(Learnable(0.3)), Wasserstein())
    for options in (
        {"velocity": Displacement()},
        {"velocity_scale": 1.0},
        {"acceleration_penalty": 0.1},
    ):
        (name,) = options
        with pytest.raises(ValueError, match=f"expected no {name}"):
            train(flow, snapshots, steps=1, **options)
    with pytest.raises(ValueError, match="first snapshot has no velocities"):
        train(LagrangianFlow(flow.energy), snapshots, steps=1)
    underdamped = LangevinFlow(flow.energy, temperature=0.1)
    assert train(underdamped, snapshots, steps=1, velocity=Zero()).kinetic
    assert not train(underdamped, snapshots, steps=1).kinetic
