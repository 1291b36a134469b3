"""Conditional transport: some coordinates move, the others are frozen."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import MMD, Entropy
from wflow.geometries import Block, FisherRao, Stein, Wasserstein
from wflow.kernels import GaussianKernel, InverseMultiquadric, ProductKernel, gram
from wflow.measures import (
    Gaussian as GaussianMeasure,
)
from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError
from wflow.measures.particles import ParticlesDifferential


RNG = np.random.default_rng(0)
KERNEL = ProductKernel((GaussianKernel(0.8), InverseMultiquadric(0.6)), (2, 1))
MU = Particles.from_samples(RNG.normal(size=(6, 3)), RNG.uniform(0.1, 0.3, 6))
ENERGY = MMD(KERNEL, Particles.from_samples(RNG.normal(size=(8, 3))))
DIFFERENTIAL = eqx.filter_jit(ENERGY.differential)(MU)
AVERAGE = ProductKernel((GaussianKernel(0.7), GaussianKernel(0.9)), (2, 1))
GEOMETRIES = {
    "wasserstein": Block(Wasserstein(), 2),
    "of the frozen": Block(Wasserstein(lambda u: 1 / (1 + u[2] ** 2)), 2),
    "matrix": Block(Wasserstein(np.array([[2, 1, 1], [1, 2, 1], [1, 1, 2.0]])), 2),
    "stein": Block(Stein(AVERAGE), 2),
}
geometries = pytest.mark.parametrize("geometry", list(GEOMETRIES))


@eqx.filter_jit
def respond(geometry, mu, differential):
    return geometry.velocity(mu, differential)[0], geometry.dissipation(
        mu, differential
    )


@eqx.filter_jit
def elsewhere(block, heavier, point):
    """The velocity at a point, and the differential of the cloud with one there."""
    covectors = jax.grad(lambda q: jnp.sum(ENERGY.first_variation(MU, q)))(point)
    velocity = block.velocity_at(MU, ENERGY.differential(MU), point, covectors)
    return velocity, ENERGY.differential(heavier)


def velocities():
    """What each geometry should make of the differential, written out."""
    force = -np.asarray(DIFFERENTIAL.x)[:, :2]
    w, u = np.asarray(MU.w), np.asarray(MU.x)
    each = force / w[:, None]
    return {
        "wasserstein": each,
        "of the frozen": each / (1 + u[:, 2:] ** 2),
        "matrix": each @ np.array([[2, 1], [1, 2.0]]),
        "stein": np.asarray(gram(AVERAGE, MU.x)) @ force,
    }


@geometries
def test_velocity_is_the_conditional_one(geometry):
    velocity, _ = respond(GEOMETRIES[geometry], MU, DIFFERENTIAL)
    np.testing.assert_array_equal(velocity[:, 2], 0)
    np.testing.assert_allclose(velocity[:, :2], velocities()[geometry], rtol=1e-11)


@geometries
def test_energy_falls_by_the_dissipation(geometry):
    velocity, dissipation = respond(GEOMETRIES[geometry], MU, DIFFERENTIAL)
    value = lambda x: ENERGY.value(MU.with_state((x, MU.logw)))
    rate = jax.jit(lambda v: jax.jvp(value, (MU.x,), (v,))[1])(velocity)
    np.testing.assert_allclose(rate, -dissipation, rtol=1e-10)
    assert dissipation > 0


@geometries
def test_operator_is_symmetric(geometry):
    f, g = (
        ParticlesDifferential(jnp.asarray(RNG.normal(size=(6, 3))), jnp.zeros(6))
        for _ in range(2)
    )
    (vf, df), (vg, _) = (respond(GEOMETRIES[geometry], MU, a) for a in (f, g))
    np.testing.assert_allclose(jnp.vdot(g.x, vf), jnp.vdot(f.x, vg), rtol=1e-9)
    np.testing.assert_allclose(df, -jnp.vdot(f.x, vf), rtol=1e-10)


@pytest.mark.slow
@geometries
def test_velocity_elsewhere_is_that_of_a_light_particle(geometry):
    # A particle of weight 1e-9 put there moves with the field of the others.
    block, point = GEOMETRIES[geometry], jnp.array([[0.3, -0.4, 0.2]])
    heavier = Particles(
        jnp.concatenate([MU.x, point]), jnp.append(MU.logw, jnp.log(1e-9))
    )
    found, differential = elsewhere(block, heavier, point)
    felt, _ = respond(block, heavier, differential)
    # Its own mass changes the field by 1e-9, and its force is divided by that.
    np.testing.assert_allclose(found[0], felt[-1], rtol=1e-6, atol=1e-7)


def test_bad_input_is_named():
    differential = DIFFERENTIAL
    with pytest.raises(ValueError, match="moving >= 1, found 0"):
        Block(Wasserstein(), 0)
    with pytest.raises(ValueError, match="moving <= 3, the dimension"):
        Block(Wasserstein(), 4).velocity(MU, differential)
    normal = GaussianMeasure(np.zeros(3), np.eye(3))
    with pytest.raises(UnsupportedMeasureError, match="Block does not act on Gaussian"):
        Block(Wasserstein(), 1).velocity(normal, None)
    with pytest.raises(UnsupportedMeasureError, match="not on tracers"):
        Block(FisherRao(), 1).velocity_at(MU, differential, MU.x, MU.x)
    with pytest.raises(ImplicitEntropyError):
        Block(Wasserstein(), 1).velocity(MU, Entropy().differential(MU))


@pytest.mark.slow
def test_float32():
    mu = Particles(MU.x.astype(jnp.float32), MU.logw.astype(jnp.float32))
    velocity, dissipation = respond(
        GEOMETRIES["of the frozen"], mu, eqx.filter_jit(ENERGY.differential)(mu)
    )
    assert velocity.dtype == dissipation.dtype == jnp.float32
