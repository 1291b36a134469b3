"""Pair sums by a mesh against the sums over all pairs."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Interaction, ParticleMesh, Radial
from wflow.kernels import GaussianKernel, Matern52
from wflow.measures import Particles


RNG = np.random.default_rng(0)
W = jnp.asarray(RNG.dirichlet(np.full(40, 5.0)))
KERNEL = GaussianKernel(1.0)
SOFT = Radial(lambda r: 1 / r, softening=1.0)


def points(d):
    return jnp.asarray(np.random.default_rng(d).normal(size=(40, d)))


@eqx.filter_jit
def energy_and_force(pair, x, period=None, diagonal=True):
    energy = Interaction(pair, diagonal)
    mass = lambda x: energy.value(Particles.from_samples(x, W, period=period))
    return jax.value_and_grad(mass)(x)


@pytest.mark.parametrize("pair", [KERNEL, SOFT, Matern52(np.array([1.0, 1.5]))])
def test_the_error_falls_with_the_fourth_power_of_the_cells(pair):
    x = points(2)
    exact, force = energy_and_force(pair, x)
    coarse, fine = (energy_and_force(ParticleMesh(pair, m), x) for m in (16, 32))
    # 16 for the energy; a force is one order less, 8.
    assert 12 * abs(fine[0] - exact) < abs(coarse[0] - exact) < 1e-3 * abs(exact)
    off = [jnp.max(jnp.abs(found[1] - force)) for found in (coarse, fine)]
    assert 5 * off[1] < off[0] < 5e-3 * jnp.max(jnp.abs(force))


@pytest.mark.parametrize(
    ("d", "period"), [(1, None), (2, (9.0, np.inf)), (2, 9.0), (3, None)]
)
def test_axes_that_come_round_and_those_that_do_not(d, period):
    # Some points lie outside of the first period.
    x = 3 * points(d) if period is not None else points(d)
    for diagonal in (True, False):
        exact = energy_and_force(SOFT, x, period, diagonal)
        found = energy_and_force(ParticleMesh(SOFT, 24), x, period, diagonal)
        # The nearest image has a kink half a period away; a force is one order less.
        rtol, of_force = (1e-4, 2e-3) if period is None else (5e-3, 5e-2)
        np.testing.assert_allclose(found[0], exact[0], rtol=rtol)
        scale = float(jnp.max(jnp.abs(exact[1])))
        np.testing.assert_allclose(found[1], exact[1], atol=of_force * scale)


def test_it_says_how_far_off_it_is():
    x, mesh = points(2), ParticleMesh(SOFT, 12)
    each = jax.vmap(lambda at: W @ jax.vmap(lambda y: SOFT(at, y))(x))(x)
    slope = jax.grad(lambda w: mesh.double_sum(x, w) / 2)(W)
    np.testing.assert_allclose(
        mesh.error(x, W), jnp.max(jnp.abs(slope - each)), rtol=1e-9
    )


def test_the_derivative_in_a_bandwidth_in_single_precision():
    x = points(2).astype(np.float32)

    @jax.grad
    def slope(bandwidth, meshed):
        kernel = GaussianKernel(bandwidth)
        pair = ParticleMesh(kernel) if meshed else kernel
        return Interaction(pair).value(Particles.from_samples(x))

    slope = jax.jit(slope, static_argnums=1)
    found, exact = (slope(jnp.asarray(0.8, jnp.float32), by) for by in (True, False))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=1e-3)


def test_points_in_one_place_and_points_that_are_nowhere():
    mesh = ParticleMesh(KERNEL, 8)
    np.testing.assert_allclose(mesh.double_sum(jnp.ones((40, 2)), W), 1.0, rtol=1e-9)
    assert jnp.isnan(mesh.double_sum(points(2).at[3, 1].set(jnp.nan), W))


def test_refusals():
    springs: Any = lambda x, y: (x - y) @ (x - y)
    with pytest.raises(TypeError, match="ParticleMesh: expected pair to be a kernel"):
        ParticleMesh(springs)
    with pytest.raises(ValueError, match="long range, found a Radial with a cutoff"):
        ParticleMesh(Radial(lambda r: 1 - r, cutoff=1.0))
    with pytest.raises(ValueError, match="finite where points meet, found inf there"):
        ParticleMesh(Radial(lambda r: 1 / r, softening=0.0))
    cloud = Particles.from_samples(jnp.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"d up to 3 and w \(n,\), found \(5, 4\)"):
        Interaction(ParticleMesh(KERNEL)).value(cloud)
