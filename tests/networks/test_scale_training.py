"""The language model and its training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.scale import (
    ByteTransformer,
    Recipe,
    ScaledLinear,
    decay_mask,
    train,
)
from wflow.networks.scale.corpus import Corpus, python_topics
from wflow.networks.scale.roles import roles
from wflow.networks.scale.training import windows
from wflow.networks.scale.transformer import _rotated, nats


KEY = jax.random.key(0)
SIZES = {"vocabulary": 7, "size": 8, "heads": 2, "layers": 1, "hidden": 6}


@pytest.mark.slow
def test_variants_start_as_one_function():
    counts = {}
    first = ByteTransformer(**SIZES, key=KEY)
    for scaling in ("none", "shared", "branch", "two-sided", "unified"):
        model = ByteTransformer(**SIZES, scaling=scaling, key=KEY)
        leaves = jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array))
        counts[scaling] = sum(leaf.size for leaf in leaves)
        np.testing.assert_array_equal(model.embedding, first.embedding)
        maps = lambda m: jax.tree.leaves(
            m, is_leaf=lambda part: isinstance(part, ScaledLinear)
        )
        for one, other in zip(maps(model)[1:], maps(first)[1:], strict=True):
            np.testing.assert_allclose(one.matrix(), other.weight, rtol=1e-14)
    # Every array has a role: embedding, head and four stacked matrices of the layer.
    found = set(jax.tree.leaves(roles(model)))
    assert found == {"matrix", "scale_in", "scale_out", "direction"}
    assert sum(jax.tree.leaves(decay_mask(model, ("matrix",)))) == 6
    # Added: three norms; each map behind one; all seven maps on both sides.
    d, hidden = 8, 6
    extra = {name: counts[name] - counts["none"] for name in counts}
    assert extra["shared"] == 3 * d
    assert extra["branch"] == (3 + 2 + 1) * d
    outputs = 5 * d + 2 * hidden
    assert extra["two-sided"] == (3 + 1 + 2) * d + hidden + outputs + d
    assert extra["unified"] == extra["two-sided"] + 7 + 7 + 1


@pytest.mark.slow
def test_the_model_is_causal():
    model = ByteTransformer(**SIZES, deviation=0.5, key=KEY)
    call = eqx.filter_jit(lambda tokens: model(tokens))
    tokens = jnp.array([1, 2, 3, 4, 5, 6])
    changed = call(tokens.at[4].set(0))
    np.testing.assert_allclose(changed[:4], call(tokens)[:4], atol=1e-12)
    assert jnp.abs(changed[4:] - call(tokens)[4:]).max() > 1e-3
    # The mean cross-entropy of its sequences, here by hand.
    logits = call(tokens[:-1])
    chances = jax.nn.softmax(logits)[jnp.arange(5), tokens[1:]]
    mean = eqx.filter_jit(nats)(model, tokens[None])
    np.testing.assert_allclose(mean, -jnp.log(chances).mean(), rtol=1e-10)


def test_positions_count_by_their_difference():
    pair = np.random.default_rng(0).normal(size=(2, 1, 4))
    rows = np.broadcast_to(pair, (6, 2, 1, 4))
    turn = jax.jit(_rotated)
    q, k = np.asarray(turn(rows[:, 0])), np.asarray(turn(rows[:, 1]))
    products = np.einsum("qhd,khd->qk", q, k)
    np.testing.assert_allclose(products[1:, 1:], products[:-1, :-1], atol=1e-12)
    assert np.ptp(products) > 0.1


def test_windows_cover_the_text_once():
    text = np.arange(23, dtype=np.uint8)
    cut = windows(text, 5)
    np.testing.assert_array_equal(cut[:, 1:].ravel(), np.arange(1, 21))
    np.testing.assert_array_equal(cut[1:, 0], cut[:-1, -1])


@pytest.mark.slow
def test_training_learns_a_periodic_text_and_repeats_itself():
    text = np.tile(np.array([0, 3, 1, 5, 2], np.uint8), 60)
    corpus = Corpus(text, text[:100], len(text), "")
    model = ByteTransformer(**SIZES, scaling="unified", key=KEY)
    mask = decay_mask(model)
    recipe = Recipe(steps=70, batch=8, context=10, every=30)
    done = train(model, corpus, mask, 3e-2, recipe, key=KEY)
    # Each byte tells the next.
    assert done.validation[-1] < 0.05 < done.losses[0]
    np.testing.assert_array_equal(done.steps, [0, 30, 60, 70])
    assert done.losses.shape == (70,)
    assert np.isfinite(done.losses).all()
    again = train(model, corpus, mask, 3e-2, recipe, key=KEY)
    np.testing.assert_array_equal(done.losses, again.losses)
    other = train(model, corpus, mask, 3e-2, recipe, key=jax.random.key(1))
    assert (done.losses != other.losses).any()
    with pytest.raises(FloatingPointError, match="a lower one may help"):
        train(model, corpus, mask, 1e200, recipe, key=KEY)


def test_text_of_python():
    text = python_topics()
    total = len(text.train) + len(text.validation)
    assert max(text.train.max(), text.validation.max()) < 128
    assert abs(len(text.validation) - 0.05 * total) <= 1
    assert total >= text.characters > 4e5
    assert len(text.sha256) == 64
