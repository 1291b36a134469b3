"""Learned potentials: what they may depend on, and that they can be trained."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import AttentionPotential, MLPPotential, PairPotential
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles


KEY = jax.random.key(0)
N = 6
SIZES = {"width": 8, "depth": 2, "heads": 2, "feedforward": 6}


def cast(tree, dtype):
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, tree
    )


T = jnp.asarray(0.3)


@eqx.filter_jit
def force(energy, x, w, t=T):
    mu = Particles.from_samples(x, w)
    velocity, _ = Wasserstein().velocity(mu, energy.differential(mu, t))
    return velocity


@eqx.filter_jit
def differential(energy, x, w):
    return energy.differential(Particles.from_samples(x, w), T)


@pytest.fixture(scope="module")
def attention():
    return AttentionPotential(2, **SIZES, time_dim=3, key=KEY)


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(N, 2))), jnp.full(N, 1 / N)


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ({"width": 256, "depth": 4, "heads": 1, "feedforward": 64}, 1.19e6),
        ({"width": 64, "depth": 4, "heads": 4, "feedforward": 512}, 0.33e6),
    ],
)
def test_attention_has_the_size_of_the_reference(sizes, parameters):
    energy = eqx.filter_eval_shape(AttentionPotential, 2, **sizes, key=KEY)
    count = sum(leaf.size for leaf in jax.tree.leaves(energy))
    assert abs(count / parameters - 1) < 0.01


@pytest.mark.slow
def test_attention_is_the_transformer_written_out(attention, cloud):
    """Against numpy, loop by loop, with unequal weights."""
    x, w = np.asarray(cloud[0]), np.random.default_rng(1).dirichlet(np.ones(N))
    array = lambda leaf: np.asarray(leaf)
    linear = lambda layer, z: z @ array(layer.weight).T + array(layer.bias)

    def norm(layer, z):
        z = z - z.mean(-1, keepdims=True)
        z = z / np.sqrt((z**2).mean(-1, keepdims=True) + 1e-5)
        return z * array(layer.weight) + array(layer.bias)

    silu = lambda z: z / (1 + np.exp(-z))
    gelu = lambda z: z * (1 + np.vectorize(jax.scipy.special.erf)(z / 2**0.5)) / 2
    e = linear(attention.time.second, silu(linear(attention.time.first, np.ones(1))))
    h = linear(attention.embed, np.concatenate([x, np.tile(e, (N, 1))], 1))
    for block in attention.blocks:
        q, k, v = np.split(
            linear(block.projection, norm(block.norm_attention, h)), 3, -1
        )
        heads = []
        for part in np.split(np.arange(8), 2):
            scores = np.exp(q[:, part] @ k[:, part].T / 2) * w  # sqrt(8 / 2) = 2
            heads.append(scores / scores.sum(1, keepdims=True) @ v[:, part])
        h = h + linear(block.output, np.concatenate(heads, 1))
        hidden = gelu(linear(block.expand, norm(block.norm_feedforward, h)))
        h = h + linear(block.contract, hidden)
    expected = h @ array(attention.head.weight)[0] + array(attention.head.bias)[0]
    mu = Particles.from_samples(x, w)
    found = eqx.filter_jit(attention.per_particle)(mu.x, mu.w, 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(attention.value(mu, 1.0), w @ found, rtol=1e-12)


@eqx.filter_jit
@eqx.filter_value_and_grad
def loss_and_gradients(energy_and_x, w, target):
    energy, x = energy_and_x
    return jnp.sum((force(energy, x, w) - target) ** 2)


def learned():
    return {
        "attention": AttentionPotential(2, **SIZES, time_dim=3, key=KEY),
        "pair": PairPotential(width=8, depth=2, key=KEY),
        "mlp": MLPPotential(2, width=8, depth=2, time_dim=3, key=KEY),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", list(learned()))
def test_force_depends_on_the_empirical_measure_alone(name, cloud):
    energy, (x, w) = learned()[name], cloud
    found = force(energy, x, w)
    scale = np.abs(found).max()
    assert scale > 0
    # Permuted.
    order = np.random.default_rng(2).permutation(N)
    np.testing.assert_allclose(
        force(energy, x[order], w), found[order], atol=1e-12 * scale
    )
    # Every particle twice.
    twice = force(energy, jnp.tile(x, (2, 1)), jnp.full(2 * N, 0.5 / N))
    np.testing.assert_allclose(twice, jnp.tile(found, (2, 1)), atol=1e-12 * scale)
    # Padded by particles of weight zero, far away too.
    padded = force(energy, jnp.concatenate([x, 20 * x]), jnp.append(w, jnp.zeros(N)))
    np.testing.assert_allclose(padded[:N], found, atol=1e-12 * scale)
    np.testing.assert_array_equal(padded[N:], 0)


@pytest.mark.slow
def test_a_weightless_particle_with_a_huge_score_is_not_heard(attention, cloud):
    loud = eqx.tree_at(
        lambda e: [block.projection.weight for block in e.blocks],
        cast(attention, jnp.float32),
        replace_fn=lambda weight: 30 * weight,
    )
    x = jnp.concatenate([cloud[0], 40 * cloud[0]]).astype(jnp.float32)
    w = jnp.append(cloud[1], jnp.zeros(N)).astype(jnp.float32)
    quiet = x.at[N:].set(x[:N])
    found, expected = (differential(loud, points, w) for points in (x, quiet))
    assert np.isfinite(found.w).all()
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.w[:N], expected.w[:N], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(learned()))
def test_one_particle_and_coinciding_particles(name, cloud):
    energy, (x, w) = learned()[name], cloud
    assert np.isfinite(differential(energy, x[:1], w[:1]).x).all()
    together = x.at[1].set(x[0])

    found = force(energy, together, w)
    np.testing.assert_allclose(found[0], found[1], atol=1e-13)
    value, gradients = loss_and_gradients((energy, together), w, jnp.zeros((N, 2)))
    np.testing.assert_allclose(value, jnp.sum(found**2), rtol=1e-12)
    for leaf in jax.tree.leaves(gradients):
        assert np.isfinite(leaf).all()


@pytest.mark.slow
def test_time_matters_only_where_there_is_a_clock(attention, cloud):
    x, w = cloud
    mu = Particles.from_samples(x, w)
    for energy in (attention, learned()["mlp"]):
        now, later = (force(energy, x, w, jnp.asarray(t)) for t in (0.0, 1.0))
        assert np.abs(later - now).max() > 1e-4
    timeless = MLPPotential(2, width=8, depth=2, key=KEY)
    assert timeless.value(mu, 1.0) == timeless.value(mu, 0.0)
    law = Gaussian(np.zeros(2), np.eye(2))
    np.testing.assert_allclose(timeless.value(law), law.integrate(timeless.mlp))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(learned()))
def test_gradient_of_the_force_in_parameters_and_positions(name, cloud):
    energy, (x, w) = learned()[name], cloud
    rng, h = np.random.default_rng(3), 1e-5
    target = jnp.asarray(rng.normal(size=(N, 2)))
    _, gradient = loss_and_gradients((energy, x), w, target)
    arrays, rest = eqx.partition((energy, x), eqx.is_inexact_array)
    # The softening of a pair potential is not learned: its gradient is stopped.
    direction = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)) * (leaf.ndim > 0), arrays
    )
    ahead, behind = (
        loss_and_gradients(
            eqx.combine(jax.tree.map(lambda a, d: a + s * d, arrays, direction), rest),
            w,
            target,
        )[0]
        for s in (h, -h)
    )
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), gradient, direction)
    slope = sum(jax.tree.leaves(products))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), rtol=1e-6)
    if name == "pair":
        assert gradient[0].softening == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", list(learned()))
def test_float32_stays_float32_inside_and_maps(name, cloud):
    energy = cast(learned()[name], jnp.float32)
    x, w, t = (a.astype(jnp.float32) for a in (*cloud, T))
    many = eqx.filter_jit(jax.vmap(lambda x: force(energy, x, w, t)))
    both = jnp.stack([x, x + 1])
    # No array of float64, scalars of the program's text apart.
    assert not re.search(r"f64\[\d", str(jax.make_jaxpr(many)(both)))
    found = many(both)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(
        found[0], force(learned()[name], *cloud), rtol=1e-3, atol=1e-5
    )


def test_the_profile_of_a_pair_potential(cloud):
    energy = learned()["pair"]
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    mu = Particles.from_samples(x, [1.0, 2.0])
    near, far = energy.profile(0.0), energy.profile(5.0)
    np.testing.assert_allclose(energy.value(mu), (5 * near + 4 * far) / 2, rtol=1e-13)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads must divide width, found 3 heads"):
        AttentionPotential(2, width=8, heads=3, key=KEY)
