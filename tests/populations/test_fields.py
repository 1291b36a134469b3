"""Landscape, force and velocity in space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import AttentionPotential, Interaction, Potential
from wflow.flows.kinetic import particle_force
from wflow.learning import Snapshots
from wflow.measures import Particles
from wflow.populations import force_field, landscape, velocity_field
from wflow.populations.fields import lattice


rng = np.random.default_rng(0)
CLOUD = Particles.from_samples(rng.normal(size=(8, 2)), rng.uniform(0.05, 0.2, size=8))
POINTS = rng.normal(size=(5, 2))


@pytest.mark.slow
def test_closed_forms():
    energy = Potential(lambda x: jnp.sum(x**2)) + Interaction(
        lambda x, y: 0.5 * jnp.sum((x - y) ** 2)
    )
    w, x = np.asarray(CLOUD.w), np.asarray(CLOUD.x)
    pulled = POINTS[:, None] - x
    expected = (POINTS**2).sum(1) + 0.5 * (pulled**2).sum(-1) @ w
    np.testing.assert_allclose(landscape(energy, CLOUD, POINTS), expected, rtol=1e-12)
    force = -2 * POINTS - np.einsum("ijd,j->id", pulled, w)
    np.testing.assert_allclose(force_field(energy, CLOUD, POINTS), force, rtol=1e-12)


@pytest.mark.slow
def test_force_at_particles_is_theirs():
    energy = AttentionPotential(
        2, width=4, depth=1, feedforward=4, time_dim=2, key=jax.random.key(0)
    )
    found = force_field(energy, CLOUD, CLOUD.x, 0.7)
    expected = particle_force(energy, CLOUD, 0.7)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_velocity_field():
    v = rng.normal(size=(8, 2))
    found = velocity_field(CLOUD, v, POINTS, bandwidth=0.5)
    k = np.exp(-((POINTS[:, None] - np.asarray(CLOUD.x)) ** 2).sum(-1) / 0.5)
    k *= np.asarray(CLOUD.w)
    np.testing.assert_allclose(found, k @ v / k.sum(1, keepdims=True), rtol=1e-10)
    far = velocity_field(CLOUD, v, [[1e3, 0.0]])
    np.testing.assert_allclose(far[0], v[np.argmax(CLOUD.x[:, 0])])


def test_lattice():
    snapshots = Snapshots([0, 1], [np.array([[0.0, 1], [2, 1]]), np.array([[1.0, 5]])])
    axes, points = lattice(snapshots, size=3, margin=0.25)
    np.testing.assert_allclose(axes[0], [-0.5, 1.0, 2.5])
    np.testing.assert_allclose(axes[1], [0.0, 3.0, 6.0])
    np.testing.assert_allclose(points.reshape(3, 3, 2)[:, 0, 0], axes[0])
    np.testing.assert_allclose(points.reshape(3, 3, 2)[0, :, 1], axes[1])
    with pytest.raises(ValueError, match="size >= 2"):
        lattice(snapshots, size=1)
    with pytest.raises(ValueError, match="at most 3 dimensions, found 4"):
        lattice(Snapshots([0], [np.ones((2, 4))]))
