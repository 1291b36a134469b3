"""Simulated populations against closed forms and against a second computation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.measures import Particles, Phase
from wflow.populations.simulators import (
    BoidsRule,
    Toggle,
    Vortex,
    boids,
    gradient_flow_sde,
    toggle,
    vortex,
)
from wflow.populations.simulators._gradient_flow_sde import (
    POTENTIALS,
    free_energy_velocity,
)
from wflow.solvers import solve


KEY = jax.random.key(0)


def _gradients(v):
    """Of the five potentials, by hand."""
    a, b = v
    pi = np.pi
    return {
        "poly": (a, b),
        "styblinski_tang": tuple(2 * c**3 - 16 * c + 2.5 for c in v),
        "bohachevsky": (
            2 * a + 0.9 * pi * np.sin(3 * pi * a),
            4 * b + 1.6 * pi * np.sin(4 * pi * b),
        ),
        "oakley_ohagan": (1 + 2 * a + b, 1 + 2 * b + a),
        "wavy_plateau": (np.cos(a), np.cos(b)),
    }


@pytest.mark.parametrize("name", POTENTIALS)
def test_gradients_of_the_potentials(name):
    potential, h = POTENTIALS[name], 1e-5
    for v in np.random.default_rng(0).normal(size=(5, 2)):
        steps = h * np.eye(2)
        central = [(potential(v + e) - potential(v - e)) / (2 * h) for e in steps]
        np.testing.assert_allclose(central, _gradients(v)[name], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(
            jax.grad(potential)(v), _gradients(v)[name], rtol=1e-12, atol=1e-12
        )


@pytest.fixture(scope="module")
def diffusion():
    return gradient_flow_sde(KEY, "poly", n=2000)


@pytest.mark.slow
def test_ornstein_uhlenbeck_variances(diffusion):
    """Var(t) = 1/2 - 0.3 exp(-2t) for each coordinate; two standard errors."""
    np.testing.assert_allclose(diffusion.times, 0.01 * np.arange(21))
    for k, expected in ((0, 0.2), (10, 0.2544), (20, 0.2989)):
        error = expected * np.sqrt(2 / 4000)
        # Bootstrapped starts carry the error of the first cloud along.
        allowed = 2 * error * (1 if k == 0 else 1.5)
        assert abs(np.var(diffusion[k]) - expected) < allowed


@pytest.mark.slow
def test_unpaired_snapshots_start_from_the_first(diffusion):
    """Rows are not followed; paired rows are: correlation exp(-t) std(0) / std(t)."""
    paired = gradient_flow_sde(KEY, "poly", n=2000, paired=True)
    np.testing.assert_array_equal(paired[0], diffusion[0])

    def correlation(s):
        return np.corrcoef(s[0][:, 0], s[20][:, 0])[0, 1]

    expected = np.exp(-0.2) * np.sqrt(0.2 / 0.2989)
    assert abs(correlation(paired) - expected) < 0.05
    assert abs(correlation(diffusion)) < 0.07


@pytest.mark.slow
def test_start_velocity_of_the_probability_flow(diffusion):
    """For poly the slope is -1 + 0.5 / 0.2 = 1.5, and later snapshots have none."""
    np.testing.assert_allclose(diffusion.velocity(0), 1.5 * diffusion[0], rtol=1e-12)
    assert all(diffusion.velocity(k) is None for k in range(1, 21))
    x = np.array([[0.3, -0.7]])
    for name in POTENTIALS:
        expected = -np.array(_gradients(x[0])[name]) + 2 * x[0] / (2 * 0.5)
        found = free_energy_velocity(x, name, np.sqrt(2.0), 0.5)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.slow
def test_the_same_key_gives_the_same_snapshots():
    for simulate in (boids, vortex, toggle):
        first, again = (simulate(KEY, n=8, snapshots=3) for _ in range(2))
        other = simulate(jax.random.key(1), n=8, snapshots=3)
        np.testing.assert_array_equal(first[2], again[2])
        assert first[2].shape != other[2].shape or (first[2] != other[2]).any()


def test_boids_fly_at_speed_one():
    flock = boids(KEY, n=50, snapshots=21)
    for k in range(21):
        np.testing.assert_allclose(
            np.linalg.norm(flock.velocity(k), axis=1), 1, rtol=1e-12
        )
    for k in range(20):
        shift = flock[k + 1].mean(0) - flock[k].mean(0)
        expected = 0.5 * flock.velocity(k + 1).mean(0)
        np.testing.assert_allclose(shift, expected, atol=1e-12)


@pytest.mark.slow
def test_one_step_of_a_flock_by_loops():
    rng = np.random.default_rng(0)
    x, v = 2 * rng.normal(size=(12, 2)), rng.normal(size=(12, 2))
    x[0] = [5.2, -5.4]
    push = np.zeros_like(x)
    for i in range(12):
        seen = [j for j in range(12) if np.linalg.norm(x[j] - x[i]) < 1]
        close = [j for j in range(12) if np.linalg.norm(x[j] - x[i]) < 0.3]
        push[i] += 0.005 * sum(x[j] - x[i] for j in seen) / len(seen)
        push[i] -= 0.1 * sum(x[j] - x[i] for j in close)
        push[i] += 0.3 * sum(v[j] - v[i] for j in seen) / len(seen)
        push[i] -= 0.5 * np.sign(x[i]) * (np.abs(x[i]) > 5)
    moved = v + 0.5 * push
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    found = BoidsRule().step(jnp.asarray(x), jnp.asarray(v), 0.5)
    np.testing.assert_allclose(found[1], moved, rtol=1e-12)
    np.testing.assert_allclose(found[0], x + 0.5 * moved, rtol=1e-12)


@pytest.mark.slow
def test_tracers_of_a_vortex():
    """Distances to the drifting center stay, and the velocity is the derivative."""
    law = Vortex()
    tracers = vortex(KEY, n=20, snapshots=5)
    radius = np.linalg.norm(tracers[0], axis=1)
    for k, t in enumerate(tracers.times):
        centered = tracers[k] - t * np.asarray(law.drift)
        np.testing.assert_allclose(np.linalg.norm(centered, axis=1), radius, rtol=1e-12)
    x0, h = jnp.asarray(tracers[0]), 1e-5
    central = (law.at(x0, 1 + h)[0] - law.at(x0, 1 - h)[0]) / (2 * h)
    np.testing.assert_allclose(law.at(x0, 1.0)[1], central, atol=1e-8)
    center = law.at(jnp.zeros((1, 2)), 1.0)
    np.testing.assert_allclose(center[1][0], law.drift, atol=1e-15)


@pytest.mark.slow
def test_a_vortex_is_newtons_motion_in_its_pressure():
    """Lagrangian particles with the force -r Omega^2 stay on the tracers' circles."""
    law = Vortex(drift=jnp.zeros(2))

    def pressure(x):
        # The integral of r Omega^2, by its derivative in r^2.
        s = jnp.linspace(0.0, 1.0, 1001)
        r2 = jnp.sum(x**2)
        return jnp.trapezoid(law.rotation(s * r2) ** 2, s) * r2 / 2

    x0 = jnp.array([[1.0, 0.0], [0.4, 0.5]])
    phase = Phase(Particles.from_samples(x0), law.at(x0, 0.0)[1])
    flow = LagrangianFlow(Potential(pressure))
    moved = solve(flow, phase, 0.0, 2.0, dt0=2e-3).measures
    np.testing.assert_allclose(moved.measure.x[0], law.at(x0, 2.0)[0], atol=1e-5)
    # The closed form of the same potential, up to its constant.
    r2 = np.array([1.0, 0.41])
    closed = law.pressure(r2)
    found = [float(pressure(x)) for x in x0]
    np.testing.assert_allclose(np.diff(closed), np.diff(found), atol=1e-5)


def test_cells_divide_where_the_second_gene_is_high():
    cells = toggle(KEY, n=400)
    assert cells.dim == 3
    assert (np.diff(cells.sizes) > 0).all()
    assert min(cloud.min() for cloud in cells) >= 0
    np.testing.assert_allclose(cells.velocity(1), Toggle().drift(cells[1]))
    # Without noise or growth a cell rests where its reactions balance.
    still = Toggle(noise=(0.0, 0.0, 0.0), growth=0.0)
    late = toggle(KEY, n=4, interval=200.0, law=still)
    assert late.sizes == (4,) * 5
    np.testing.assert_allclose(still.drift(late[4]), 0, atol=1e-8)


def test_growth_by_division():
    """At a constant rate the number of cells grows as exp(g t)."""
    law = Toggle(growth=0.1)
    rate = law.division_rate(np.array([[0.0, 1e6, 0.0], [5.0, 0.0, 1.0]]))
    np.testing.assert_allclose(rate, [0.1, 0.0], rtol=1e-9)
    # Reactions that end at once: the second gene decays from far away, high all along.
    high = Toggle(
        growth=0.1, decay=(0.4, 0.0, 0.4), inhibition=(0.0, 0.0, 0.0), basal=1e6
    )
    cells = toggle(KEY, n=1000, snapshots=3, interval=10.0, step=0.5, law=high)
    grown = cells.sizes[2] / cells.sizes[1]
    assert abs(np.log(grown) - 1.0) < 0.06


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: boids(KEY, n=0), "boids: expected n >= 1"),
        (lambda: vortex(KEY, snapshots=1), "vortex: expected"),
        (lambda: toggle(KEY, step=0.0), "toggle: expected"),
        (lambda: gradient_flow_sde(KEY, "pole"), "potential 'poly', .* found 'pole'"),
        (lambda: gradient_flow_sde(KEY, n=0), "expected n >= 1"),
        (lambda: gradient_flow_sde(KEY, variance=0.0), "variance > 0"),
        (lambda: gradient_flow_sde(KEY, sigma=np.nan), "sigma >= 0"),
        (lambda: vortex(KEY, spread=np.inf), "spread > 0"),
        (lambda: Vortex(core=0.0), "core > 0"),
        (lambda: Vortex(drift=[1.0]), r"drift of shape \(2,\)"),
        (lambda: BoidsRule(sight=-1.0), "sight >= 0"),
        (lambda: Toggle(decay=(0.4, -0.4, 0.4)), "decay >= 0"),
        (lambda: toggle(KEY, daughter=-1.0), "daughter >= 0"),
    ],
)
def test_wrong_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.slow
def test_single_precision():
    """The dtype follows that of JAX; here float64, from a float32 rule of float64."""
    x = jnp.ones((3, 2), jnp.float32)
    moved = BoidsRule(*(jnp.float32(0.1),) * 7).step(x, x, jnp.float32(0.5))
    assert all(part.dtype == jnp.float32 for part in moved)
