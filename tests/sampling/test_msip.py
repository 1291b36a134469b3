"""Mean-shift interacting particles against closed forms and their own identities."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import Learnable, solve
from wflow.kernels import GaussianKernel, InverseMultiquadric
from wflow.kernels.embeddings import mixture_double_integral
from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Particles,
    Point,
    UnsupportedMeasureError,
)
from wflow.sampling import (
    MSIP,
    ExactEmbedding,
    FredholmEmbedding,
    GaussHermite,
    GradientFreeEmbedding,
    GradientInformedEmbedding,
    MonteCarlo,
)
from wflow.sampling.mean_shift_runs import damped_iteration, stationary


rng = np.random.default_rng(0)
ROOTS = rng.normal(size=(3, 2, 2))
TARGET = GaussianMixture(
    2 * rng.normal(size=(3, 2)),
    ROOTS @ ROOTS.transpose(0, 2, 1) + 0.4 * np.eye(2),
    np.array([0.2, 0.3, 0.5]),
)
START = Particles.from_samples(2 * rng.normal(size=(7, 2)))
TILTED = np.array([[0.8, 0.0], [0.4, 0.6]])
EXACT = MSIP(ExactEmbedding(TARGET), GaussianKernel(0.8))
# Far enough from each other that no weight changes its sign on the way.
APART = jnp.asarray([[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
NORMAL = GaussianMixture(np.zeros((1, 1)), np.ones((1, 1, 1)), np.ones(1))


def line(*points):
    return jnp.asarray(points, float)[:, None]


@eqx.filter_jit
def motion(flow, mu):
    """Velocity and dissipation, as the flow has them and as its geometry has them."""
    differential = flow.energy.differential(mu)
    return (flow.velocity(mu)[0], flow.dissipation(mu)), (
        flow.geometry.velocity(mu, differential)[0],
        flow.geometry.dissipation(mu, differential),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("embedding", "bandwidth"),
    [
        (ExactEmbedding(TARGET), 0.8),
        (ExactEmbedding(TARGET), TILTED),
        (ExactEmbedding(Particles.from_samples(START.x + 0.1)), np.array([0.8, 0.5])),
        (FredholmEmbedding(TARGET.log_density), TILTED),
        (
            GradientInformedEmbedding(
                TARGET.log_density, MonteCarlo(5, jax.random.key(0))
            ),
            0.8,
        ),
    ],
)
def test_mean_shift_is_the_gradient_flow_of_its_energy(embedding, bandwidth):
    flow = MSIP(embedding, GaussianKernel(bandwidth), 1e-6, log_normalizer=0.3)
    (velocity, dissipation), (expected, rate) = motion(flow, START)
    np.testing.assert_allclose(velocity, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dissipation, rate, rtol=1e-10)
    assert rate > 0


@pytest.mark.slow
def test_energy_falls_along_the_iteration_and_the_flow():
    flow = MSIP(EXACT.system.embedding, GaussianKernel(0.5))
    start = Particles.from_samples(APART)
    run = damped_iteration(flow, start, damping=0.05, steps=400)
    assert np.diff(run.energy).max() < 1e-12
    assert run.residual[-1] < run.residual[0]
    h = 1e-3
    times = np.array([0.1, 0.1 + h, 0.1 + 2 * h, 1.0, 5.0, 20.0])
    controller = diffrax.PIDController(rtol=1e-8, atol=1e-8)
    smooth = solve(flow, start, 0, 20.0, times=times, stepsize_controller=controller)
    assert np.diff(smooth.energy).max() <= 0
    slope = (smooth.energy[2] - smooth.energy[0]) / (2 * h)
    np.testing.assert_allclose(slope, -smooth.dissipation[1], atol=1e-6)
    stiff = solve(
        flow, start, 0, 20.0, times=times, solver=diffrax.Kvaerno5(), max_steps=500
    )
    np.testing.assert_allclose(stiff.measures.x, smooth.measures.x, atol=1e-4)


@pytest.mark.slow
def test_iteration_is_euler():
    run = damped_iteration(EXACT, START, damping=0.05, steps=40)
    euler = solve(EXACT, START, 0, 2.0, solver=diffrax.Euler(), dt0=0.05)
    np.testing.assert_allclose(run.particles.x, euler[0].x, atol=1e-10)
    # Sums of 40 steps that two programs round differently.
    np.testing.assert_allclose(run.energy[-1], euler.energy[0], rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("s", "sigma", "expected", "mmd2"),
    [
        (1.0, 0.5, 0.524073537, 0.0443464),
        (1.0, 1.0, 0.741151904, 0.00747350),
        (2.0, 1.0, 0.897061289, None),
    ],
)
def test_two_nodes_of_a_normal_law(s, sigma, expected, mmd2):
    target = GaussianMixture(np.zeros((1, 1)), np.full((1, 1, 1), s), np.ones(1))
    flow = MSIP(ExactEmbedding(target), GaussianKernel(sigma), 0.0)
    run = damped_iteration(flow, line(-0.3, 1.1), damping=0.2, steps=4000)
    quadrature = run.quadrature()
    np.testing.assert_allclose(quadrature.nodes[:, 0], [-expected, expected], atol=1e-6)
    np.testing.assert_allclose(quadrature.weights, 0.5, atol=1e-6)
    if mmd2 is not None:
        constant = mixture_double_integral(flow.system.kernel, target, target)
        np.testing.assert_allclose(2 * run.energy[-1] + constant, mmd2, rtol=1e-5)
    if sigma == s == 1:
        evidence = np.exp(quadrature.log_evidence)
        np.testing.assert_allclose(evidence, 0.924562, rtol=1e-6)


@pytest.mark.parametrize(("gamma", "expected"), [(1, 0.522439038), (0.9, 0.543889682)])
def test_two_nodes_of_the_fredholm_equation(gamma, expected):
    flow = MSIP(FredholmEmbedding(NORMAL.log_density, gamma), GaussianKernel(0.6), 0.0)
    run = damped_iteration(flow, line(-0.3, 1.1), damping=0.2, steps=4000)
    np.testing.assert_allclose(run.particles.x, line(-expected, expected), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sigma", "node", "weights"),
    [
        (1.0, 1.29555799, (0.2455396, 0.5089208)),
        (0.5, 0.93465256, (0.2921713, 0.4156573)),
    ],
)
def test_three_nodes_of_a_normal_law_by_root_search(sigma, node, weights):
    flow = MSIP(ExactEmbedding(NORMAL), GaussianKernel(sigma), 0.0)
    resting = stationary(flow, line(-0.8 * node, 0.05, 1.1 * node))
    np.testing.assert_allclose(resting.x, line(-node, 0, node), atol=1e-7)
    assert flow.residual(resting) < 1e-8
    w = flow.quadrature(resting).weights
    np.testing.assert_allclose(w, [*weights, weights[0]], atol=1e-6)
    if sigma == 1:
        constant = mixture_double_integral(flow.system.kernel, NORMAL, NORMAL)
        mmd2 = 2 * flow.value(resting) + constant
        np.testing.assert_allclose(mmd2, 6.47206e-4, rtol=1e-5)


def test_one_node_is_the_mean_shift_of_a_gaussian():
    mean, cov = np.array([1.0, -2.0]), np.array([[1.0, 0.3], [0.3, 0.5]])
    flow = MSIP(ExactEmbedding(Gaussian(mean, cov)), GaussianKernel(0.7))
    factor = cov @ np.linalg.inv(cov + 0.49 * np.eye(2))
    y = np.array([3.0, 1.0])
    run = damped_iteration(flow, jnp.asarray(y)[None], damping=1.0, steps=5)
    expected = mean + np.linalg.matrix_power(factor, 5) @ (y - mean)
    np.testing.assert_allclose(run.particles.x[0], expected, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "embedding",
    [
        lambda p: FredholmEmbedding(p),
        lambda p: GradientFreeEmbedding(p, GaussHermite(3)),
        lambda p: GradientInformedEmbedding(p, GaussHermite(3), 0.9),
    ],
)
def test_the_normalizer_changes_no_motion(embedding):
    quadratures = []
    for shift in (0.0, 1e3):
        flow = MSIP(
            embedding(lambda x, shift=shift: TARGET.log_density(x) + shift),
            GaussianKernel(0.5),
            log_normalizer=shift,
        )
        run = damped_iteration(flow, START, steps=50)
        quadratures.append((run.quadrature(), run.energy))
    (first, energy), (second, shifted) = quadratures
    np.testing.assert_allclose(second.nodes, first.nodes, rtol=1e-9)
    np.testing.assert_allclose(second.weights, first.weights, rtol=1e-9)
    np.testing.assert_allclose(second.log_evidence - first.log_evidence, 1e3)
    np.testing.assert_allclose(shifted, energy, rtol=1e-9)


@pytest.mark.slow
def test_equivariance():
    q = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    b = np.array([3.0, -1.0])
    order = rng.permutation(7)
    moved = GaussianMixture(
        TARGET.means @ q.T + b, q @ TARGET.covs @ q.T, TARGET.weights
    )
    flow = MSIP(ExactEmbedding(moved), GaussianKernel(0.8))
    there = Particles.from_samples((START.x @ q.T + b)[order])
    (here, _), _ = motion(EXACT, START)
    (found, _), _ = motion(flow, there)
    np.testing.assert_allclose(found, (here @ q.T)[order], atol=1e-10)
    here = damped_iteration(EXACT, START, steps=100).particles.x
    found = damped_iteration(flow, there, steps=100).particles.x
    np.testing.assert_allclose(found, (here @ q.T + b)[order], atol=1e-8)


@pytest.mark.slow
def test_embedding_of_data_rests_on_the_data():
    data = jnp.asarray(rng.normal(size=(6, 2)))
    flow = MSIP(ExactEmbedding(Particles.from_samples(data)), GaussianKernel(0.5))
    mu = Particles.from_samples(data)
    assert flow.residual(mu) < 1e-6
    np.testing.assert_allclose(flow.quadrature(mu).weights, 1 / 6, rtol=1e-6)


def test_particles_far_from_all_mass_come_back():
    target = Gaussian(np.zeros(2), np.eye(2))
    y = jnp.asarray([1000.0, 0.0] + rng.normal(size=(10, 2)))
    flow = MSIP(FredholmEmbedding(target.log_density), GaussianKernel(0.5))
    with np.errstate(all="raise"):
        run = damped_iteration(flow, y, steps=50)
    radius = np.linalg.norm(run.particles.x, axis=1).mean()
    np.testing.assert_allclose(radius, 282, rtol=0.01)


@pytest.mark.slow
def test_float32_follows_float64():
    start = Particles.from_samples(START.x.astype(jnp.float32))
    flow = MSIP(ExactEmbedding(TARGET), GaussianKernel(0.8), 1e-3)
    low = damped_iteration(flow, start, steps=50)
    high = damped_iteration(flow, START, steps=50)
    arrays = eqx.filter((low.particles, low.energy, low.quadrature()), eqx.is_array)
    assert {leaf.dtype for leaf in jax.tree.leaves(arrays)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(low.particles.x, high.particles.x, atol=1e-3)
    density = lambda x: TARGET.log_density(x).astype(jnp.float64)
    sampled = MSIP(GradientInformedEmbedding(density), GaussianKernel(0.8), 1e-3)
    solution = solve(sampled, start, 0, 1.0)
    assert solution[0].x.dtype == jnp.float32
    assert np.isfinite(solution[0].x).all()
    with pytest.warns(UserWarning, match="below the rounding of a float32"):
        damped_iteration(EXACT, start, steps=50)


@pytest.mark.slow
def test_jit_vmap_and_gradients():
    def end(mean, y):
        target = GaussianMixture(TARGET.means + mean, TARGET.covs, TARGET.weights)
        flow = MSIP(ExactEmbedding(target), GaussianKernel(0.5))
        return damped_iteration(flow, y, steps=20).quadrature().mean[0]

    batch = jnp.stack([APART, APART + 0.1])
    ends = jax.jit(jax.vmap(lambda y: jax.value_and_grad(end)(0.0, y)))(batch)
    h = 1e-5
    np.testing.assert_allclose(ends[0][0], end(0.0, APART), rtol=1e-9)
    difference = (end(h, APART) - end(-h, APART)) / (2 * h)
    np.testing.assert_allclose(ends[1][0], difference, rtol=1e-5)


@pytest.mark.slow
def test_gradient_of_a_fixed_point_is_implicit():
    def node(sigma):
        flow = MSIP(ExactEmbedding(NORMAL), GaussianKernel(sigma), 1e-12)
        return stationary(flow, line(-0.6, 0.8)).x[1, 0]

    closed = lambda sigma: sigma * jnp.sqrt(jnp.log(1 + 2 / sigma**2) / 2)
    value, slope = jax.value_and_grad(node)(1.0)
    np.testing.assert_allclose(value, closed(1.0), rtol=1e-8)
    np.testing.assert_allclose(slope, jax.grad(closed)(1.0), rtol=1e-6)


@pytest.mark.slow
def test_random_nodes_are_shared_or_redrawn_with_a_key():
    embedding = GradientFreeEmbedding(
        TARGET.log_density, MonteCarlo(20, jax.random.key(1))
    )
    flow = MSIP(embedding, GaussianKernel(0.8), 1e-2)
    first, again = (damped_iteration(flow, START, steps=30) for _ in range(2))
    np.testing.assert_array_equal(first.particles.x, again.particles.x)
    fresh = damped_iteration(flow, START, steps=30, key=jax.random.key(2))
    assert np.isfinite(fresh.particles.x).all()
    assert np.abs(fresh.particles.x - first.particles.x).max() > 1e-3


@pytest.mark.slow
def test_tolerance_and_box_hold_particles():
    run = damped_iteration(EXACT, START, steps=400, damping=0.3, tol=1e-2)
    assert run.residual[-1] == run.residual[-2] <= 1e-2
    boxed = damped_iteration(EXACT, START, steps=20, box=(-0.5, np.array([0.5, 1.0])))
    x = np.asarray(boxed.particles.x)
    assert np.all((x >= -0.5) & (x <= [0.5, 1.0]))


def test_bad_input_is_named():
    embedding, kernel = ExactEmbedding(TARGET), GaussianKernel(0.8)
    with pytest.raises(TypeError, match="kernel to be a GaussianKernel"):
        MSIP(embedding, InverseMultiquadric(0.8))
    for h in (0.0, -1.0, np.nan, np.zeros((2, 2))):
        with pytest.raises(ValueError, match="bandwidth"):
            MSIP(embedding, GaussianKernel(h))
    with pytest.raises(ValueError, match="ridge >= 0"):
        MSIP(embedding, kernel, -1e-8)
    for make in (FredholmEmbedding, GradientInformedEmbedding):
        with pytest.raises(ValueError, match=r"gamma in \[0, 1\]"):
            make(TARGET.log_density, gamma=1.5)
    with pytest.raises(ValueError, match="damping > 0"):
        damped_iteration(EXACT, START, damping=0.0)
    with pytest.raises(ValueError, match="steps >= 1"):
        damped_iteration(EXACT, START, steps=0)
    for x in (jnp.zeros(3), jnp.zeros((0, 2)), jnp.zeros((3, 2), int)):
        with pytest.raises(ValueError, match=r"shape \(n, d\), n >= 1, of floating"):
            damped_iteration(EXACT, x)
    with pytest.raises(UnsupportedMeasureError, match="it acts on Particles"):
        EXACT.velocity(Point(jnp.ones(2)))


def test_starts_that_cannot_move_are_named():
    half = lambda x: jnp.where(x[0] > 0, -jnp.sum(x**2) / 2, -jnp.inf)
    flow = MSIP(FredholmEmbedding(half), GaussianKernel(0.5))
    with pytest.raises(ValueError, match="not finite around particle 1 at"):
        flow.check(Particles.from_samples([[1.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(ValueError, match="no particle sees the target"):
        flow.check(Particles.from_samples([[-2.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(ValueError, match="particle 1 is not finite"):
        flow.check(Particles.from_samples([[1.0, 0.0], [np.nan, 0.0]]))
    twice = Particles.from_samples([[1.0, 0.0], [1.0, 0.0]])
    with pytest.warns(
        UserWarning, match="particles 0 and 1 coincide; they will move as one"
    ):
        EXACT.check(twice)
    with pytest.raises(
        ValueError, match="particles 0 and 1 coincide and the ridge is 0"
    ):
        MSIP(ExactEmbedding(TARGET), GaussianKernel(0.8), 0.0).check(twice)


def test_a_learnable_bandwidth_is_used_as_it_is():
    flow = MSIP(ExactEmbedding(TARGET), GaussianKernel(Learnable(0.8)), Learnable(1e-8))
    run = damped_iteration(flow, START, steps=50)
    expected = damped_iteration(EXACT, START, steps=50)
    np.testing.assert_allclose(run.particles.x, expected.particles.x, atol=1e-6)
