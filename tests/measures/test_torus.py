"""Places that come round again, and masses of any sign."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Grid, Particles, Phase, nearest_image
from wflow.measures.resampling import resampled


PERIOD = np.array([2.0, np.inf])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_image(dtype):
    x, y = (
        np.array(rows, dtype)
        for rows in (
            [[0.9, 5.0], [7.1, 0.0], [0.2, 1.0]],
            [[-0.9, -5.0], [0.0, 9.0], [0.2, 1.0]],
        )
    )
    at = jax.jit(jax.value_and_grad(lambda x: jnp.sum((x - image(x)) ** 2) / 2))

    def image(x):
        found = nearest_image(x, y, PERIOD)
        assert found.dtype == dtype
        return found

    value, gradient = at(x)
    apart = np.array([[-0.2, 10.0], [-0.9, -9.0], [0.0, 0.0]])
    np.testing.assert_allclose(gradient, apart, atol=30 * np.finfo(dtype).eps)
    np.testing.assert_allclose(value, (apart**2).sum() / 2, rtol=1e-6)
    np.testing.assert_array_equal(nearest_image(x, y, None), y)
    # Half a turn away both ways are shortest, and they agree on which.
    a, b = np.zeros((1, 2), dtype), np.ones((1, 2), dtype)
    np.testing.assert_array_equal(
        a - nearest_image(a, b, PERIOD), -(b - nearest_image(b, a, PERIOD))
    )


def test_a_length_is_differentiated_and_mapped_over():
    x, y = jnp.array([[0.1]]), jnp.array([[2.8]])

    def squared(period):
        return jnp.sum((x - nearest_image(x, y, period)) ** 2)

    # The displacement is 0.1 + p - 2.8.
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(squared)))(jnp.array([3.0, 2.5]))
    np.testing.assert_allclose(value, [0.09, 0.04], rtol=1e-12)
    np.testing.assert_allclose(slope, [0.6, -0.4], rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Particles([[0.0]], [0.0], 0.0), "Particles: expected period > 0"),
        (lambda: Particles([[0.0]], [0.0], np.nan), "period > 0, found nan"),
        (lambda: Particles.from_samples([[0.0]], period=-1.0), "period > 0"),
        (lambda: Particles([[0.0]], [0.0], [1.0, 1.0]), r"period .*\(1,\).*\(2,\)"),
        (lambda: Particles([[0.0]], [0.0], signed=[1.0, 1.0]), "signed of shape"),
        (lambda: nearest_image([0.0], [0.0, 1.0], 1.0), "one dimension d"),
        (lambda: nearest_image([0.0], [0.0], [1.0, 1.0]), "nearest_image: .* period"),
    ],
)
def test_what_is_no_period_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_period_is_held_and_moments_are_refused():
    mu = Particles.from_samples([[0.0, 1.0], [1.0, 0.0]], [1.0, 3.0], period=PERIOD)
    moved = mu.with_state((mu.x + 1, mu.logw))
    np.testing.assert_array_equal(moved.period, PERIOD)
    np.testing.assert_array_equal(mu.normalized().period, PERIOD)
    np.testing.assert_array_equal(Phase.at_rest(mu).measure.period, PERIOD)
    assert len(jax.tree.leaves(mu.state)) == 2
    for name in ("mean", "cov"):
        with pytest.raises(ValueError, match=f"Particles.{name}: .* without period"):
            getattr(mu, name)
    np.testing.assert_allclose(mu.integrate(lambda x: x), [3, 1], rtol=1e-12)


def test_period_of_a_grid():
    density = np.ones((2, 3))
    grid = Grid(density, [0.0, -1.0], [2.0, 5.0], ("periodic", "no-flux"))
    np.testing.assert_array_equal(grid.period, [2.0, np.inf])
    assert Grid(density, 0.0, 1.0).period is None


def test_masses_of_any_sign():
    signed = np.array([0.7, -0.2, 0.4])
    x = np.arange(3.0)[:, None]
    mu = Particles(x, np.full(3, -np.inf), signed=signed)
    np.testing.assert_allclose(mu.w, signed, rtol=1e-15)
    np.testing.assert_allclose([mu.mass, mu.log_mass], [0.9, np.log(0.9)], rtol=1e-14)
    np.testing.assert_allclose(mu.mean, [signed @ x[:, 0] / 0.9], rtol=1e-14)
    np.testing.assert_allclose(mu.normalized().w, signed / 0.9, rtol=1e-13)
    both = Particles(x, np.zeros(3), signed=signed)
    np.testing.assert_allclose(both.log_mass, np.log(3.9), rtol=1e-14)
    # The differential is taken where the measure is, signed masses and all.
    value, differential = mu.differential(lambda nu: nu.mass**2)
    np.testing.assert_allclose(value, 0.81, rtol=1e-14)
    np.testing.assert_allclose(differential.w, np.full(3, 1.8), rtol=1e-14)
    key = jax.random.key(0)
    for draw in (lambda: mu.sample(key, 2), lambda: resampled(key, both)):
        with pytest.raises(ValueError, match="without signed masses"):
            draw()
