"""Pair energies that end at a cutoff: those of all pairs, from near ones alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Interaction, Radial
from wflow.energies.short_range import short_sum
from wflow.kernels.functions import pair_sum
from wflow.measures import Particles, nearest_image


# Sums of float64 in another order.
ROUNDING = 1e-12
RNG = np.random.default_rng(0)


def bump(r):
    return jnp.where(r < 0.3, (1 - r / 0.3) ** 2, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "period",
    [
        [None, None],
        # Six cells, and one that is its own neighbor.
        [2.0, 0.8],
        [1.0, np.inf, 0.95],
    ],
)
def test_near_pairs_give_the_sum_of_all(period):
    d = len(period)
    x = jnp.asarray(RNG.uniform(-0.6, 1.4, (80, d)))
    w = jnp.asarray(RNG.uniform(0.5, 1.5, 80))
    period = None if None in period else jnp.asarray(period)
    pair = Radial(bump, 0.01, cutoff=0.3)
    both = (0, 1)

    def all_pairs(x, w):
        image = lambda a, b: pair(a, nearest_image(a, b, period))
        return pair_sum(image, x, w, x, w) / 2

    value, slopes = jax.value_and_grad(all_pairs, both)(x, w)
    near = lambda x, w: short_sum(pair, x, w, period, True)
    found, found_slopes = jax.value_and_grad(near, both)(x, w)
    assert value > 0.51 * float(w @ w) * pair(x[0], x[0])
    np.testing.assert_allclose(found, value, rtol=ROUNDING)
    for one, other in zip(found_slopes, slopes, strict=True):
        np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING)


def test_a_pair_ends_at_its_cutoff():
    pair = Radial(lambda r: 1 / r, 0.0, cutoff=2.0)
    x, near, far = jnp.zeros(2), jnp.array([0.0, 1.9]), jnp.array([0.0, 2.1])
    assert pair(x, near) == pytest.approx(1 / 1.9)
    assert pair(x, far) == 0
    assert not jax.grad(pair, 1)(x, far).any()
    # No two ways for a cloud of which nobody is near anybody.
    x = 3.0 * jnp.arange(1600.0)[:, None]
    mu = Particles.from_samples(x)
    assert Interaction(pair, diagonal=False).value(mu) == 0


def test_more_neighbors_than_there_is_room_for_are_an_error():
    crowd = Particles.from_samples(jnp.asarray(RNG.uniform(size=(1600, 2))))
    few = Interaction(Radial(bump, 0.01, cutoff=0.6, neighbors=10))
    with pytest.raises(ValueError, match="no more than 10 neighbors"):
        few.value(crowd)
    # Of a force too, which does not look at the energy itself.
    force = eqx.filter_jit(lambda mu: few.differential(mu).x)
    with pytest.raises(eqx.EquinoxRuntimeError, match="no more than 10 neighbors"):
        force(crowd)
