"""Functions with parameters that can be read: values, derivatives, and what is held."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import (
    Bumps,
    GaussianProfile,
    Interaction,
    Morse,
    Polynomial,
    Potential,
    Power,
    Radial,
    RadialBumps,
)
from wflow.learning.trained import split
from wflow.measures import Gaussian, Particles
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap


POINT = jnp.array([0.7, -1.3])
NAMES = "x1,x2,x1^2,x1 x2,x2^2,x1^3,x1^2 x2,x1 x2^2,x2^3"


@pytest.mark.slow
def test_a_polynomial_is_the_sum_of_its_monomials():
    c = np.random.default_rng(0).normal(size=9)
    cubic = Polynomial(2, 3, c)
    assert ",".join(cubic.names) == NAMES
    a, b = np.asarray(POINT)
    monomials = [a, b, a**2, a * b, b**2, a**3, a**2 * b, a * b**2, b**3]
    np.testing.assert_allclose(cubic(POINT), c @ monomials, rtol=1e-14)
    assert cubic.numbers["x1 x2"] == c[3]
    # The derivatives at the origin are the coefficients.
    zero = jnp.zeros(2)
    np.testing.assert_allclose(jax.grad(cubic)(zero), c[:2], rtol=1e-14)
    hessian = [[2 * c[2], c[3]], [c[3], 2 * c[4]]]
    np.testing.assert_allclose(jax.hessian(cubic)(zero), hessian, rtol=1e-14)


def test_a_quadratic_on_a_gaussian_is_its_second_moment():
    quadratic = Polynomial(2, 2, [0, 0, 0.5, 0.2, 1.5])
    law = Gaussian([1.0, -1.0], [[0.5, 0.1], [0.1, 0.3]])
    mean = np.asarray(law.mean)
    second = np.asarray(law.cov) + np.outer(mean, mean)
    expected = 0.5 * second[0, 0] + 0.2 * second[0, 1] + 1.5 * second[1, 1]
    np.testing.assert_allclose(Potential(quadratic).value(law), expected, rtol=1e-12)


def test_bumps_on_a_lattice():
    bumps = Bumps.lattice(2, -1.0, 1.0, 3)
    assert bumps.centers.shape == (9, 2)
    assert bumps.width == 1.0
    one = Bumps([[0.2, 0.1]], 0.5, [2.0])
    r2 = np.sum((np.asarray(POINT) - [0.2, 0.1]) ** 2)
    np.testing.assert_allclose(one(POINT), 2 * np.exp(-r2 / 0.5), rtol=1e-14)


@pytest.mark.slow
def test_radial_bumps_are_even_and_end_at_their_reach():
    profile = RadialBumps(5, 2.0, np.random.default_rng(1).normal(size=5))
    r = jnp.linspace(0, 3, 7)
    np.testing.assert_allclose(jax.vmap(profile)(r), jax.vmap(profile)(-r), rtol=1e-12)
    np.testing.assert_allclose(jax.grad(profile)(0.0), 0, atol=1e-12)
    assert abs(profile(jnp.array(5.0))) < 1e-6


@pytest.mark.parametrize(
    ("profile", "force"),
    [
        (GaussianProfile(2.0, 0.5), lambda r: 2.0 * r / 0.25 * np.exp(-(r**2) / 0.5)),
        (Power(3.0, 1.5), lambda r: -3.0 * r**0.5),
        (
            Morse(1.5, 0.4, 1.0),
            lambda r: (
                -2 * 1.5 / 0.4 * (1 - np.exp(-(r - 1) / 0.4)) * np.exp(-(r - 1) / 0.4)
            ),
        ),
    ],
)
def test_the_force_of_a_pair(profile, force):
    r = jnp.array([0.3, 1.0, 2.2])
    expected = force(np.asarray(r))
    np.testing.assert_allclose(-jax.vmap(jax.grad(profile))(r), expected, atol=1e-12)


@pytest.mark.slow
def test_a_softened_pair_does_not_push_where_particles_meet():
    energy = Interaction(Radial(Morse(), 0.1))
    together = Particles(np.zeros((2, 2)), np.zeros(2))
    np.testing.assert_array_equal(energy.differential(together).x, 0)
    # Two particles of mass one: the second is pushed along the line between them.
    apart = Particles(np.array([[0.0, 0.0], [0.6, 0.8]]), np.zeros(2))
    r = np.sqrt(1.01)
    force = -jax.grad(Morse())(r) / r
    found = -energy.differential(apart).x[1]
    np.testing.assert_allclose(found, force * apart.x[1], rtol=1e-10)


def test_coefficients_are_learned_and_the_rest_is_held():
    for function in (Polynomial(2, 2), Bumps.lattice(2, -1, 1, 2), RadialBumps(3, 1.0)):
        trained, _ = split(function)
        assert len(jax.tree.leaves(trained)) == 1
        assert isinstance(function.coefficients, Learnable)
        np.testing.assert_array_equal(unwrap(function).coefficients, 0)
    with pytest.raises(ValueError, match="nothing to train"):
        split(Radial(Morse()))
    learned = split(Radial(Morse(Learnable(1.0))))[0]
    assert len(jax.tree.leaves(learned)) == 1


def test_float32_stays_float32():
    for function in (Polynomial(2, 4), Bumps.lattice(2, -1, 1, 3)):
        single = jax.tree.map(lambda a: a.astype(jnp.float32), unwrap(function))
        assert single(POINT.astype(jnp.float32)).dtype == jnp.float32
    single = jax.tree.map(lambda a: a.astype(jnp.float32), unwrap(RadialBumps(3, 1.0)))
    assert single(jnp.float32(0.5)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Polynomial(0, 2), "dim >= 1, found 0"),
        (lambda: Polynomial(2, 2, [1.0]), r"shape \(5,\), found shape \(1,\)"),
        (lambda: Bumps.lattice(2, 1.0, 1.0, 3), "low < high"),
        (
            lambda: Bumps([[0.0, 0.0]], 1.0, [1.0, 2.0]),
            r"shape \(1,\), found shape \(2,\)",
        ),
        (lambda: RadialBumps(1, 2.0), "count >= 2, found 1"),
    ],
)
def test_what_does_not_fit_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
