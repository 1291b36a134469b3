"""Whether a width suffices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.saddle import width_for
from wflow.networks.saddle.cover import (
    covering_width,
    failure_bound,
    interpolation_probability,
    sample_cover,
)


def test_probability_by_hand():
    # One sample: a neuron of its sign, on, has chance 1/4.
    chance = interpolation_probability(3, 1, 0)
    assert float(chance) == pytest.approx(1 - 0.75**3, rel=1e-12)
    # One of each sign and two neurons: signs differ (1/2), both on (1/4).
    chance = interpolation_probability(2, 1, 1)
    assert float(chance) == pytest.approx(1 / 8, rel=1e-12)
    assert float(interpolation_probability(1, 1, 1)) == 0


def test_probability_against_draws():
    """Four settings within four standard errors of 4000 draws."""
    draws, m = 4000, 12

    def least_width(key, y):
        active, sign = sample_cover(key, m, 20)
        covers = active & (sign[:, None] == y)
        first = jnp.where(covers.any(axis=0), jnp.argmax(covers, axis=0) + 1, m + 1)
        return jnp.max(jnp.where(y == 0, 0, first))

    widths = jax.jit(jax.vmap(least_width, (0, None)))
    for seed, (positive, negative) in enumerate([(3, 3), (6, 0), (10, 10), (1, 19)]):
        k = jnp.arange(20)
        y = jnp.where(k < positive, 1, jnp.where(k < positive + negative, -1, 0))
        found = np.asarray(widths(jax.random.split(jax.random.key(seed), draws), y))
        for width in (8, 12):
            chance = float(interpolation_probability(width, positive, negative))
            error = (chance * (1 - chance) / draws) ** 0.5
            assert abs(np.mean(found <= width) - chance) < 4 * error


def test_union_bound_and_width():
    for n in (10, 100, 1000):
        m = width_for(n // 2, n // 2, 0.99)
        chance = lambda m, n=n: float(interpolation_probability(m, n // 2, n // 2))
        assert chance(m) >= 0.99 > chance(m - 1)
        assert 1 - chance(m) <= float(failure_bound(m, n))
        assert m <= np.ceil(np.log(n / 0.01) / np.log(4 / 3))
    # Half of them wants a width that grows like log n.
    halves = [width_for(n // 2, n // 2, 0.5) for n in (10, 100, 1000, 10000)]
    steps = np.diff(halves)
    assert (np.abs(steps - np.log(10) / np.log(4 / 3)) <= 2).all()


def test_covering_width_by_hand():
    """The first neurons that are on and of the sign of each sample."""
    active = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]], bool)
    sign = np.array([1, -1, 1, -1])
    assert float(covering_width(active, sign, [1.0, -2.0, 0.5])) == 2
    assert float(covering_width(active, sign, [-1.0, -2.0, 0.5])) == 4
    assert float(covering_width(active[:3], sign[:3], [-1.0, -2.0, 0.5])) == np.inf


def test_covering_width_has_the_law_of_the_formula():
    labels = jnp.array([1.0, 1.0, -1.0])
    least = jax.jit(
        jax.vmap(lambda key: covering_width(*sample_cover(key, 12, 3), labels))
    )(jax.random.split(jax.random.key(0), 2000))
    for m in (3, 6, 9, 12):
        chance = float(interpolation_probability(m, 2, 1))
        error = 4 * np.sqrt(chance * (1 - chance) / 2000)
        assert float(jnp.mean(least <= m)) == pytest.approx(chance, abs=error)


def test_probability_maps_and_differentiates():
    counts = jnp.arange(1, 5)
    mapped = jax.jit(jax.vmap(lambda k: interpolation_probability(6, k, 2)))(counts)
    direct = interpolation_probability(6, counts, jnp.full(4, 2))
    np.testing.assert_allclose(mapped, direct, rtol=1e-14)
    slope = jax.grad(lambda k: interpolation_probability(6, k, 2.0))
    h = 1e-6
    change = interpolation_probability(6, 3 + h, 2.0) - interpolation_probability(
        6, 3 - h, 2.0
    )
    assert float(slope(3.0)) == pytest.approx(float(change) / (2 * h), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interpolation_probability(0, 1, 1), "width >= 1, found 0"),
        (lambda: width_for(0, 0), "positive or negative samples"),
        (lambda: width_for(1, 1, 1.0), r"in \(0, 1\), found 1.0"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
