"""Many solves as one program: each is what ``solve`` makes of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

import wflow as wf
from wflow.energies import Potential
from wflow.flows import AbstractContinuousFlow, GradientFlow, LangevinFlow
from wflow.geometries import Wasserstein
from wflow.measures import Particles
from wflow.parameters import Learnable
from wflow.sharding import solve_many
from wflow.solvers import SolveError


# On a mesh matrices are taken together, and sums in another order.
ROUNDING = 1e-12
CLOUD = Particles.from_samples(1 + np.arange(10.0).reshape(5, 2) / 10)
TRACED = []


class Explosion(AbstractContinuousFlow):
    """x' = c x^2, which is at infinity after 1 / (c x) where that is positive."""

    strength: jax.Array

    def velocity(self, mu, t=0.0):
        TRACED.append(t)
        return self.strength * mu.x**2, jnp.zeros_like(mu.logw)


# Six on four devices leave two places over.
STRENGTHS = jnp.array([-1.0, 4.0, -3.0, 0.1, -20.0, -2.0])
OPTIONS = {"times": [0.1, 1.0], "max_steps": 200}


def mesh_of(count):
    return Mesh(np.array(jax.devices()[:count]), ("elements",))


def half_square(x):
    return x @ x / 2


LANGEVIN = LangevinFlow(Potential(half_square), 0.3)
KEYS = jax.random.split(jax.random.key(3), 3)
CLOUDS = jax.vmap(Particles.from_samples)(jnp.stack([CLOUD.x, -CLOUD.x, CLOUD.x / 2]))


def explosions(strengths=STRENGTHS, **options):
    flows = eqx.filter_vmap(Explosion)(strengths)
    options = OPTIONS | {"in_axes": (0, None)} | options
    return solve_many(flows, CLOUD, 0.0, 1.0, **options)


def assert_same(found, expected, rtol):
    for one, other in zip(found, expected, strict=True):
        assert one.stats["num_steps"] == other.stats["num_steps"]
        assert one.stats["solver"] == other.stats["solver"]
        assert one.result == other.result
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_allclose(one.measures.x, other.measures.x, rtol=rtol)


@pytest.fixture(scope="module")
def one_by_one():
    return [
        wf.solve(Explosion(c), CLOUD, 0.0, 1.0, throw=False, **OPTIONS)
        for c in STRENGTHS
    ]


@pytest.mark.slow
def test_over_devices_they_are_those_of_a_loop_whatever_becomes_of_one(one_by_one):
    found = explosions(mesh=mesh_of(4))
    assert_same(found, one_by_one, ROUNDING)
    assert found.measures.x.shape == (6, 2, 5, 2)
    steps = np.asarray(found.stats["num_steps"])
    # The one that has no end neither shortens the steps of others nor is counted there.
    assert steps[1] == 200
    assert np.delete(steps, 1).max() < 150
    assert found.reached.tolist() == [True, False, True, True, True, True]
    assert not np.isfinite(found[1][-1].x).all()
    (why,) = filter(None, found.reasons)
    assert found.reasons[1] == why
    assert "maximum number" in why
    assert "Tsit5 stopped at t = 0.131" in why
    with pytest.raises(SolveError, match="1 of 6 solves ended early; element 1: The "):
        explosions(mesh=mesh_of(4), throw=True)


def test_one_after_the_other_they_are_those_of_a_loop_to_the_bit(one_by_one):
    assert_same(explosions(batch_size=1), one_by_one, 0)


@pytest.mark.slow
def test_one_key_each_or_one_for_all():
    options = {"dt0": 0.25, "in_axes": (None, 0), "mesh": mesh_of(2)}
    each_its_own = solve_many(LANGEVIN, CLOUDS, 0.0, 1.0, key=KEYS, **options)
    common = solve_many(LANGEVIN, CLOUDS, 0.0, 1.0, key=KEYS[0], **options)
    for i, start in enumerate(CLOUDS.x):
        for found, key in ((each_its_own, KEYS[i]), (common, KEYS[0])):
            mu = Particles.from_samples(start)
            last = wf.solve(LANGEVIN, mu, 0.0, 1.0, key=key, dt0=0.25)[-1]
            np.testing.assert_allclose(found[i][-1].x, last.x, rtol=ROUNDING)


def test_each_stops_when_its_own_time_has_come():
    found = explosions(
        STRENGTHS[::2],
        times=None,
        max_steps=100,
        stop=lambda flow, mu, t: jnp.max(mu.x) - 0.5,
    )
    expected = (1 / 0.5 - 1 / CLOUD.x.max()) / jnp.abs(STRENGTHS[::2])
    np.testing.assert_array_equal(found.stopped, expected < 1)
    np.testing.assert_allclose(found.times[:, 0], np.minimum(expected, 1), rtol=1e-5)


@pytest.mark.slow
def test_gradients_over_devices():
    strengths = jnp.array([-1.0, -3.0, 0.1])

    def total(strengths, x):
        flows, mu = eqx.filter_vmap(Explosion)(strengths), Particles.from_samples(x)
        options = {"in_axes": (0, None), "mesh": mesh_of(2)}
        return jnp.sum(solve_many(flows, mu, 0.0, 1.0, **options).measures.x)

    def exact(strengths, x):
        return jnp.sum(x / (1 - strengths[:, None, None] * x))

    given = (strengths, CLOUD.x)
    found, expected = (
        jax.jit(jax.grad(function, (0, 1)))(*given) for function in (total, exact)
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_other_numbers_are_the_same_program_learnable_ones_too():
    for strengths, end in ((STRENGTHS[:3:2], 0.5), (STRENGTHS[2:4], 1.0)):
        one = Explosion(Learnable(1.0, positive=False))
        flows = eqx.tree_at(lambda flow: flow.strength.raw, one, strengths)
        before = len(TRACED)
        found = solve_many(flows, CLOUD, 0.0, end, in_axes=(0, None))
        for solution, c in zip(found, strengths, strict=True):
            expected = CLOUD.x / (1 - c * end * CLOUD.x)
            np.testing.assert_allclose(solution[-1].x, expected, rtol=1e-5)
            assert solution.flow.strength == c
    assert len(TRACED) == before


def test_refusals():
    def many(**options):
        return solve_many(decays, CLOUD, 0.0, 1.0, **options)

    decays = eqx.filter_vmap(
        lambda c: GradientFlow(c * Potential(half_square), Wasserstein())
    )(STRENGTHS[:4])
    with pytest.raises(ValueError, match="in_axes is 0, found shapes"):
        many()
    with pytest.raises(ValueError, match="found no array"):
        many(in_axes=None)
    with pytest.raises(ValueError, match="expected in_axes to be 0, None"):
        many(in_axes=(1, None))
    with pytest.raises(ValueError, match="expected in_axes to be 0, None"):
        many(in_axes=(0, None, None))
    with pytest.raises(ValueError, match="without the leading axis"):
        solve_many(LANGEVIN, CLOUD, 0.0, 1.0, in_axes=(None, 0))
    with pytest.raises(ValueError, match="needs a key"):
        solve_many(LANGEVIN, CLOUDS, 0.0, 1.0, in_axes=(None, 0))
