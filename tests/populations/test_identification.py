"""Friction, potential, pair force, temperature: simulated truth read off a fit."""

import jax
import moments
import numpy as np
import pytest

from wflow.energies import (
    Entropy,
    GaussianClosure,
    GaussianProfile,
    Interaction,
    Polynomial,
    Potential,
    Radial,
    RadialBumps,
)
from wflow.flows import LagrangianFlow
from wflow.learning import (
    AdamW,
    CharacteristicDistance,
    FixedHorizon,
    Given,
    RandomHorizon,
    Rollouts,
    Zero,
    fit,
)
from wflow.parameters import Learnable
from wflow.populations import coefficients
from wflow.populations.reading import reading_errors, temperature
from wflow.populations.simulators import swarm


KEY = jax.random.key(3)
# Coefficients of x1, x2, x1^2, x1 x2, x2^2.
BOWL = [0.0, 0.0, 0.3, 0.2, 0.5]
START = [0.0, 0.0, 0.25, 0.0, 0.25]


def _bowl():
    return Potential(Polynomial(2, 2, Learnable(START, positive=False)))


def _fit(energy, snapshots, steps, **rollouts):
    flow = LagrangianFlow(energy, friction=Learnable(0.3))
    optimizer = AdamW(scalar_learning_rate=5e-2, scalar_b2=0.99, schedule="cosine")
    return fit(
        flow,
        snapshots,
        Rollouts(loss=CharacteristicDistance(), **rollouts),
        steps=steps,
        key=KEY,
        optimizer=optimizer,
        ema=0.97,
        progress=False,
    )


def test_moments_of_a_stationary_law_and_of_its_model():
    # k = 1 in both directions, temperature 0.3: the covariance stays 0.3.
    q = np.array([0.5, 0.0, 0.5, 0, 0, 0.8, 0.3, 0.0, 0.0, 0.3, 0.0, 0.3])
    times = 0.4 * np.arange(4)
    for law in (moments.langevin, moments.fluid):
        mean, cov = law(q, times)
        np.testing.assert_allclose(mean, 0, atol=1e-12)
        np.testing.assert_allclose(cov, [0.3 * np.eye(2)] * 4, atol=1e-12)


@pytest.mark.slow
def test_friction_potential_and_temperature_of_langevin_dynamics():
    n, times = 500, 0.4 * np.arange(13)
    snapshots = swarm(
        KEY,
        n=n,
        snapshots=13,
        energy=Potential(Polynomial(2, 2, BOWL)),
        friction=0.8,
        temperature=0.3,
        mean=[2.0, -1.5],
    )
    energy = _bowl() + Entropy(Learnable(0.1), GaussianClosure())
    fitted = _fit(
        energy, snapshots, 500, velocity=Zero(), horizon=RandomHorizon(ramp=0.3)
    )
    truth = np.array([0.3, 0.2, 0.5, 0, 0, 0.8, 0.3, 2.0, -1.5, 0.36, 0, 0.36])
    standard, bias = moments.errors(truth, times, n)
    named = coefficients(fitted.mechanics.energy)
    found = [named[f"external {name}"] for name in moments.NAMES[:5]]
    found += [fitted.friction, temperature(fitted.mechanics.energy)]
    # The loss is not the likelihood, and the start is itself a sample: twice the
    # standard error of the best estimate, and four of those.
    bound = np.abs(bias) + 4 * 2 * standard
    assert (np.abs(found - truth[:7]) < bound).all(), (found, standard, bias)
    # The bounds say something: friction and temperature are told from their starts.
    assert fitted.friction > 0.5
    assert named["temperature"] > 0.2


@pytest.mark.slow
def test_friction_potential_and_pair_force_of_a_swarm():
    repulsion = Interaction(Radial(GaussianProfile(2.0, 0.8)))
    truth = Potential(Polynomial(2, 2, BOWL)) + repulsion
    snapshots = swarm(KEY, n=80, snapshots=10, energy=truth, paired=True)
    energy = _bowl() + Interaction(Radial(RadialBumps(5, 3.0)))
    fitted = _fit(
        energy,
        snapshots,
        300,
        velocity=Given(),
        starts="any",
        horizon=FixedHorizon(3),
        velocity_scale=1.0,
    )
    # One swarm without noise: what is left is the error of the bumps, of the time
    # step, and of a training that ends.
    np.testing.assert_allclose(fitted.friction, 0.5, rtol=0.1)
    errors = reading_errors(fitted.mechanics.energy, truth, snapshots)
    assert errors.external < 0.15
    assert errors.pair < 0.25
