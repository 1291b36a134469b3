"""Geometries look at their parts, and nan stays nan."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.geometries import (
    Block,
    FisherRao,
    HellingerKantorovich,
    Riemannian,
    Sphere,
    Stein,
    Wasserstein,
)
from wflow.geometries.riemannian import conjugate_gradients
from wflow.geometries.wasserstein import per_mass
from wflow.kernels import GaussianKernel
from wflow.measures import Grid, Particles


CLOUD = Particles.from_samples(np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2]]))
ENERGY = Potential(lambda x: x @ x / 2)


def velocity(geometry, mu=CLOUD):
    return geometry.velocity(mu, ENERGY.differential(mu))[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Wasserstein(-1.0), "mobility >= 0"),
        (lambda: Wasserstein(np.nan), "mobility >= 0"),
        (lambda: Wasserstein([1.0, -1.0]), "mobility >= 0"),
        (
            lambda: Wasserstein([[1.0, 2.0], [2.0, 1.0]]),
            "mobility positive semidefinite",
        ),
        (lambda: Wasserstein([[1.0, 0.5], [0.0, 1.0]]), "mobility symmetric"),
        (lambda: Wasserstein(np.ones((2, 3))), "mobility to be a number"),
        (lambda: Wasserstein("fast"), "mobility"),
        (lambda: velocity(Wasserstein([1.0])), r"mobility .*\(2,\).*found \(1,\)"),
        (lambda: velocity(Wasserstein(np.eye(3))), r"mobility .*found \(3, 3\)"),
        (lambda: velocity(Wasserstein(lambda x: x[:1])), r"mobility .*found \(1,\)"),
        (
            lambda: velocity(Wasserstein([1.0, 2.0]), Grid(jnp.ones(4), 0, 1)),
            "mobility .*Grid of 1",
        ),
        (lambda: HellingerKantorovich(np.nan), "alpha >= 0"),
        (lambda: HellingerKantorovich(1.0, np.inf), "beta >= 0"),
        (lambda: HellingerKantorovich(1.0, [1.0, 2.0]), "beta to be one number"),
        (lambda: HellingerKantorovich(0, 0), "alpha or beta > 0"),
        (lambda: FisherRao("yes"), "conserve_mass True or False"),
        (lambda: Block(ENERGY, 1), "geometry to be a geometry, found Potential"),
        (lambda: Block(Wasserstein(), 1.5), "moving to be a whole number"),
        (lambda: Stein(ENERGY.potential(jnp.ones(2))), "kernel"),
        (lambda: Stein(GaussianKernel), "kernel"),
        (lambda: velocity(Stein(lambda x: 1.0)), "rule's kernel to be a kernel"),
        (lambda: Riemannian(np.eye(2)), "metric to be a function"),
        (lambda: Riemannian(lambda x: x, "cg"), "solver to be a linear solver"),
        (lambda: velocity(Riemannian(lambda x: x)), "metric"),
        (lambda: Sphere().point(1.0), "value of shape"),
        (lambda: Sphere().point(np.ones(2) * 1j), "value of real numbers"),
        (lambda: conjugate_gradients(int), "dtype to be one of floating"),
    ],
)
def test_refused_in_a_sentence(make, words):
    with pytest.raises((ValueError, TypeError), match=words) as refused:
        make()
    assert len(str(refused.value)) < 300


def test_mobilities_that_hold_some_coordinates_are_taken():
    still = np.diag([1.0, 0.0])
    for mobility in (still, [1.0, 0.0], lambda x: jnp.asarray(still)):
        np.testing.assert_allclose(
            velocity(Wasserstein(mobility)), -CLOUD.x @ still, rtol=1e-12
        )
    assert not velocity(Wasserstein(0.0)).any()


def test_a_weight_that_is_nan_is_no_weight_of_zero():
    rows = per_mass(jnp.ones((3, 2)), jnp.array([0.5, 0.0, jnp.nan]))
    np.testing.assert_array_equal(rows, [[2, 2], [0, 0], [np.nan, np.nan]])
