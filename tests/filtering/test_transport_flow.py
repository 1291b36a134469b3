"""The flow of joint laws: its velocity, its descent, cases solved in closed form."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import MMD, Interaction, Potential
from wflow.filtering.transport.attraction import Simulated
from wflow.filtering.transport.joint import ConditionalMMD, Floored
from wflow.filtering.transport.pairs import Pairs
from wflow.filtering.transport.wasserstein import CouplingTransport, smoothness
from wflow.flows import GradientFlow, TracerFlow
from wflow.geometries import Block, Wasserstein
from wflow.kernels import EnergyDistance, GaussianKernel, Kronecker, ProductKernel
from wflow.measures import Particles, Traced


RNG = np.random.default_rng(0)
LX, LY = 0.8, 0.6
KX, KY = GaussianKernel(LX), GaussianKernel(LY)
Z, X = (jnp.asarray(RNG.normal(size=(40, 2))) for _ in range(2))
C, Y = (jnp.asarray(RNG.normal(size=(40, 1))) for _ in range(2))
OBSERVED = jnp.array([0.4])


def conditional(kernel_x, kernel_y, target, y, labels, observed=OBSERVED):
    attraction = Simulated(kernel_y, y[:, None])
    return ConditionalMMD.of(kernel_x, kernel_y, attraction, target, labels, observed)


@eqx.filter_jit
def velocities(z, c, x, y, q):
    """Of cloud and passengers: prepared, and by the declaration on points (z, c)."""
    prepared = TracerFlow(GradientFlow(conditional(KX, KY, x, y, c), Wasserstein()))
    one = Traced(Particles.from_samples(z), q)
    joint = lambda states, labels: jnp.concatenate([states, labels], axis=1)
    energy = MMD(ProductKernel((KX, KY), (2, 1)), Particles.from_samples(joint(x, y)))
    declared = TracerFlow(GradientFlow(energy, Block(Wasserstein(), 2)))
    labels = jnp.broadcast_to(OBSERVED, (len(q), 1))
    other = Traced(Particles.from_samples(joint(z, c)), joint(q, labels))
    return (
        (prepared.velocity(one), prepared.flow.value(one.measure)),
        (declared.velocity(other), declared.flow.value(other.measure)),
    )


def by_hand(points, labels, z, c, x, y):
    """Section 3.2 of the specification, pair by pair."""

    def force(other, of):
        apart = points[:, None] - other[None]
        kx = np.exp(-np.sum(apart**2, -1) / (2 * LX**2))
        ky = np.exp(-np.sum((labels[:, None] - of[None]) ** 2, -1) / (2 * LY**2))
        return -np.mean((kx * ky)[:, :, None] * apart, axis=1) / LX**2

    return force(np.asarray(x), np.asarray(y)) - force(np.asarray(z), np.asarray(c))


@pytest.mark.slow
def test_velocity_is_minus_the_gradient():
    # By hand, as a gradient, by the general declaration, and for passengers.
    q = X[:7] + 0.1
    (((dz, _), dq), value), (((du, _), dp), same) = velocities(Z, C, X, Y, q)
    hand = by_hand(np.asarray(Z), np.asarray(C), Z, C, X, Y)
    np.testing.assert_allclose(dz, hand, atol=1e-12)
    labels = np.broadcast_to(np.asarray(OBSERVED), (7, 1))
    np.testing.assert_allclose(
        dq, by_hand(np.asarray(q), labels, Z, C, X, Y), atol=1e-12
    )
    np.testing.assert_allclose(du, np.pad(dz, ((0, 0), (0, 1))), atol=1e-12)
    np.testing.assert_allclose(dp, np.pad(dq, ((0, 0), (0, 1))), atol=1e-12)
    np.testing.assert_allclose(value, same, rtol=1e-12)

    h = 1e-4
    above, below = (velocities(Z + s * dz, C, X, Y, q)[0][1] for s in (h, -h))
    rate = (above - below) / (2 * h)
    np.testing.assert_allclose(rate, -np.mean(np.sum(dz**2, 1)), rtol=1e-7)


def test_a_copy_of_the_target_does_not_move():
    # The force of a particle on itself is kept, and is zero.
    (((dz, _), dq), value), _ = velocities(X, Y, X, Y, Z[:7])
    for found in (dz, dq, value):
        np.testing.assert_allclose(found, 0, atol=1e-12)


@pytest.mark.slow
def test_every_step_below_one_over_l_lowers_the_energy():
    # 200 random clouds, five steps each.
    gamma = 1 / smoothness(KX)
    np.testing.assert_allclose(gamma, LX**2 / 1.4463, rtol=1e-4)

    @jax.jit
    @jax.vmap
    def drops(key):
        points = jax.random.normal(key, (12, 6))
        z, x, c, y = points[:, :2], points[:, 2:4] / 2, points[:, 4:5], points[:, 5:]
        flow = GradientFlow(conditional(KX, KY, x, y, c), Wasserstein())

        def step(z, _):
            mu = Particles.from_samples(z)
            v, _ = flow.velocity(mu)
            after = flow.value(Particles.from_samples(z + gamma * v))
            bound = gamma / 2 * jnp.mean(jnp.sum(v**2, 1))
            return z + gamma * v, flow.value(mu) - after - bound

        return jax.lax.scan(step, z, None, length=5)[1]

    assert drops(jax.random.split(jax.random.key(0), 200)).min() > -1e-15


@pytest.mark.slow
def test_quantiles_of_the_negative_distance_flow():
    # The target is uniform on [0, 1], its embedding known exactly.
    n = 200
    s = (np.arange(n) + 0.5) / n
    own = 0.5 * Interaction(lambda x, y: -2 * jnp.abs(x[0] - y[0]) / 2)
    embedding = Potential(lambda x: x[0] ** 2 - x[0] + 0.5)
    start = Particles.from_samples(s[:, None] ** 2)
    flow = GradientFlow(2 * own + embedding, Wasserstein())
    z = np.asarray(
        solve(flow, start, 0.0, 1.0, dt0=1e-3, solver=diffrax.Euler())[-1].x[:, 0]
    )
    np.testing.assert_allclose(z, s + (s**2 - s) * np.exp(-2), atol=1e-3)
    np.testing.assert_allclose(np.mean((z - s) ** 2), np.exp(-4) / 30, rtol=1e-2)


@pytest.mark.slow
def test_negative_distance_is_the_distance_of_distribution_functions():
    # MMD^2 = 2 int (F - G)^2, a sum over the gaps between points.
    x, y = RNG.normal(size=11), RNG.normal(size=7) + 0.3
    value = MMD(EnergyDistance(), Particles.from_samples(y[:, None])).value(
        Particles.from_samples(x[:, None])
    )
    points = np.sort(np.concatenate([x, y]))
    cdf = lambda sample: np.mean(sample[None] <= points[:-1, None], axis=1)
    expected = np.sum((cdf(x) - cdf(y)) ** 2 * np.diff(points))
    np.testing.assert_allclose(value, expected, rtol=1e-11)


def classes(sizes):
    return jnp.concatenate([jnp.full((n, 1), float(k)) for k, n in enumerate(sizes)])


def test_joint_discrepancy_of_classes_is_a_sum():
    # MMD^2 = sum_y p_y^2 MMD_y^2 when labels are classes.
    sizes = (8, 12, 20)
    labels, ends = classes(sizes), np.cumsum(sizes)[:-1]

    @jax.jit
    def values(z, x):
        whole = conditional(KX, Kronecker(), x, labels, labels)
        parts = [
            MMD(KX, Particles.from_samples(b)).value(Particles.from_samples(a))
            for a, b in zip(jnp.split(z, ends), jnp.split(x, ends), strict=True)
        ]
        return whole.value(Particles.from_samples(z)), jnp.stack(parts)

    found, parts = values(Z, X)
    expected = np.sum((np.array(sizes) / 40) ** 2 * np.array(parts))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("normalized", [False, True])
def test_classes_contract_at_their_share_or_all_alike(normalized):
    # e^{-2 p_y t}, or e^{-2t} with speeds divided by the density p_y. Euler's
    # steps contract by 1 - 2 p h exactly, so that they may be long.
    sizes, steps, h = (20, 60), 20, 0.05
    s = [(np.arange(n) + 0.5) / n for n in sizes]
    fine = [(np.arange(10 * n) + 0.5) / (10 * n) for n in sizes]
    target = jnp.asarray(np.concatenate(fine)[:, None])
    y, c = classes([10 * n for n in sizes]), classes(sizes)
    z = jnp.asarray(np.concatenate(s)[:, None] ** 2)
    shares = np.array([0.25, 0.75])

    @jax.jit
    def moved(z, target, y, c):
        energy = conditional(EnergyDistance(), Kronecker(), target, y, c, c[0])
        rho = jnp.mean(energy.across, axis=1)
        speed = 1 / rho if normalized else jnp.ones(80)
        start = Particles.from_samples(jnp.column_stack([z, speed]))
        flow = GradientFlow(energy, Block(Wasserstein(lambda point: point[-1]), 1))

        def step(mu, _):
            velocity = flow.velocity(mu)
            moved = jax.tree.map(lambda a, v: a + h * v, mu.state, velocity)
            return mu.with_state(moved), None

        return jax.lax.scan(step, start, None, length=steps)[0].x[:, 0], rho

    end, rho = moved(z, target, y, c)
    np.testing.assert_allclose(rho, np.repeat(shares, sizes), rtol=1e-12)
    rates = np.ones(2) if normalized else shares
    # A tenth of a particle's share: the target's distribution function has steps.
    for k, part in enumerate(np.split(np.asarray(end), [sizes[0]])):
        expected = s[k] + (s[k] ** 2 - s[k]) * (1 - 2 * rates[k] * h) ** steps
        np.testing.assert_allclose(part, expected, atol=0.1 / sizes[k])


def test_the_flow_stops_at_its_floor():
    @jax.jit
    def slopes(z, factor):
        energy, mu = conditional(KX, KY, X, Y, C), Particles.from_samples(z)
        floored = Floored(energy, factor * energy.value(mu))
        return (
            energy.differential(mu).x,
            floored.differential(mu).x,
            floored.first_variation(mu, X),
        )

    for factor, moving in ((0.9, True), (1.1, False)):
        expected, dx, variation = slopes(Z, factor)
        np.testing.assert_allclose(dx, moving * expected, atol=1e-15)
        assert bool(jnp.all(variation == 0)) != moving


@pytest.mark.slow
def test_the_filter_declares_this_flow():
    # In standard units, with speeds behind the states and passengers as tracers.
    method = CouplingTransport(KX, KY, start="identity", step=0.2)

    @eqx.filter_jit
    def declared(x, y):
        pairs = Pairs.of(x, y, OBSERVED).standardized()
        flow, measure = method.flow(pairs, jax.random.key(1))
        energy = flow.flow.energy
        dx = energy.differential(measure.measure).x * measure.measure.n
        return pairs.x, measure, jnp.mean(energy.across, 1), dx, flow.velocity(measure)

    x, measure, rho, dx, ((velocity, _), carried) = declared(X, Y)
    assert measure.measure.n == 80
    np.testing.assert_allclose(measure.tracers[:, :2], x)
    speed = 0.2 / np.asarray(rho)
    np.testing.assert_allclose(measure.measure.x[:, 2], speed, rtol=1e-12)
    expected = -speed[:, None] * np.asarray(dx)[:, :2]
    np.testing.assert_allclose(velocity[:, :2], expected, rtol=1e-11, atol=1e-15)
    np.testing.assert_array_equal(velocity[:, 2], 0)
    np.testing.assert_array_equal(carried[:, 2], 0)
