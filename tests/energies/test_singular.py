"""Interactions that are singular where points meet, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import (
    CoulombInteraction,
    Interaction,
    LogInteraction,
    Power,
    Radial,
    RieszInteraction,
)
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Grid, Particles
from wflow.parameters import Learnable
from wflow.solvers import solve


AREA = {1: 2.0, 2: 2 * np.pi, 3: 4 * np.pi, 4: 2 * np.pi**2}


def pair(distance, d):
    x = np.zeros((2, d))
    x[:, 0] = [-distance / 2, distance / 2]
    return Particles.from_samples(x)


def energies(d):
    """Energies and the force at a distance in d dimensions."""
    return [
        (LogInteraction(0.7), lambda r: 0.7 / r),
        (RieszInteraction(1.5, 0.7), lambda r: 0.7 * r**-2.5),
        (CoulombInteraction(-0.7), lambda r: -0.7 / (AREA[d] * r ** (d - 1))),
    ]


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_two_points_push_each_other_with_the_force_of_the_field(d):
    for energy, force in energies(d):
        for distance in (0.3, 2.0):
            # Each has half the mass, and so half the push.
            slopes = energy.differential(pair(distance, d)).x[:, 0]
            push = force(distance) / 4
            np.testing.assert_allclose(slopes, [push, -push], rtol=1e-12)
            np.testing.assert_array_equal(energy.differential(pair(1.0, d)).x[:, 1:], 0)


@pytest.mark.parametrize("d", [2, 3])
def test_coulomb_is_the_fundamental_solution(d):
    y = jnp.linspace(0.4, 1.1, d)

    def potential(x):
        mu = Particles(jnp.stack([x, jnp.zeros(d)]), jnp.zeros(2))
        return CoulombInteraction().value(mu)

    np.testing.assert_allclose(
        jnp.trace(jax.jit(jax.hessian(potential))(y)), 0, atol=1e-12
    )


@pytest.mark.slow
def test_two_points_that_repel_by_a_logarithm():
    flow = GradientFlow(LogInteraction(), Wasserstein())
    end = solve(flow, pair(2.0, 1), 0.0, 1.0)[-1].x[:, 0]
    np.testing.assert_allclose(end, [-np.sqrt(1.5), np.sqrt(1.5)], rtol=1e-6)


@pytest.mark.slow
def test_the_diagonal_of_a_smooth_interaction():
    x = np.random.default_rng(0).normal(size=(6, 2))
    mu = Particles.from_samples(x, np.arange(1.0, 7.0))

    def smooth(x, y):
        return jnp.exp(-jnp.sum((x - y) ** 2))

    whole, apart = Interaction(smooth), Interaction(smooth, diagonal=False)
    np.testing.assert_allclose(
        whole.value(mu) - apart.value(mu), jnp.sum(mu.w**2) / 2, rtol=1e-12
    )
    np.testing.assert_allclose(
        whole.differential(mu).x, apart.differential(mu).x, atol=1e-14
    )


def test_a_diagonal_that_is_not_finite_is_named_in_compiled_code_too():
    mu = pair(1.0, 2)
    singular = Interaction(lambda x, y: -jnp.log(jnp.linalg.norm(x - y)))
    for call in (singular.value, jax.jit(lambda t: singular.differential(mu, t))):
        with pytest.raises(ValueError, match=r"itself; diagonal=False"):
            call(mu if call == singular.value else 0.0)
    softened = Interaction(Radial(Power(exponent=-1.0), softening=0.1))
    assert jnp.isfinite(softened.value(mu))
    # Without softening it needs the option, and is then that of Riesz.
    hard = Interaction(Radial(Power(1.0, -1.0), softening=0.0), diagonal=False)
    np.testing.assert_allclose(hard.value(mu), -RieszInteraction(1.0).value(mu))
    slopes = hard.differential(mu).x
    np.testing.assert_allclose(slopes, -RieszInteraction(1.0).differential(mu).x)


def test_a_function_that_is_nowhere_defined_shows_as_it_is():
    lost = Interaction(lambda x, y: jnp.log(-1 - jnp.sum((x - y) ** 2)))
    assert jnp.isnan(lost.value(pair(1.0, 2)))


def test_measures_and_numbers():
    grid = Grid(jnp.ones(4), 0.0, 1.0)
    assert jnp.isfinite(LogInteraction().value(grid))
    assert LogInteraction().value(Particles.from_samples(np.ones((1, 2)))) == 0
    with pytest.raises(TypeError, match="does not act on Gaussian"):
        LogInteraction().value(Gaussian([0.0], [[1.0]]))
    assert CoulombInteraction(Learnable(2.0)).strength.value == pytest.approx(2.0)
    for make in (
        LogInteraction,
        CoulombInteraction,
        lambda s: RieszInteraction(1.0, s),
    ):
        for strength in (np.nan, [1.0, 2.0], "strong"):
            with pytest.raises((ValueError, TypeError), match="strength"):
                make(strength)
    for exponent in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="exponent > 0"):
            RieszInteraction(exponent)
