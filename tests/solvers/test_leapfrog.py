"""The damped leapfrog: exact properties of the discrete scheme."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import AttentionPotential, Interaction, Potential
from wflow.flows import GradientFlow, LagrangianFlow
from wflow.flows.leapfrog import KineticState, leapfrog_step
from wflow.geometries import Wasserstein
from wflow.measures import Particles, Phase
from wflow.solvers import DampedLeapfrog, solve
from wflow.solvers._rollout import rollout, start_rollout
from wflow.transport import w2
from wflow.transport.exact import barycentric_map


rng = np.random.default_rng(0)
X, V = rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
CLOUD = Phase(Particles.from_samples(X), jnp.asarray(V))
ONE = Phase(Particles.from_samples(np.ones((1, 1))), jnp.zeros((1, 1)))


def half_square(x):
    return jnp.sum(x**2) / 2


def quartic(x):
    return jnp.sum(x**2) / 2 + jnp.sum(x**2) ** 2 / 4


def spring(x, y):
    return jnp.log1p(jnp.sum((x - y) ** 2))


@jax.jit
def run(x, v, friction, h):
    """200 steps with F = -grad quartic; the trajectory is kept."""

    def step(state, _):
        state = leapfrog_step(
            lambda x: -jax.vmap(jax.grad(quartic))(x),
            state,
            h,
            friction,
            "unified",
            consistent=True,
        )
        return state, state

    start = KineticState(x, v, -jax.vmap(jax.grad(quartic))(x))
    return jax.lax.scan(step, start, None, length=200)[1]


@eqx.filter_jit
def _ten_steps(flow, law, state, h, consistent):
    return rollout(flow, law, state, 0.0, h, 10, consistent=consistent)


def rolled(flow, n, consistent):
    """One particle at time 1 after n steps, in tens that share a program."""
    state = eqx.filter_jit(start_rollout)(flow, ONE, 0.0)
    for _ in range(n // 10):
        state = _ten_steps(flow, ONE.measure, state, jnp.asarray(1 / n), consistent)
    return float(state.x[0, 0])


@pytest.mark.parametrize(
    ("consistent", "steps", "expected"),
    [
        (True, (10, 20, 40), (-1.98e-3, -4.95e-4, -1.24e-4)),
        (False, (10, 20, 40, 80), (6.860e-3, 3.941e-3, 2.099e-3, 1.082e-3)),
    ],
)
def test_effective_equation(consistent, steps, expected):
    # x'' = -(1 + gamma) x - gamma x', gamma = 2: x(1) = 0.3143160817 (the inertial
    # force would give 2/e); errors of both coefficients as published or derived.
    exact = np.exp(-1) * (np.cos(2**0.5) + np.sin(2**0.5) / 2**0.5)
    assert exact == pytest.approx(0.3143160817, abs=1e-10)
    flow = LagrangianFlow(Potential(half_square), 2.0, "unified")
    for n, error in zip(steps, expected, strict=True):
        assert rolled(flow, n, consistent) - exact == pytest.approx(error, rel=5e-3)


def test_inertial_force():
    flow = LagrangianFlow(Potential(half_square), 2.0)
    solution = solve(flow, ONE, 0.0, 1.0, dt0=0.01)
    # Critically damped: x(1) = 2/e; order 2, error below h^2.
    np.testing.assert_allclose(solution[-1].measure.x, 2 / np.e, atol=1e-4)


def test_verlet_without_friction():
    # gamma = 0: errors of velocity Verlet against cos 1, ratio 4.
    flow = LagrangianFlow(Potential(half_square), 0.0, "unified")
    for n, error in ((10, -3.511e-4), (20, -8.768e-5)):
        for consistent in (True, False):
            found = rolled(flow, n, consistent)
            assert found - np.cos(1) == pytest.approx(error, rel=1e-3)


@pytest.mark.slow
def test_solver_is_the_rollout():
    # One step function: the Diffrax solver and the training scan agree to rounding,
    # and both agree with Tsit5 on the same equation to the order of the step.
    energy = Potential(quartic) + Interaction(spring)
    flow = LagrangianFlow(energy, 0.8, "unified")
    solution = solve(flow, CLOUD, 0.5, 1.5, times=[1.0, 1.5], dt0=0.02)

    @jax.jit
    def rolled_out():
        state = start_rollout(flow, CLOUD, 0.5)
        return rollout(flow, CLOUD.measure, state, 0.5, 0.02, 50)

    state = rolled_out()
    np.testing.assert_allclose(solution[-1].measure.x, state.x, atol=1e-10)
    np.testing.assert_allclose(solution[-1].velocity, state.v, atol=1e-10)
    assert solution.stats["solver"] == "DampedLeapfrog"
    fine = solve(
        flow,
        CLOUD,
        0.5,
        1.5,
        solver=diffrax.Tsit5(),
        stepsize_controller=diffrax.PIDController(1e-8, 1e-8),
    )
    np.testing.assert_allclose(state.x, fine[-1].measure.x, atol=1e-2)


def test_energy_without_friction():
    # No drift, amplitude O(h^2): 4.1e-4 and 1.0e-4 are typical at h = 0.02, 0.01.
    def drift(h):
        state = run(X / 2, V, 0.0, h)
        energy = jnp.mean(jnp.sum(state.v**2, -1) / 2, -1) + jnp.mean(
            jax.vmap(jax.vmap(quartic))(state.x), -1
        )
        start = np.mean(np.sum(V**2, 1) / 2) + np.mean(jax.vmap(quartic)(X / 2))
        return float(jnp.max(jnp.abs(energy - start)))

    coarse, fine = drift(0.02), drift(0.01)
    assert fine < 2e-3
    assert coarse / fine == pytest.approx(4, rel=0.2)


def test_energy_balance_with_friction():
    # E + 2 gamma int K = const for E = K + (1 + gamma) U, to second order.
    gamma, h = 0.6, 1e-3
    state = run(X, V, gamma, h)

    def mean_kinetic(v):
        return jnp.mean(jnp.sum(v**2, -1) / 2, -1)

    def total(x, v):
        return mean_kinetic(v) + (1 + gamma) * jnp.mean(jax.vmap(quartic)(x))

    kinetic = jnp.concatenate([mean_kinetic(V)[None], mean_kinetic(state.v)])
    dissipated = 2 * gamma * jnp.sum(kinetic[1:] + kinetic[:-1]) * h / 2
    change = total(state.x[-1], state.v[-1]) - total(X, V)
    assert abs(change + dissipated) < 1e-5 * abs(change)


def test_overdamped_limit():
    # The published coefficient is explicit Euler for x' = F at once; the consistent one
    # up to 1/gamma.
    flow = LagrangianFlow(Potential(half_square), 1e6, "unified")
    for consistent, tolerance in ((False, 1e-12), (True, 2e-5)):
        state = rollout(
            flow,
            CLOUD.measure,
            start_rollout(flow, CLOUD, 0.0),
            0.0,
            0.1,
            7,
            consistent=consistent,
        )
        np.testing.assert_allclose(state.x, X * 0.9**7, atol=tolerance)


def test_constant_force_is_exact():
    # v' = (1 + gamma) F - gamma v with constant F, whatever the step.
    gamma, h, force = 1.7, 0.9, jnp.array([[0.3, -0.2]])
    start = KineticState(jnp.zeros((1, 2)), jnp.ones((1, 2)), force)
    state = leapfrog_step(lambda x: force, start, h, jnp.asarray(gamma), "unified")
    terminal = (1 + gamma) / gamma * force
    expected = terminal + (1 - terminal) * np.exp(-gamma * h)
    np.testing.assert_allclose(state.v, expected, rtol=1e-13)


def test_conformal_symplecticity():
    # J^T Omega J = e^{-gamma h} Omega for any gradient force, any step.
    gamma, h, n = 0.9, 0.3, 3
    energy = Potential(quartic) + Interaction(spring)
    flow = LagrangianFlow(energy, gamma, "unified")

    def step(z):
        x, v = z.reshape(2, n, 2)
        phase = Phase(Particles.from_samples(x), v)
        state = start_rollout(flow, phase, 0.0)
        state = rollout(flow, phase.measure, state, 0.0, h, 1)
        return jnp.concatenate([state.x.ravel(), state.v.ravel()])

    z = jnp.asarray(rng.normal(size=4 * n))
    j = np.asarray(jax.jit(jax.jacfwd(step))(z))
    zero, eye = np.zeros((2 * n, 2 * n)), np.eye(2 * n)
    omega = np.block([[zero, eye], [-eye, zero]])
    np.testing.assert_allclose(j.T @ omega @ j, np.exp(-gamma * h) * omega, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(j), np.exp(-gamma * h * 2 * n), rtol=1e-12)


def test_momentum_decays_exactly():
    # Translation- and rotation-invariant pair energy: both momenta decay by
    # e^{-gamma h} a step, for the discrete scheme.
    gamma, h, steps = 0.5, 0.2, 9
    flow = LagrangianFlow(Interaction(spring), gamma)
    state = rollout(flow, CLOUD.measure, start_rollout(flow, CLOUD, 0.0), 0.0, h, steps)
    decay = np.exp(-gamma * h * steps)
    np.testing.assert_allclose(state.v.sum(0), decay * V.sum(0), atol=1e-12)

    def angular(x, v):
        return np.sum(x[:, 0] * v[:, 1] - x[:, 1] * v[:, 0])

    np.testing.assert_allclose(
        angular(np.asarray(state.x), np.asarray(state.v)),
        decay * angular(X, V),
        atol=1e-12,
    )


@pytest.mark.slow
def test_time_reversal():
    flow = LagrangianFlow(Potential(quartic) + Interaction(spring), 0.0, "unified")

    def moved(phase, t0, t1):
        return solve(flow, phase, t0, t1, times=[0.5, t1], dt0=0.02)[-1]

    there = moved(CLOUD, 0.0, 1.0)
    back = moved(Phase(there.measure, -there.velocity), 0.0, 1.0)
    np.testing.assert_allclose(back.measure.x, X, atol=1e-10)
    np.testing.assert_allclose(-back.velocity, V, atol=1e-10)
    # Or run the clock backwards.
    back = moved(there, 1.0, 0.0)
    np.testing.assert_allclose(back.measure.x, X, atol=1e-10)


def test_free_flight_is_a_geodesic():
    # No energy: straight lines, exactly; along the optimal map W2 grows linearly.
    target = X[::-1] * 0.5 + np.array([3.0, 0.0])
    v = barycentric_map(X, target) - X
    flow = LagrangianFlow(0.0 * Potential(half_square), 0.0)
    phase = Phase(CLOUD.measure, jnp.asarray(v))
    solution = solve(flow, phase, 0.0, 1.0, times=[0.3, 1.0], dt0=0.3)
    np.testing.assert_allclose(solution[0].measure.x, X + 0.3 * v, atol=1e-12)
    whole = w2(X, target)
    np.testing.assert_allclose(w2(X, solution[0].measure.x), 0.3 * whole, rtol=1e-9)
    np.testing.assert_allclose(w2(X, solution[1].measure.x), whole, rtol=1e-9)


def test_damped_gaussian_cloud():
    # A harmonic cloud is scaled by C(t); W2 to the start is exact.
    k, gamma, t = 2.0, 0.5, 1.2
    flow = LagrangianFlow(k * Potential(half_square), gamma)
    start = Phase.at_rest(CLOUD.measure)
    moved = solve(flow, start, 0.0, t, dt0=0.01)[-1].measure.x
    np.testing.assert_allclose(moved, 0.05878219013 * X, atol=2e-4)
    np.testing.assert_allclose(
        w2(X, moved), (1 - 0.05878219013) * np.sqrt(np.mean(np.sum(X**2, 1))), rtol=2e-4
    )


@pytest.mark.slow
def test_true_and_stopped_gradients():
    # One step: the stopped force loses nothing. Several: it does.
    energy = AttentionPotential(2, width=4, depth=1, key=jax.random.key(0))
    phase = Phase(Particles.from_samples(X[:6]), jnp.asarray(V[:6]))

    @jax.jit
    def gradients(scale):
        def loss(scale, steps, stop):
            flow = LagrangianFlow(scale * energy, 0.3, "unified")
            state = start_rollout(flow, phase, 0.0, stop_gradient_force=stop)
            state = rollout(
                flow, phase.measure, state, 0.0, 0.5, steps, stop_gradient_force=stop
            )
            return jnp.sum(state.x**2)

        grad = jax.grad(loss)
        return [[grad(scale, n, stop) for stop in (False, True)] for n in (1, 4)]

    one, four = gradients(30.0)
    np.testing.assert_allclose(one[0], one[1], rtol=1e-10)
    assert abs(four[0] - four[1]) > 1e-3 * abs(four[0])


def test_solver_refuses_other_flows():
    flow = GradientFlow(Potential(half_square), Wasserstein())
    with pytest.raises(TypeError, match="second-order flows of particles"):
        solve(flow, CLOUD.measure, 0.0, 1.0, solver=DampedLeapfrog())
    inertial = LagrangianFlow(Potential(half_square), 1.0)
    with pytest.raises(ValueError, match="force_scaling='unified', found 'inertial'"):
        solve(inertial, CLOUD, 0.0, 1.0, solver=DampedLeapfrog(consistent=False))
    with pytest.raises(ValueError, match="no error estimate"):
        solve(
            inertial,
            CLOUD,
            0.0,
            1.0,
            solver=DampedLeapfrog(),
            stepsize_controller=diffrax.PIDController(1e-3, 1e-3),
        )
