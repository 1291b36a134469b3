"""Interacting particles against closed forms and against conservation."""

import jax
import numpy as np
import pytest

from wflow.energies import Interaction, Polynomial, Potential, Power, Radial
from wflow.measures import Particles
from wflow.populations.simulators import swarm


KEY = jax.random.key(0)
# V = |x|^2 / 2 in one dimension.
BOWL = Potential(Polynomial(1, 2, [0.0, 0.5]))


@pytest.mark.slow
def test_newton_in_a_bowl_with_friction():
    found = swarm(
        KEY,
        n=40,
        snapshots=4,
        interval=0.5,
        step=0.01,
        energy=BOWL,
        friction=0.6,
        mean=[1.0],
        paired=True,
    )
    # x'' = -x - 0.6 x' from rest.
    omega = np.sqrt(1 - 0.09)
    t = np.asarray(found.times)[:, None]
    decay = np.exp(-0.3 * t)
    expected = decay * (np.cos(omega * t) + 0.3 / omega * np.sin(omega * t))
    x = np.stack(found.clouds)[..., 0]
    np.testing.assert_allclose(x, expected * x[0], atol=2e-5)


@pytest.mark.slow
def test_a_pair_force_leaves_the_mean_alone_and_conserves_energy():
    repulsion = Interaction(Radial(Power(-1.0, 2.0)))
    found = swarm(
        KEY,
        n=30,
        snapshots=3,
        step=0.01,
        energy=repulsion,
        friction=0.0,
        paired=True,
    )
    first, *rest = (
        repulsion.value(Particles.from_samples(x)) + np.mean(np.sum(v**2, 1)) / 2
        for x, v in zip(found.clouds, found.velocities, strict=True)
    )
    np.testing.assert_allclose(rest, first, rtol=1e-4)
    means = [x.mean(0) for x in found.clouds]
    np.testing.assert_allclose(means, [means[0]] * 3, atol=1e-10)


@pytest.mark.slow
def test_thermal_velocities_and_populations_of_their_own():
    found = swarm(
        KEY,
        n=2000,
        snapshots=3,
        interval=0.1,
        energy=BOWL,
        friction=2.0,
        temperature=0.25,
        mean=[0.0],
        spread=0.5,
    )
    # In equilibrium from the start: variance tau / k of positions, tau of velocities.
    # 4 standard errors of a variance from 2000 samples.
    tolerance = 4 * 0.25 * np.sqrt(2 / 2000)
    for x, v in zip(found.clouds, found.velocities, strict=True):
        np.testing.assert_allclose([x.var(), v.var()], 0.25, atol=tolerance)
    assert abs(np.corrcoef(found[0][:, 0], found[1][:, 0])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n": 1}, "n >= 2"),
        ({"interval": 0.0}, "interval > 0"),
        ({"temperature": -1.0}, "temperature >= 0"),
    ],
)
def test_numbers_out_of_range(wrong, words):
    with pytest.raises(ValueError, match=words):
        swarm(KEY, **wrong)
