"""The entry to the solvers: choices, times, outcomes, gradients, transformations."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import GaussianClosure, Interaction, KLDivergence, Potential
from wflow.flows import (
    AbstractContinuousFlow,
    BirthDeathFlow,
    Exponential,
    GradientFlow,
    LagrangianFlow,
    LangevinFlow,
    ResettingFlow,
)
from wflow.geometries import HellingerKantorovich, Wasserstein
from wflow.measures import Gaussian, Particles, Phase
from wflow.solvers import RESULTS, SolveError, solve
from wflow.solvers.noise import StepNoise


X = np.random.default_rng(0).normal(size=(6, 2))
CLOUD = Particles.from_samples(X)
PHASE = Phase(CLOUD, jnp.asarray(X[::-1]))


def half_square(x):
    return jnp.sum(x**2) / 2


def minus_quartic(x):
    return -jnp.sum(x**4)


DECAY = GradientFlow(Potential(half_square), Wasserstein())
BLOW_UP = GradientFlow(Potential(minus_quartic), Wasserstein())
NOISY = LangevinFlow(Potential(half_square), 1.0)
KEY = jax.random.key(0)


def test_adaptive_solve():
    times = np.linspace(0, 2, 41)
    solution = solve(DECAY, CLOUD, 0.0, 2.0, times=times)
    # Default tolerances 1e-7, dense output of order 4.
    expected = np.exp(-times)[:, None, None] * X
    np.testing.assert_allclose(solution.measures.x, expected, atol=1e-6)
    np.testing.assert_allclose(solution[1].x, expected[1], atol=1e-6)
    energies = np.mean(np.sum(expected**2, -1), -1) / 2
    np.testing.assert_allclose(solution.energy, energies, rtol=1e-5)
    np.testing.assert_allclose(solution.dissipation, 2 * energies, rtol=1e-5)
    np.testing.assert_allclose(
        solution.evaluate(lambda mu, t: mu.mean * t),
        times[:, None] * np.mean(solution.measures.x, 1),
    )
    assert len(solution) == 41
    assert solution.result == RESULTS.successful
    assert solution.stats["solver"] == "Tsit5"
    assert solution.stats["time_reached"] == 2
    # Energy recorded at both ends, dissipation integrated between by Simpson's rule.
    weights = np.array([1, *([4, 2] * 19), 4, 1]) / 60
    change = solution.energy[-1] - solution.energy[0]
    np.testing.assert_allclose(change, -weights @ solution.dissipation, rtol=1e-5)


@pytest.mark.slow
def test_fixed_steps_meet_the_saved_times():
    times = jnp.array([0.13, 0.5, 0.97])
    solution = solve(
        DECAY, CLOUD, 0.0, 1.0, times=times, dt0=0.1, solver=diffrax.Heun()
    )
    # 2 + 4 + 5 + 1 steps; each saved value is a step's end: Heun's own polynomial.
    assert solution.stats["num_steps"] == 12
    factor = np.ones(3)
    gaps, counts = [0.13, 0.37, 0.47], [2, 4, 5]
    for k in range(3):
        h = gaps[k] / counts[k]
        factor[k:] *= (1 - h + h**2 / 2) ** counts[k]
    np.testing.assert_allclose(
        solution.measures.x, factor[:, None, None] * X, rtol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [False, True])
def test_blow_up_says_when(fixed):
    # x' = 4 x^3 / n-free: reaches infinity at t = 1 / (8 max x^2).
    dt0 = 0.05 if fixed else None
    expected = 1 / (8 * np.max(X**2))
    text = "nan or infinite" if fixed else "maximum number of solver steps"
    with pytest.raises(SolveError, match=text) as caught:
        solve(BLOW_UP, CLOUD, 0.0, 5.0, dt0=dt0, max_steps=200)
    assert "Tsit5 stopped at t = " in str(caught.value)
    ended = solve(BLOW_UP, CLOUD, 0.0, 5.0, dt0=dt0, max_steps=200, throw=False)
    assert ended.result != RESULTS.successful
    reached = float(ended.stats["time_reached"])
    if fixed:
        constant = diffrax.ConstantStepSize()
        same = solve(
            *(BLOW_UP, CLOUD, 0.0, 5.0),
            dt0=dt0,
            max_steps=200,
            stepsize_controller=constant,
            throw=False,
        )
        assert same.result == RESULTS.nonfinite_state
        assert ended.result == RESULTS.nonfinite_state
        assert expected < reached < 0.5
    else:
        np.testing.assert_allclose(reached, expected, rtol=1e-3)


@pytest.mark.slow
def test_blow_up_between_jumps():
    kl = KLDivergence(half_square, GaussianClosure())
    flow = BLOW_UP + BirthDeathFlow(kl)
    with pytest.raises(SolveError, match=r"nan or infinite.*stopped at t = "):
        solve(flow, CLOUD, 0.0, 5.0, dt0=0.1, key=KEY)


def test_blow_up_under_jit():
    @eqx.filter_jit
    def end(mu, t1):
        return solve(BLOW_UP, mu, 0.0, t1, max_steps=50)[-1].x

    with pytest.raises((RuntimeError, ValueError), match="maximum number of solver"):
        jax.block_until_ready(end(CLOUD, 5.0))


@pytest.mark.slow
def test_refusals():
    with pytest.raises(TypeError, match="mu0 to be a measure, found ndarray"):
        solve(DECAY, X, 0.0, 1.0)
    with pytest.raises(ValueError, match="BacksolveAdjoint is refused"):
        solve(DECAY, CLOUD, 0.0, 1.0, adjoint=diffrax.BacksolveAdjoint())
    with pytest.raises(ValueError, match="LangevinFlow is random; it needs a key"):
        solve(NOISY, CLOUD, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"strict order between t0 = 0.0 and t1 = 1.0"):
        solve(DECAY, CLOUD, 0.0, 1.0, times=[0.5, 0.5])
    with pytest.raises(ValueError, match="strict order"):
        solve(DECAY, CLOUD, 0.0, 1.0, times=[0.5, 1.5])
    with pytest.raises(ValueError, match=r"shape \(T,\), found \(0,\)"):
        solve(DECAY, CLOUD, 0.0, 1.0, times=[])
    with pytest.raises(ValueError, match=r"t0 and t1 are both 1\.0"):
        solve(DECAY, CLOUD, 1.0, 1.0)
    with pytest.raises(ValueError, match="dt0 > 0.*found 0.0"):
        solve(DECAY, CLOUD, 0.0, 1.0, dt0=0.0)
    with pytest.raises(ValueError, match="must be known outside jit"):
        jax.jit(lambda t1: solve(NOISY, CLOUD, 0.0, t1, key=KEY)[-1].x)(1.0)
    jumps = DECAY + BirthDeathFlow(KLDivergence(half_square, GaussianClosure()))
    with pytest.raises(ValueError, match="need t0 < t1"):
        solve(jumps, CLOUD, 1.0, 0.0, key=KEY)
    with pytest.raises(ValueError, match="take fixed steps"):
        solve(
            jumps,
            CLOUD,
            0.0,
            1.0,
            key=KEY,
            stepsize_controller=diffrax.PIDController(1e-3, 1e-3),
        )
    with pytest.raises(TypeError, match="no one energy"):
        _ = solve(jumps, CLOUD, 0.0, 1.0, key=KEY, dt0=0.5).energy
    with pytest.raises(ValueError, match="increments over steps"):
        StepNoise(jnp.array([0.0, 1.0]), X, KEY).evaluate(0.0)


@pytest.mark.slow
def test_same_key_same_bits():
    one, again, other = (
        np.asarray(solve(NOISY, CLOUD, 0.0, 1.0, dt0=0.1, key=key)[-1].x)
        for key in (KEY, KEY, jax.random.key(1))
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


@pytest.mark.slow
def test_adaptive_noise():
    # Any Diffrax solver for additive noise, adaptive: the stationary variance.
    cloud = Particles.from_samples(np.random.default_rng(0).normal(size=(500, 1)))
    solution = solve(
        NOISY,
        cloud,
        0.0,
        1.0,
        solver=diffrax.ShARK(),
        dt0=0.05,
        stepsize_controller=diffrax.PIDController(1e-2, 1e-2),
        key=KEY,
    )
    assert solution.stats["solver"] == "ShARK"
    assert abs(solution[-1].cov[0, 0] - 1) < 5 * (2 / 500) ** 0.5


@pytest.mark.slow
def test_weak_order_of_the_noise_solver():
    # Stationary variance under Heun: the bias falls by four when the step is halved.
    # The second moment obeys an affine recursion, read off from three exact noises.
    def variance(h):
        drift = 1 - h + h**2 / 2
        return (2 * h * (1 - h / 2) ** 2) / (1 - drift**2)

    cloud = Particles.from_samples(np.zeros((20000, 1)))
    end = solve(NOISY, cloud, 0.0, 6.0, dt0=0.5, key=KEY)[-1]
    # Five standard errors; Euler would give 1 / (1 - h/2) = 1.33.
    assert abs(end.cov[0, 0] / variance(0.5) - 1) < 5 * (2 / 20000) ** 0.5
    assert abs(variance(0.25) - 1) < abs(variance(0.5) - 1) / 3


class Counting(AbstractContinuousFlow):
    """Counts how often its velocity is traced."""

    flow: GradientFlow
    rate: jax.Array
    traces: list = eqx.field(static=True)

    def velocity(self, mu, t=0.0):
        self.traces.append(t)
        return jax.tree.map(lambda r: self.rate * r, self.flow.velocity(mu, t))


@pytest.mark.slow
def test_sweeps_do_not_recompile():
    flow = Counting(DECAY, jnp.asarray(1.0), Traces())
    for k, rate in enumerate((1.0, 0.5, 2)):
        swept = eqx.tree_at(lambda f: f.rate, flow, jnp.asarray(float(rate)))
        solve(swept, CLOUD, 0.1 * k, 1.0 + k, times=[1.0 + k])
        if k == 0:
            first = len(flow.traces)
    assert first > 0
    assert len(flow.traces) == first


class Traces(list):
    """A list that can be static."""

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return isinstance(other, Traces)


@pytest.mark.slow
def test_vmap_and_jit():
    frictions = jnp.array([0.0, 0.5, 2.0])

    @jax.jit
    def end(friction):
        flow = LagrangianFlow(Potential(half_square), friction, "unified")
        return solve(flow, PHASE, 0.0, 1.0, dt0=0.1)[-1].measure.x

    batched = jax.jit(jax.vmap(end))(frictions)
    np.testing.assert_allclose(batched[1], end(0.5), rtol=1e-12)
    keys = jax.random.split(KEY, 3)
    noisy = lambda key: solve(NOISY, CLOUD, 0.0, 1.0, dt0=0.1, key=key)[-1].x
    many = jax.jit(jax.vmap(noisy))(keys)
    np.testing.assert_allclose(many[1], noisy(keys[1]), rtol=1e-12)


@pytest.mark.slow
def test_progress(capfd):
    solve(DECAY, CLOUD, 0.0, 1.0, dt0=0.1, progress=True)
    jax.effects_barrier()
    assert "100" in capfd.readouterr().err
    jumps = DECAY + BirthDeathFlow(KLDivergence(half_square, GaussianClosure()))
    solve(jumps, CLOUD, 0.0, 1.0, dt0=0.1, key=KEY, progress=True)
    jax.effects_barrier()
    assert "100" in capfd.readouterr().err


# Gradients: every adjoint, against central differences.

ADJOINTS = {
    "recursive": diffrax.RecursiveCheckpointAdjoint(),
    "direct": diffrax.DirectAdjoint(),
    "forward": diffrax.ForwardMode(),
}


class Target(eqx.Module):
    """A log-density whose parameters are leaves: new ones compile nothing."""

    mean: jax.Array
    precision: jax.Array

    def __call__(self, x):
        return -self.precision * jnp.sum((x - self.mean) ** 2) / 2


def attraction(x, y):
    return jnp.log1p(jnp.sum((x - y) ** 2))


def reaction_end(p, adjoint):
    """SHK on a Gaussian; fixed steps, so that differences see the same program."""
    mean, precision, alpha, beta, m0 = p
    flow = GradientFlow(
        KLDivergence(Target(mean, precision)), HellingerKantorovich(alpha, beta)
    )
    start = Gaussian(m0[None], jnp.eye(1))
    mu = solve(flow, start, 0.0, 1.2, dt0=0.25, adjoint=adjoint)[-1]
    return mu.mean[0] + 2 * mu.cov[0, 0]


def mechanics_end(p, adjoint):
    """Interacting particles with friction, by the leapfrog."""
    stiffness, pull, friction, shift, speed = p
    energy = stiffness * Potential(half_square) + pull * Interaction(attraction)
    phase = Phase(Particles.from_samples(X + shift), speed * X[::-1])
    flow = LagrangianFlow(energy, friction, "unified")
    mu = solve(flow, phase, 0.0, 1.2, dt0=0.25, adjoint=adjoint)[-1]
    return jnp.sum(mu.measure.x**2) + jnp.sum(mu.velocity[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("end", [reaction_end, mechanics_end])
def test_gradients(end):
    """By every adjoint, in all numbers but the time: that has a test of its own."""
    p = jnp.array([0.4, 1.3, 0.7, 0.9, -0.5])
    step = 1e-5 * jnp.eye(5)
    ends = jax.jit(jax.vmap(lambda p: end(p, ADJOINTS["recursive"])))
    moved = ends(jnp.concatenate([p + step, p - step]))
    differences = (moved[:5] - moved[5:]) / 2e-5
    for name, adjoint in ADJOINTS.items():
        transform = jax.jacfwd if name == "forward" else jax.grad
        gradient = jax.jit(transform(lambda p, a=adjoint: end(p, a)))(p)
        # Central differences in float64 have errors of about 1e-10.
        np.testing.assert_allclose(
            gradient, differences, rtol=1e-6, atol=1e-7, err_msg=name
        )


@pytest.mark.slow
def test_gradients_of_adaptive_and_noisy_solves():
    def adaptive(t1):
        return jnp.sum(solve(DECAY, CLOUD, 0.0, t1)[-1].x)

    np.testing.assert_allclose(
        jax.grad(adaptive)(0.7), -np.exp(-0.7) * X.sum(), rtol=1e-6
    )

    @jax.jit
    @jax.value_and_grad
    def noisy(tau):
        flow = LangevinFlow(Potential(half_square), tau)
        return jnp.sum(solve(flow, CLOUD, 0.0, 1.0, dt0=0.2, key=KEY)[-1].x ** 2)

    difference = (noisy(0.5 + 1e-5)[0] - noisy(0.5 - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose(noisy(0.5)[1], difference, rtol=1e-6)


@pytest.mark.slow
def test_gradient_through_resets():
    # Positions are differentiated, ages are not.
    @jax.jit
    @jax.value_and_grad
    def end(origin):
        flow = ResettingFlow(DECAY, Exponential(1.0), origin)
        return jnp.sum(solve(flow, CLOUD, 0.0, 1.0, key=KEY)[-1].x)

    origin = np.array([0.3, -0.4])
    difference = [
        (end(origin + d)[0] - end(origin - d)[0]) / 2e-4 for d in 1e-4 * np.eye(2)
    ]
    gradient = np.asarray(end(origin)[1])
    assert np.all(gradient > 0)
    np.testing.assert_allclose(gradient, difference, rtol=1e-5)
