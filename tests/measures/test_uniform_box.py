"""The uniform law on a box against its moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import UniformBox


BOX = UniformBox([-1.0, 2.0], [1.0, 7.0])


def test_its_density_is_one_over_the_volume():
    inside, outside = jnp.array([0.5, 6.0]), jnp.array([0.5, 7.5])
    np.testing.assert_allclose(BOX.log_density(inside), -np.log(10))
    assert BOX.log_density(outside) == -np.inf


def test_draws_have_its_moments():
    draws = np.asarray(BOX.sample(jax.random.key(0), 10_000))
    assert (draws >= BOX.low).all()
    assert (draws <= BOX.high).all()
    # Four standard errors; variances are a twelfth of the sides squared.
    deviations = np.array([2, 5]) / np.sqrt(12)
    assert (np.abs(draws.mean(0) - BOX.mean) < 4 * deviations / 100).all()
    np.testing.assert_allclose(draws.std(0), deviations, rtol=0.02)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ([0.0], [0.0], "low < high"),
        ([0.0], [1.0, 2.0], "high"),
        (0.0, 1.0, "low"),
        ([], [], "low < high"),
        ([0.0], [np.inf], "high finite"),
    ],
)
def test_other_boxes_are_refused(low, high, words):
    with pytest.raises(ValueError, match=f"UniformBox.*{words}"):
        UniformBox(low, high)
