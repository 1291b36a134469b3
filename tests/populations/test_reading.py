"""Energies taken apart, against the functions that they were made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import (
    AttentionPotential,
    Entropy,
    GaussianClosure,
    GaussianProfile,
    Interaction,
    MLPPotential,
    PairPotential,
    Polynomial,
    Potential,
    Radial,
    RadialBumps,
)
from wflow.learning import Snapshots
from wflow.measures import Particles
from wflow.parameters import Learnable
from wflow.populations import coefficients, interaction_profile, landscape
from wflow.populations.reading import pair_distances, parts, reading_errors, temperature


KEY = jax.random.key(0)
BOWL = Potential(Polynomial(2, 2, Learnable([0, 0, 0.3, 0.2, 0.5], positive=False)))
REPULSION = Interaction(Radial(GaussianProfile(Learnable(2.0), 0.8)))
ENTROPY = Entropy(Learnable(0.25), GaussianClosure())
CLOUDS = [np.random.default_rng(k).normal(size=(30, 2)) for k in range(2)]
SNAPSHOTS = Snapshots([0.0, 1.0], CLOUDS)
DISTANCES = np.linspace(0.0, 2.5, 6)


@pytest.mark.slow
def test_parts_of_a_sum_and_of_a_scaled_one():
    attention = AttentionPotential(2, width=4, depth=1, key=KEY)
    found = parts(2.0 * (BOWL + REPULSION) + ENTROPY + attention)
    x = Particles.from_samples(CLOUDS[0])
    bare = parts(BOWL + REPULSION + ENTROPY)
    for name, factor in (("external", 2), ("pair", 2), ("entropy", 1)):
        one, other = (getattr(each, name).value(x) for each in (found, bare))
        np.testing.assert_allclose(one, factor * other, rtol=1e-12)
    assert found.rest is attention or isinstance(found.rest, AttentionPotential)
    assert bare.rest is None


def test_the_external_landscape_is_the_polynomial():
    external = parts(BOWL + REPULSION + ENTROPY).external
    points = CLOUDS[1]
    found = landscape(external, Particles.from_samples(CLOUDS[0]), points)
    a, b = points.T
    np.testing.assert_allclose(found, 0.3 * a**2 + 0.2 * a * b + 0.5 * b**2, rtol=1e-10)


def test_the_profile_is_that_of_the_pair():
    found = interaction_profile(BOWL + 1.5 * REPULSION + ENTROPY, DISTANCES)
    r2 = DISTANCES**2 + 1e-4
    expected = 3.0 * np.exp(-r2 / 1.28)
    np.testing.assert_allclose(found.potential, expected, rtol=1e-10)
    np.testing.assert_allclose(found.force, expected * DISTANCES / 0.64, atol=1e-10)
    assert interaction_profile(BOWL + ENTROPY, DISTANCES) is None


@pytest.mark.slow
def test_networks_are_read_alike():
    pair = PairPotential(width=4, depth=1, softening=0.1, key=KEY)
    mlp = MLPPotential(2, width=4, depth=1, key=KEY)
    found = interaction_profile(mlp + pair, DISTANCES)
    expected = jax.vmap(pair.profile)(jnp.asarray(DISTANCES))
    np.testing.assert_allclose(found.potential, expected, rtol=1e-10, atol=1e-12)
    assert parts(mlp + pair).external is not None
    assert coefficients(mlp + pair) == {}


def test_coefficients_by_name():
    found = coefficients(BOWL + REPULSION + 2.0 * ENTROPY)
    expected = {
        "temperature": 0.5,
        "external x1": 0.0,
        "external x2": 0.0,
        "external x1^2": 0.3,
        "external x1 x2": 0.2,
        "external x2^2": 0.5,
        "pair height": 2.0,
        "pair length": 0.8,
    }
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()))
    assert temperature(BOWL) is None
    assert "external x1 (2)" in coefficients(BOWL + BOWL)
    assert coefficients(Interaction(Radial(RadialBumps(3, 1.0)))) == {}


@pytest.mark.slow
def test_errors_of_the_forces():
    truth = BOWL + REPULSION
    exact = reading_errors(truth, truth, SNAPSHOTS)
    assert exact.external == 0 == exact.pair
    off = reading_errors(1.1 * BOWL + 0.8 * REPULSION, truth, SNAPSHOTS)
    np.testing.assert_allclose(off, [0.1, 0.2], rtol=1e-10)
    np.testing.assert_allclose(reading_errors(ENTROPY, truth, SNAPSHOTS), [1, 1])
    assert reading_errors(truth, ENTROPY, SNAPSHOTS) == (None, None)


def test_distances_are_of_different_points():
    found = pair_distances(SNAPSHOTS, count=101)
    assert len(found) == 102
    assert found.min() > 0
    every = np.linalg.norm(CLOUDS[0][:, None] - CLOUDS[0], axis=-1)
    assert np.isclose(found[:51, None], every.ravel(), rtol=1e-12).any(1).all()


def test_snapshots_of_single_points_have_no_distances():
    alone = Snapshots([0.0, 1.0], [np.zeros((1, 2)), np.ones((1, 2))])
    with pytest.raises(ValueError, match="two points"):
        pair_distances(alone)
