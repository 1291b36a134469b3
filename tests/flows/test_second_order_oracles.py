"""Second-order flows: exact solutions and identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_problems import COV2, half_square

from wflow.energies import (
    KDE,
    Entropy,
    FisherInformation,
    Interaction,
    Potential,
)
from wflow.flows import (
    LagrangianFlow,
)
from wflow.kernels import silverman_bandwidth
from wflow.measures import (
    Gaussian,
    Grid,
    Particles,
    Phase,
)
from wflow.solvers import solve


def quantum(hbar, w):
    """Schroedinger's equation in a harmonic potential: w = 0 is free flight."""
    return LagrangianFlow(FisherInformation(hbar) + w**2 * Potential(half_square))


def test_quantum_packets_on_gaussians():
    # Free packet: Var = s^2 + hbar^2 t^2 / (4 s^2); harmonic: stationary at hbar/(2w).
    hbar, s2, t, w = 0.7, 0.4, 1.3, 1.5
    packet = Phase.at_rest(Gaussian([0.0], [[s2]]))
    free = solve(quantum(hbar, 0.0), packet, 0.0, t)[-1]
    np.testing.assert_allclose(
        free.measure.cov[0, 0], s2 + hbar**2 * t**2 / (4 * s2), rtol=1e-6
    )
    ground = Phase.at_rest(Gaussian([0.3], [[hbar / (2 * w)]]))
    moved = solve(quantum(hbar, w), ground, 0.0, t)[-1].measure
    np.testing.assert_allclose(moved.cov[0, 0], hbar / (2 * w), rtol=1e-6)
    np.testing.assert_allclose(moved.mean[0], 0.3 * np.cos(w * t), rtol=1e-6)


@pytest.mark.slow
def test_quantum_packets_on_grids():
    # Second order in the cell width: 0.125 of a packet of width 0.5 and more.
    packet = Grid.from_log_density(lambda x: -jnp.sum(x**2) / 0.5, -4.0, 4.0, (64,))
    start = Phase.at_rest(packet)
    free = solve(quantum(1.0, 0.0), start, 0.0, 0.75, times=[0.0, 0.75])
    expected = 0.25 + 0.75**2 / (4 * 0.25)
    np.testing.assert_allclose(free[-1].measure.cov[0, 0], expected, rtol=1e-2)
    np.testing.assert_allclose(free[-1].measure.mass, 1, rtol=1e-10)
    shifted = Grid.from_log_density(
        lambda x: -jnp.sum((x - 0.5) ** 2), -4.0, 4.0, (64,)
    )
    start = Phase.at_rest(shifted)
    solution = solve(quantum(1.0, 1.0), start, 0.0, 1.0, times=[0.0, 1.0])
    moved = solution[-1].measure
    np.testing.assert_allclose(moved.mean[0], 0.5 * np.cos(1.0), rtol=1e-2)
    np.testing.assert_allclose(moved.cov[0, 0], 0.5, rtol=1e-2)
    # The discrete energy is conserved by the flow itself, whatever the grid.
    np.testing.assert_allclose(solution.energy[1], solution.energy[0], rtol=1e-6)


def gas(k, tau, gamma):
    """In a harmonic potential: no temperature is the mechanics of points."""
    return LagrangianFlow(k * Potential(half_square) + tau * Entropy(1.0), gamma)


def test_gaussian_mechanics():
    # Damped harmonic: every point is scaled by C(t). Isothermal: the variance obeys an
    # equation of its own, and rests at tau / k.
    k, gamma, t = 2.0, 0.5, 1.2
    omega = np.sqrt(k - gamma**2 / 4)
    c = np.exp(-gamma * t / 2) * (
        np.cos(omega * t) + gamma / (2 * omega) * np.sin(omega * t)
    )
    assert c == pytest.approx(0.05878219013, abs=1e-10)
    start = Phase.at_rest(Gaussian([1.0, -0.5], COV2))
    moved = solve(gas(k, 0.0, gamma), start, 0.0, t)[-1].measure
    np.testing.assert_allclose(moved.mean, c * np.array([1.0, -0.5]), atol=1e-6)
    np.testing.assert_allclose(moved.cov, c**2 * COV2, atol=1e-6)
    tau = 0.3
    rest = solve(gas(k, tau, 2.0), start, 0.0, 25.0)[-1].measure
    np.testing.assert_allclose(rest.cov, tau / k * np.eye(2), atol=1e-5)


def test_overdamped_limit_on_gaussians():
    # U = gamma (V + tau S): Var -> s^2 e^{-2t} + tau (1 - e^{-2t}), error O(1/gamma).
    tau, t = 0.5, 0.2
    limit = 0.2 * np.exp(-2 * t) + tau * (1 - np.exp(-2 * t))
    assert limit == pytest.approx(0.298904, abs=1e-6)
    start = Phase.at_rest(Gaussian(jnp.zeros(2), 0.2 * jnp.eye(2)))
    errors = []
    for gamma in (80.0, 160.0):
        moved = solve(gas(gamma, gamma * tau, gamma), start, 0.0, t)[-1]
        errors.append(np.max(np.abs(moved.measure.cov - limit * np.eye(2))))
    assert errors[0] < 0.01
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_forces_hold_what_densities_hold():
    rng = np.random.default_rng(2)
    x, w, h = rng.normal(size=(7, 1)), rng.uniform(0.1, 1, size=7), 0.6
    mu = Particles.from_samples(x, w)

    @jax.jit
    def force(density):
        return LagrangianFlow(Entropy(1.5, density), 0.3).force(mu)

    # Held fixed, the density pushes along minus its score.
    apart = x - x.T
    kernel = w * np.exp(-(apart**2) / (2 * h**2))
    score = -np.sum(kernel * apart, 1) / h**2 / np.sum(kernel, 1)
    plug_in = force(KDE(h, "plug_in"))
    np.testing.assert_allclose(plug_in[:, 0], -1.5 * score, rtol=1e-12)
    # A bandwidth by Silverman's rule does not move with the particles.
    fixed = KDE(silverman_bandwidth(mu.x, mu.logw))
    np.testing.assert_allclose(force(KDE()), force(fixed), rtol=1e-12)
    assert np.abs(force(KDE(h)) - plug_in).max() > 0.1


@pytest.mark.slow
def test_lagrangian_energy_balance():
    # dE/dt = -dissipation for each force scaling and each kind of phase.
    rng = np.random.default_rng(1)
    energy = Potential(lambda x: jnp.sum(x**4) / 4) + Interaction(
        lambda x, y: jnp.sum((x - y) ** 2) / 2
    )
    grid = Grid.from_log_density(lambda x: -jnp.sum(x**2), -2.0, 2.0, (12,), "periodic")
    phases = [
        Phase(Particles.from_samples(rng.normal(size=(6, 2))), rng.normal(size=(6, 2))),
        Phase.at_rest(Gaussian([0.2, 0.1], COV2)),
        Phase(grid, jnp.asarray(rng.normal(size=12))),
    ]
    phases[1] = Phase(
        phases[1].measure, type(phases[1].velocity)(jnp.array([0.3, -1.0]), COV2)
    )

    @jax.jit
    def balance(phases):
        """Pairs of the energy's rate and the dissipation."""
        pairs = []
        for scaling in ("inertial", "unified"):
            flow = LagrangianFlow(energy, 0.7, scaling)
            for mu in phases:
                rate = jax.jvp(
                    lambda state, mu=mu: flow.value(mu.with_state(state)),
                    (mu.state,),
                    (flow.velocity(mu),),
                )[1]
                pairs.append((rate, flow.dissipation(mu)))
        return jnp.asarray(pairs)

    rates, dissipations = np.asarray(balance(phases)).T
    np.testing.assert_allclose(rates, -dissipations, rtol=1e-9)
