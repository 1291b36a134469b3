"""Weight normalization, the baseline of scale vectors: its flow, roles and folding."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wflow.networks.scale import ByteTransformer, ScaledLinear, decay_mask, fold_scales
from wflow.networks.scale.roles import roles
from wflow.networks.scale.scales import MagnitudeDirection


KEY = jax.random.key(0)
SIZES = {"vocabulary": 7, "size": 8, "heads": 2, "layers": 1, "hidden": 6}


def layer(seed=0):
    """Magnitudes and directions off their start, where |v| = g."""
    rng = np.random.default_rng(seed)
    normed = eqx.nn.WeightNorm(ScaledLinear.of(rng.normal(size=(3, 4))))
    return eqx.tree_at(lambda n: n.g, normed, jnp.asarray(rng.normal(size=(3, 1))))


def matrix(normed):
    v = normed.layer.weight
    return normed.g * v / jnp.linalg.norm(v, axis=1, keepdims=True)


def gradients(normed, seed=1):
    """Of a loss of the effective matrix, in it and in the parameters."""
    aim = np.random.default_rng(seed).normal(size=(3, 4))
    loss = lambda m: jnp.sum((m - aim) ** 4) / 4
    slope = jax.grad(loss)(matrix(normed))
    return slope, eqx.filter_grad(lambda n: loss(matrix(n)))(normed)


@pytest.mark.slow
def test_its_flow_is_that_of_magnitude_and_direction_in_each_row():
    r"""dM_i/dt = -[n n^T + (g_i^2/|v_i|^2)(I - n n^T)] G_i, and |v_i| stays.

    Rounding only: both sides are one product of derivatives.
    """
    normed = layer()
    slope, grads = gradients(normed)
    moving = eqx.filter(normed, eqx.is_inexact_array)
    velocity = jax.tree.map(lambda g: -g, eqx.filter(grads, eqx.is_inexact_array))
    rest = eqx.filter(normed, eqx.is_inexact_array, inverse=True)
    _, moved = jax.jvp(lambda m: matrix(eqx.combine(m, rest)), (moving,), (velocity,))
    v = normed.layer.weight
    np.testing.assert_allclose(
        jnp.sum(v * velocity.layer.weight, axis=1), 0, atol=1e-12
    )
    squares = jnp.sum(v**2, axis=1, keepdims=True)
    n = v / jnp.sqrt(squares)
    along = n * jnp.sum(n * slope, axis=1, keepdims=True)
    expected = -(along + normed.g**2 / squares * (slope - along))
    np.testing.assert_allclose(moved, expected, rtol=1e-10, atol=1e-12)
    # Each row is a scale vector in its unit form.
    row = MagnitudeDirection(normed.g[1, 0], v[1], unit=True)
    np.testing.assert_allclose(row.vector, matrix(normed)[1], rtol=1e-12)


def test_steps_lengthen_the_directions():
    """|v|^2 grows by |step|^2, exactly: steps are orthogonal to v."""
    normed = layer()
    _, grads = gradients(normed)
    optimizer = optax.sgd(0.1)
    params = eqx.filter(normed, eqx.is_inexact_array)
    updates, _ = optimizer.update(
        eqx.filter(grads, eqx.is_inexact_array), optimizer.init(params)
    )
    after = eqx.apply_updates(normed, updates)
    lengths = lambda n: jnp.sum(n.layer.weight**2, axis=1)
    grown = jnp.sum(updates.layer.weight**2, axis=1)
    np.testing.assert_allclose(lengths(after), lengths(normed) + grown, rtol=1e-12)


def test_calls_maps_and_folds():
    x = np.random.default_rng(2).normal(size=(5, 4))
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-5)):
        normed = jax.tree.map(
            lambda leaf, dtype=dtype: (
                leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf
            ),
            layer(),
        )
        rows = x.astype(dtype)
        found = eqx.filter_jit(eqx.filter_vmap(normed))(rows)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, rows @ matrix(normed).T, rtol=rtol, atol=rtol)
        plain = fold_scales({"map": normed})["map"]
        assert isinstance(plain, ScaledLinear)
        np.testing.assert_allclose(
            jax.vmap(plain)(rows), found, rtol=10 * rtol, atol=10 * rtol
        )


def test_roles():
    """Magnitudes are decayed as the matrix whose rows they measure; v never is."""
    normed = layer()
    found = roles(normed)
    assert (found.g, found.layer.weight) == ("matrix", "direction")
    mask = decay_mask(normed)
    assert mask.g
    assert not mask.layer.weight
    # A bias inside keeps its role, and so does a layer of Equinox.
    linear = roles(eqx.nn.WeightNorm(eqx.nn.Linear(3, 2, key=KEY)))
    assert (linear.layer.weight, linear.layer.bias) == ("direction", "bias")


@pytest.mark.slow
def test_the_transformer_starts_as_the_plain_one():
    plain = ByteTransformer(**SIZES, key=KEY)
    normed = ByteTransformer(**SIZES, scaling="weight-norm", key=KEY)
    tokens = jnp.array([1, 2, 3, 4])
    call = eqx.filter_jit(lambda model, tokens: model(tokens))
    np.testing.assert_allclose(call(normed, tokens), call(plain, tokens), atol=1e-12)
    # One number for every row: of q, k, v, o, gate, up, down and the head.
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(m, eqx.is_inexact_array)))
        for m in (normed, plain)
    ]
    assert sizes[0] - sizes[1] == 3 * 8 + 8 + 2 * 6 + 8 + 7
    # The embedding and the magnitudes of the five stacked maps.
    assert sum(jax.tree.leaves(decay_mask(normed))) == 6
    folded = fold_scales(normed)
    np.testing.assert_allclose(call(folded, tokens), call(plain, tokens), atol=1e-12)
