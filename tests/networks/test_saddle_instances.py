"""Random labels, products of random inputs, and draws whose jumps are clear."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.saddle.instances import draw_instances, random_gram, random_labels


KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def drawn():
    return draw_instances(KEY, 3, 5, 4, sizes=(0.8, 1.2), least_gap=0.2, tries=8)


def test_labels_have_sizes_and_fair_signs():
    labels = np.asarray(random_labels(KEY, 4000, (2.0, 3.0)))
    assert np.all((np.abs(labels) >= 2) & (np.abs(labels) <= 3))
    # Four standard errors of a mean of signs, and of uniform sizes.
    assert abs(np.sign(labels).mean()) < 4 / 4000**0.5
    assert abs(np.abs(labels).mean() - 2.5) < 4 / (12 * 4000) ** 0.5


@pytest.mark.slow
def test_instances_lead_and_keep_their_units_at_every_scale(drawn):
    instances, tried = drawn
    assert len(instances) == 3 <= tried <= 8
    for instance in instances:
        assert instance.width == 4
        assert instance.data.n == 5
        assert np.all(instance.limit.gap >= 0.2)
        assert np.all(np.abs(instance.data.y) <= 1.2)
        near, far = instance.neurons(-1.0), instance.neurons(-1000.0)
        np.testing.assert_array_equal(near.active, far.active)
        np.testing.assert_allclose(far.level, near.level - 999, rtol=1e-12)


@pytest.mark.slow
def test_a_neuron_alone_has_all_that_it_could_fit(drawn):
    """The first one does have it; a later one may find that others were there."""
    for instance in drawn[0]:
        limit, alone = instance.limit, np.asarray(instance.alone)
        real = np.asarray(limit.neuron) >= 0
        assert alone[0] == pytest.approx(float(limit.tau[0]), rel=1e-12)
        assert np.all(alone[real] <= np.asarray(limit.tau)[real] * (1 + 1e-12))
        q = int(np.flatnonzero(real)[-1])
        j, y = int(limit.neuron[q]), np.asarray(instance.data.y)
        own = np.asarray(instance.neurons(-1.0).active)[j] & (limit.sign[j] * y > 0)
        assert alone[q] == pytest.approx(5 / np.sqrt(np.sum(y[own] ** 2)), rel=1e-12)


@pytest.mark.slow
def test_first_half_is_of_first_order(drawn):
    instance = drawn[0][0]
    off = [
        float(instance.first_half(scale)) - float(instance.limit.tau[0])
        for scale in (-100.0, -1000.0)
    ]
    assert off[0] / off[1] == pytest.approx(10, rel=1e-6)


def test_products_of_random_inputs():
    gram = np.asarray(random_gram(KEY, 30, 400))
    np.testing.assert_array_equal(np.diag(gram), 1)
    np.testing.assert_array_equal(gram, gram.T)
    beside = gram[~np.eye(30, dtype=bool)]
    # A squared cosine has the mean 1/d and the variance of about 2/d^2; 435 pairs.
    assert np.mean(beside**2) == pytest.approx(1 / 400, rel=4 * (2 / 435) ** 0.5)
    scaled = np.asarray(random_gram(KEY, 30, 400, 1e-20))[~np.eye(30, dtype=bool)]
    assert np.sqrt(np.mean(scaled**2)) == pytest.approx(1e-20, rel=1e-12)
    np.testing.assert_allclose(scaled / scaled[0], beside / beside[0], rtol=1e-12)


def test_draws_map():
    keys = jax.random.split(KEY, 3)
    labels = jax.jit(jax.vmap(lambda key: random_labels(key, 4)))(keys)
    grams = jax.jit(jax.vmap(lambda key: random_gram(key, 2, 3, 0.1)))(keys)
    np.testing.assert_array_equal(labels[1], random_labels(keys[1], 4))
    np.testing.assert_allclose(jnp.abs(grams[:, 0, 1]), 0.1, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_labels(KEY, 2, (2.0, 1.0)), "in order, found 2 and 1"),
        (lambda: random_labels(KEY, 2, (0.0, 1.0)), "sizes > 0"),
        (lambda: random_gram(KEY, 3, 2), "dim >= 3, found 2"),
        (
            lambda: draw_instances(KEY, 9, 5, 4, sizes=(0.8, 1.2), tries=8),
            r"of 8 draws have jumps that lead by least_gap = 0.1; expected at least 9",
        ),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
