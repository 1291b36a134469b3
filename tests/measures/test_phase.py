"""Measures with inertia."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Gaussian, Grid, Particles, Phase
from wflow.measures.phase import AffineVelocity


MEAN, COV = np.array([0.2, -0.3]), np.array([[0.5, 0.1], [0.1, 0.4]])
U, SLOPE = np.array([1.0, -2.0]), np.array([[0.3, 0.2], [0.2, -0.5]])


def measures():
    law = Gaussian(MEAN, COV)
    return (
        Particles.from_samples(
            np.random.default_rng(0).normal(size=(4, 2)), np.ones(4)
        ),
        law,
        Grid.from_log_density(law.log_density, -4, 4, (48, 48)),
    )


@pytest.mark.slow
@pytest.mark.parametrize("mu", measures(), ids=lambda mu: type(mu).__name__)
def test_at_rest(mu):
    phase = Phase.at_rest(mu)
    assert phase.kinetic_energy == 0
    for leaf in jax.tree.leaves(phase.velocity):
        np.testing.assert_array_equal(leaf, 0)
    again = phase.with_state(jax.tree.map(lambda leaf: leaf + 1, phase.state))
    assert jax.tree.structure(again) == jax.tree.structure(phase)
    np.testing.assert_allclose(
        phase.integrate(lambda x: x[0] + 1), mu.integrate(lambda x: x[0] + 1)
    )


@pytest.mark.slow
def test_kinetic_energy_of_an_affine_field_on_three_measures():
    cloud, law, grid = measures()
    field = lambda x: U + SLOPE @ (x - MEAN)
    expected = law.integrate(lambda x: jnp.sum(field(x) ** 2)) / 2
    affine = Phase(law, AffineVelocity(jnp.asarray(U), jnp.asarray(SLOPE)))
    np.testing.assert_allclose(affine.kinetic_energy, expected, rtol=1e-13)
    # The potential of the field; face gradients of a quadratic are exact, the
    # logarithmic mean is second order in h.
    potential = grid.evaluate(
        lambda x: U @ (x - MEAN) + (x - MEAN) @ SLOPE @ (x - MEAN) / 2
    )
    np.testing.assert_allclose(
        Phase(grid, potential).kinetic_energy, expected, rtol=1e-2
    )
    velocities = jax.vmap(field)(cloud.x)
    np.testing.assert_allclose(
        Phase(cloud, velocities).kinetic_energy,
        np.sum(np.asarray(velocities) ** 2) / 2,
        rtol=1e-14,
    )


def test_wrong_velocities_are_refused_in_a_sentence():
    cloud, law, grid = measures()
    for mu in (cloud, law, grid):
        with pytest.raises(ValueError, match="velocity of shape"):
            Phase(mu, jnp.zeros(7))
    with pytest.raises(ValueError, match=r"\(4, 2\), found \(4, 3\)"):
        Phase(cloud, jnp.zeros((4, 3)))
    with pytest.raises(TypeError, match="Particles, Gaussian or Grid, found Array"):
        Phase.at_rest(jnp.zeros(2))


def test_jit_vmap_grad_and_float32():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4, 2)), jnp.float32)
    energy = lambda x, v: Phase(Particles.from_samples(x), v).kinetic_energy
    gradient = jax.jit(jax.vmap(jax.grad(energy, 1)))(x, 2 * x)
    assert gradient.dtype == jnp.float32
    np.testing.assert_allclose(gradient, x / 2, rtol=1e-5)
