"""Populations spread over devices: the same numbers, on all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

import wflow as wf
from wflow.energies import MMD, Interaction, Potential
from wflow.flows import GradientFlow, LagrangianFlow, LangevinFlow
from wflow.geometries import HellingerKantorovich, Wasserstein
from wflow.kernels import GaussianKernel
from wflow.kernels.sums import matvec
from wflow.learning import FlowMatching, Rollouts, Snapshots
from wflow.measures import Gaussian, Particles, Phase
from wflow.parameters import Learnable
from wflow.sampling import SVGD
from wflow.sharding import shard
from wflow.transport import sinkhorn_divergence


# Sums are taken in another order: rounding of float64, which solves carry on.
ROUNDING = 1e-10
N = 64


def mesh_of(count):
    return Mesh(np.array(jax.devices()[:count]), ("rows",))


def points(seed=0, n=N):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, 2)) + 0.5)


def particles(seed=0, n=N):
    weights = np.random.default_rng(100 + seed).uniform(0.5, 1.5, n)
    return Particles.from_samples(points(seed, n), weights / weights.sum())


def spread_over(array):
    return len(array.sharding.device_set), array.sharding.is_fully_replicated


def test_rows_lie_on_all_devices():
    for mu in (particles(), Phase(particles(), points(1))):
        found = shard(mu, mesh_of(4))
        for leaf in jax.tree.leaves(found.state):
            assert spread_over(leaf) == (4, False)
        assert all(map(np.array_equal, *map(jax.tree.leaves, (found, mu))))


def test_missing_rows_have_no_mass_and_leave_the_draws():
    mu, key = particles(n=N - 1), jax.random.key(0)
    found = shard(Phase(mu, points(1, N - 1)), mesh_of(4))
    assert found.measure.n == N
    np.testing.assert_allclose(found.measure.mass, mu.mass, rtol=1e-14)
    assert found.measure.w[-1] == 0
    short, long = (jax.random.normal(key, (n, 2)) for n in (mu.n, N))
    np.testing.assert_array_equal(short, long[: mu.n])


def test_torus_and_signed_masses_come_along():
    mu = Particles(points(), jnp.zeros(N), jnp.array([1.0, 2.0]), jnp.ones(N))
    found = shard(mu, mesh_of(4))
    np.testing.assert_array_equal(found.period, mu.period)
    assert spread_over(found.signed) == (4, False)
    assert shard(Particles(mu.x[1:], mu.logw[1:]), mesh_of(4)).signed is None


def test_explicit_axes_are_taken_as_automatic():
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Explicit,))
    kept = shard(particles(), mesh).x.sharding.mesh
    assert kept.axis_types == (AxisType.Auto,)
    assert (kept.devices == mesh.devices).all()


def test_several_axes():
    mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("hosts", "chips"))
    mu = particles(n=N - 1)
    assert shard(mu, mesh).x.addressable_shards[0].data.shape == (N // 4, 2)
    half = shard(mu, mesh, "hosts").x.addressable_shards[0].data
    assert half.shape == (N // 2, 2)


def test_refusals():
    with pytest.raises(TypeError, match="found Gaussian"):
        shard(Gaussian(jnp.zeros(2), jnp.eye(2)), mesh_of(2))
    with pytest.raises(TypeError, match="a Phase of Gaussian"):
        shard(Phase.at_rest(Gaussian(jnp.zeros(2), jnp.eye(2))), mesh_of(2))
    with pytest.raises(ValueError, match="axis"):
        shard(particles(), mesh_of(2), "columns")
    with pytest.raises(ValueError, match="multiple of 3"):
        wf.fit(
            quadratic(0.3),
            shard(snapshots(), mesh_of(3)),
            FlowMatching(moments=16),
            steps=1,
            key=jax.random.key(0),
        )


def test_kernel_sums():
    def value(mu):
        return matvec(GaussianKernel(0.8), mu.x, mu.x, mu.w)

    whole, parts = (value(shard(particles(), mesh_of(k))) for k in (1, 4))
    assert spread_over(parts) == (4, False)
    np.testing.assert_allclose(whole, parts, rtol=ROUNDING)


def pair(x, y):
    return jnp.log1p(jnp.sum((x - y) ** 2))


BOWL = Potential(lambda x: 0.75 * x @ x)


def quadratic(friction):
    return LagrangianFlow(BOWL, Learnable(friction))


FLOWS = {
    "interaction": (GradientFlow(Interaction(pair), Wasserstein()), {}),
    "reaction": (GradientFlow(BOWL, HellingerKantorovich(1.0, 0.7)), {}),
    "noise": (LangevinFlow(BOWL, 0.3), {"dt0": 0.1, "key": jax.random.key(7)}),
    "inertia": (LagrangianFlow(BOWL, 0.4), {"dt0": 0.1}),
}


def ends(name, count, scale=1.0):
    """The mean square at the end of a solve, and the particles there."""
    mesh = mesh_of(count)
    if name == "discrepancy":
        energy = MMD(GaussianKernel(0.8), shard(particles(1), mesh))
        flow, options = GradientFlow(energy, Wasserstein()), {}
    else:
        flow, options = FLOWS[name]
    mu = particles()
    mu = shard(Phase(mu, points(5) / 3) if name == "inertia" else mu, mesh)
    start = mu.with_state(jax.tree.map(lambda leaf: scale * leaf, mu.state))
    last = wf.solve(flow, start, 0.0, 0.5, **options)[-1]
    law = getattr(last, "measure", last)
    return law.w @ jnp.sum(law.x**2, axis=1), law


@pytest.mark.parametrize(
    "name",
    [
        "interaction",
        "reaction",
        "inertia",
        "noise",
        pytest.param("discrepancy", marks=pytest.mark.slow),
    ],
)
def test_solves(name):
    (value, law), (other, parts) = ends(name, 1), ends(name, 4)
    assert spread_over(parts.x) == (4, False)
    np.testing.assert_allclose(other, value, rtol=ROUNDING)
    np.testing.assert_allclose(parts.x, law.x, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(parts.w, law.w, rtol=ROUNDING)


@pytest.mark.slow
def test_a_gradient_through_a_solve():
    slope, steeper = (
        jax.grad(lambda scale, k=k: ends("interaction", k, scale)[0])(1.0)
        for k in (1, 4)
    )
    np.testing.assert_allclose(steeper, slope, rtol=ROUNDING)


def snapshots():
    clouds = [np.asarray(points(9)) * (1 - 0.2 * k) for k in range(3)]
    return Snapshots([0.0, 0.3, 0.6], clouds, [-0.2 * x for x in clouds])


def train(count, objective, **options):
    return wf.fit(
        quadratic(0.3),
        shard(snapshots(), mesh_of(count)),
        objective,
        steps=5,
        key=jax.random.key(0),
        chunk=3,
        progress=False,
        **options,
    ).history["loss"]


@pytest.mark.slow
def test_a_training():
    loss, other = (train(count, Rollouts()) for count in (1, 4))
    np.testing.assert_allclose(other, loss, rtol=1e-8)


class Interrupted(Exception):
    """What a test raises in the midst of a training."""


@pytest.mark.slow
def test_a_training_goes_on_where_there_are_other_devices(tmp_path):
    def stop(chunk):
        raise Interrupted

    losses = {}
    for count, other in ((1, 4), (4, 1)):
        losses[count] = train(count, FlowMatching())
        folder = tmp_path / str(count)
        with pytest.raises(Interrupted):
            train(count, FlowMatching(), checkpoint_dir=folder, callbacks=[stop])
        losses[count, other] = train(
            other, FlowMatching(), checkpoint_dir=folder, resume=True
        )
    for found in losses.values():
        np.testing.assert_allclose(found, losses[1], rtol=1e-8)


def test_rows_of_a_training_are_padded_for_the_devices():
    few = Snapshots([0.0, 1.0], [np.zeros((6, 2)), np.ones((5, 2))])
    spread = shard(few, mesh_of(4))
    kept = spread.standardize()[0].take([0, 1])
    assert kept.sharding == spread.sharding
    stack = wf.learning.stacks.stacked(kept)
    assert stack.x.shape == (2, 8, 2)
    assert spread_over(stack.weights) == (4, False)
    np.testing.assert_allclose(stack.weights.sum(axis=1), 1)


@pytest.mark.slow
def test_samplers_and_distances():
    def found(count):
        mesh = mesh_of(count)
        a, b = (shard(particles(seed), mesh) for seed in (0, 1))
        drawn = wf.sample(
            lambda x: -x @ x / 2,
            a,
            key=jax.random.key(3),
            method=SVGD(step_size=0.05, steps=5),
        )
        apart = jax.value_and_grad(
            lambda x: (
                sinkhorn_divergence(
                    x, b.x, weights_x=a.w, weights_y=b.w, blur=0.3, threshold=1e-9
                ).value
            )
        )(a.x)
        return drawn.particles, *apart

    for whole, parts in zip(found(1), found(4), strict=True):
        np.testing.assert_allclose(parts, whole, rtol=1e-8, atol=1e-10)
