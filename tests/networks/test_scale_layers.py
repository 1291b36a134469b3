"""Layers with scales: folding, roles and masks, discrete steps, wrong input."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.networks.scale import (
    ByteTransformer,
    Recipe,
    RMSNorm,
    ScaledLinear,
    ScaleVector,
    decay_mask,
    fold_scales,
    train,
)
from wflow.networks.scale.analysis import (
    dead_channels,
    imbalance,
    invariant_drift,
    invariants,
    scale_report,
    sharpness,
)
from wflow.networks.scale.blocks import ResidualBlock
from wflow.networks.scale.corpus import Corpus, python_topics
from wflow.networks.scale.energies import Decay, EffectiveLoss, LinearRegression
from wflow.networks.scale.rates import RoleRates, scale_by_role
from wflow.networks.scale.roles import roles
from wflow.networks.scale.scales import DirectScale, MagnitudeDirection


KEY = jax.random.key(0)


def shaken(model, by=0.2):
    """All arrays off their symmetric start; by NumPy, which compiles nothing."""
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: (
            jnp.asarray(leaf + by * rng.normal(size=leaf.shape).astype(leaf.dtype))
            if eqx.is_inexact_array_like(leaf)
            else leaf
        ),
        jax.tree.map(
            lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, model
        ),
    )


@pytest.mark.parametrize("reparam", ["direct", "magdir", "magdir-unit"])
def test_folding_keeps_the_outputs(reparam):
    # Oracle 10: in float32, every placement and mode of branches.
    x = np.random.default_rng(0).normal(size=6).astype(np.float32)
    for scale in ("none", "in", "out", "two-sided"):
        for branches, share in ((("y",), False), ({"q": 4, "k": 2}, True)):
            layer = shaken(
                ScaledLinear(
                    6,
                    6,
                    scale=scale,
                    branches=branches,
                    share=share,
                    reparam=reparam,
                    use_bias=True,
                    dtype=jnp.float32,
                    key=KEY,
                )
            )
            folded = layer.fold()
            assert folded.scales_in is None
            assert folded.scales_out is None
            outputs, plain = layer(x), folded(x)
            for a, b in zip(*map(jax.tree.leaves, (outputs, plain)), strict=True):
                assert a.dtype == jnp.float32
                np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    assert isinstance(outputs, tuple)
    assert [part.shape for part in outputs] == [(4,), (2,)]


def test_a_layer_is_its_formula():
    rng = np.random.default_rng(0)
    w, g, r, x = (
        rng.normal(size=(3, 4)),
        *map(rng.normal, (0, 0, 0), (1, 1, 1), (4, 3, 4)),
    )
    layer = ScaledLinear.of(w, [DirectScale(g)], [DirectScale(r, "scale_out")], r)
    np.testing.assert_allclose(layer(x), r * (w @ (g * x)) + r)
    np.testing.assert_allclose(layer.effective()["y"], r[:, None] * w * g)
    branches = {"a": w[:1], "b": w[1:]}
    layer = ScaledLinear.of(branches, [DirectScale(g), DirectScale(2 * g)])
    first, second = layer(x)
    np.testing.assert_allclose(first, w[:1] @ (g * x))
    np.testing.assert_allclose(second, w[1:] @ (2 * g * x))
    assert not layer.shared
    assert ScaledLinear.of(branches, [DirectScale(g)]).shared


def test_scales_start_at_one_and_weights_do_not_depend_on_them():
    plain = ScaledLinear(4, 6, scale="none", branches=("a", "b"), key=KEY)
    for reparam in ("direct", "magdir", "magdir-unit"):
        layer = ScaledLinear(
            4, 6, scale="two-sided", branches=("a", "b"), reparam=reparam, key=KEY
        )
        np.testing.assert_allclose(layer.matrix(), plain.weight, rtol=1e-14)


def test_rms_norm():
    x = jnp.array([3.0, -4.0])
    norm = RMSNorm(2)
    np.testing.assert_allclose(norm(x), x / np.sqrt(12.5 + 1e-6))
    # Of any length but the smallest, which eps keeps from division by zero.
    np.testing.assert_allclose(norm(1e8 * x), x / np.sqrt(12.5), rtol=1e-12)
    assert (norm(0 * x) == 0).all()
    assert jnp.isfinite(jax.jit(jax.jacobian(norm))(0 * x)).all()
    scaled = RMSNorm(2, "output", reparam="magdir")
    np.testing.assert_allclose(scaled(x), norm(x))


class Net(eqx.Module):
    """Every role in one model."""

    embedding: eqx.nn.Embedding
    before: RMSNorm
    linear: ScaledLinear
    after: RMSNorm
    plain: eqx.nn.Linear
    activation: object = jax.nn.silu
    count: int = 3


def net(reparam="direct"):
    return Net(
        eqx.nn.Embedding(5, 4, key=KEY),
        RMSNorm(4, "input"),
        ScaledLinear(4, 4, scale="two-sided", reparam=reparam, use_bias=True, key=KEY),
        RMSNorm(4, "output", reparam=reparam),
        eqx.nn.Linear(4, 4, key=KEY),
    )


def test_roles_are_declared_by_modules():
    found = roles(net("magdir"))
    assert found.embedding.weight == found.plain.weight == "matrix"
    assert found.plain.bias == found.linear.bias == "bias"
    assert found.before.scale.vector == "scale_in"
    [inner], [outer] = found.linear.scales_in, found.linear.scales_out
    assert (inner.magnitude, inner.direction) == ("scale_in", "direction")
    assert (outer.magnitude, outer.direction) == ("scale_out", "direction")
    assert found.after.scale.magnitude == "scale_output_norm"
    assert found.after.scale.direction == "direction"
    assert found.activation is None


def test_mask_decays_what_can_be_absorbed():
    model = net()
    mask = decay_mask(model)
    assert mask.linear.weight
    assert mask.embedding.weight
    assert mask.before.scale.vector
    assert not mask.after.scale.vector
    assert not mask.linear.bias
    # A linear map follows the last norm? Then it is an Input-Norm, if one says so.
    changed = decay_mask(model, role_overrides={"scale_in": lambda m: m.after})
    assert changed.after.scale.vector
    # The decay of optax reaches the masked arrays and no others.
    params = eqx.filter(model, eqx.is_inexact_array)
    rule = optax.add_decayed_weights(0.5, mask)
    updates, _ = rule.update(
        jax.tree.map(jnp.zeros_like, params), rule.init(params), params
    )
    for at in (lambda m: m.linear.weight, lambda m: m.before.scale.vector):
        np.testing.assert_allclose(at(updates), 0.5 * at(model))
    for at in (lambda m: m.after.scale.vector, lambda m: m.plain.bias):
        assert (at(updates) == 0).all()


def test_an_array_of_no_role_is_not_silently_decayed():
    with pytest.raises(ValueError, match=r"\.weight is.*role_overrides"):
        decay_mask({"norm": eqx.nn.LayerNorm(3)})
    with pytest.raises(ValueError, match=r"what the array model\['w'\] is"):
        decay_mask({"w": jnp.ones(3)})
    both = {"bias": lambda m: m["norm"]}
    assert not decay_mask({"norm": eqx.nn.LayerNorm(3)}, (), both)["norm"].weight
    given = {"matrix": lambda m: (m["w"],)}
    assert decay_mask({"w": jnp.ones(3)}, role_overrides=given) == {"w": True}


def test_folding_a_model_keeps_its_function():
    model = shaken(net("magdir"))
    plain = fold_scales(model)
    assert plain.linear.scales_in is None
    # Norms keep their own scale, as a plain vector.
    assert isinstance(plain.after.scale, DirectScale)
    assert plain.after.scale.role == "scale_output_norm"

    def call(model):
        x = model.linear(model.before(model.embedding(2)))
        return model.plain(model.after(x))

    np.testing.assert_allclose(call(plain), call(model), rtol=1e-12)


def example():
    rng = np.random.default_rng(2)
    energy = LinearRegression(rng.normal(size=(20, 4)), rng.normal(size=(20, 3)))
    weight = 0.3 * rng.normal(size=(3, 4))
    return energy, ScaledLinear.of(weight, [DirectScale(jnp.ones(4))])


def test_sgd_steps_are_euler_steps_of_the_flow():
    energy, layer = example()
    rate, flow = 0.05, GradientFlow(energy, Euclidean())
    optimizer = optax.sgd(rate)
    euler, trained, state = Point(layer), layer, optimizer.init(layer)
    for _ in range(5):
        grads = jax.grad(lambda model: energy.value(Point(model)))(trained)
        # Discrete steps drift by exactly this much.
        slope = jax.grad(lambda m: energy.value(Point(m)))(trained.matrix())
        w, g = trained.weight, trained.scales_in[0].vector
        drift = rate**2 * (g**2 * (slope**2).sum(0) - (w * slope).sum(0) ** 2)
        updates, state = optimizer.update(grads, state)
        trained = eqx.apply_updates(trained, updates)
        change = imbalance(trained.weight, trained.scales_in[0].vector) - imbalance(
            w, g
        )
        np.testing.assert_allclose(change, drift, atol=1e-15)
        velocity = flow.velocity(euler)
        moved = jax.tree.map(lambda a, v: a + rate * v, euler.state, velocity)
        euler = euler.with_state(moved)
    for a, b in zip(*map(jax.tree.leaves, (euler.value, trained)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)


def test_rate_of_the_scale_in_optax():
    energy, layer = example()
    grads = jax.grad(lambda model: energy.value(Point(model)))(layer)
    optimizer = optax.chain(optax.sgd(0.1), scale_by_role({"scale_in": 4.0}))
    updates, _ = optimizer.update(grads, optimizer.init(layer), layer)
    np.testing.assert_allclose(updates.weight, -0.1 * grads.weight)
    vector = grads.scales_in[0].vector
    np.testing.assert_allclose(updates.scales_in[0].vector, -0.4 * vector)


def test_report_and_dead_channels():
    w = jnp.array([[1.0, 0.0], [2.0, 0.0]])
    layer = ScaledLinear.of(
        {"a": w[:1], "b": w[1:]}, [DirectScale(jnp.array([3.0, 0]))]
    )
    report = scale_report(layer)["a+b"]
    np.testing.assert_allclose(report.imbalance, [-4, 0])
    np.testing.assert_allclose(report.along, [14, 0])
    np.testing.assert_allclose(report.across, [9, 0])
    np.testing.assert_allclose(report.decay_share, 9 / 14)
    np.testing.assert_array_equal(dead_channels(layer), [False, True])
    # The saddle: nothing moves there.
    flow = GradientFlow(EffectiveLoss(lambda m: jnp.sum((m - 1) ** 2)), Euclidean())
    velocity = flow.velocity(Point(layer))
    assert (velocity.weight[:, 1] == 0).all()
    assert velocity.scales_in[0].vector[1] == 0


@pytest.mark.slow
def test_analysis_in_float32():
    # Under jit and vmap, over two layers at once.
    dtype = jnp.float32
    layers = [
        ScaledLinear(4, 3, reparam="magdir", dtype=dtype, key=jax.random.key(k))
        for k in range(2)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *layers)
    energy = EffectiveLoss(lambda m: jnp.sum((m - 1) ** 2)) + Decay({"matrix": 0.1})
    flow = GradientFlow(energy, Euclidean())

    @eqx.filter_jit
    @eqx.filter_vmap
    def everything(layer):
        mu = Point(layer)
        kept = invariants(layer)
        found = flow.velocity(mu), flow.dissipation(mu), sharpness(energy, mu)
        return kept, scale_report(layer), dead_channels(layer), found

    found = everything(stacked)
    floats = [leaf for leaf in jax.tree.leaves(found) if leaf.dtype != bool]
    assert {leaf.dtype for leaf in floats} == {jnp.dtype(dtype)}
    assert all(leaf.shape[0] == 2 for leaf in floats)
    assert all(jnp.isfinite(leaf).all() for leaf in floats)
    # The invariants do not move along the flow.
    kept = found[0]
    plain = GradientFlow(energy.parts[0], Euclidean())
    _, rate = jax.jvp(invariants, (layers[0],), (plain.velocity(Point(layers[0])),))
    tolerance = 50 * jnp.finfo(dtype).eps
    for name, change in rate.items():
        np.testing.assert_allclose(
            change, 0, atol=tolerance * jnp.max(jnp.abs(kept[name]))
        )


def test_decay_is_an_energy_of_any_model():
    model = net()
    energy = Decay({"matrix": 2.0}, {"bias": lambda m: m.embedding})
    expected = jnp.sum(model.linear.weight**2) + jnp.sum(model.plain.weight**2)
    value = jax.jit(lambda arrays: energy.value(Point(model).with_state(arrays)))
    np.testing.assert_allclose(value(Point(model).state), expected)


def wrong(call, error, match):
    return pytest.param(call, error, match, id=match)


W = np.ones((3, 4))
LAYER = ScaledLinear.of(W, [DirectScale(np.ones(4))])
MODEL = {"size": 8, "heads": 2, "layers": 1, "hidden": 4, "key": KEY}


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        wrong(lambda: DirectScale(np.ones(3, int)), TypeError, "vector of floating"),
        wrong(
            lambda: DirectScale(np.ones(3, complex)),
            ValueError,
            "vector of real numbers",
        ),
        wrong(lambda: DirectScale([1.0, np.nan]), ValueError, "expected vector finite"),
        wrong(lambda: DirectScale(1.0), ValueError, r"vector of shape \(d,\)"),
        wrong(lambda: DirectScale([1.0], "g"), ValueError, "expected role"),
        wrong(
            lambda: MagnitudeDirection(1.0, [0.0, 0.0]), ValueError, "other than zero"
        ),
        wrong(
            lambda: MagnitudeDirection(np.inf, [1.0]),
            ValueError,
            "expected magnitude finite",
        ),
        wrong(
            lambda: MagnitudeDirection([1.0], [1.0]),
            ValueError,
            "magnitude to be one number",
        ),
        wrong(lambda: MagnitudeDirection(1, [1.0]), TypeError, "magnitude of floating"),
        wrong(
            lambda: ScaledLinear.of(W, [DirectScale(np.ones(3))]),
            ValueError,
            "scales_in of length 4, the fan-in",
        ),
        wrong(
            lambda: ScaledLinear.of(W, (), [DirectScale(np.ones(4))]),
            ValueError,
            "scales_out of length 3, the fan-out",
        ),
        wrong(
            lambda: ScaledLinear.of(W.astype(int)), TypeError, "weights.*of floating"
        ),
        wrong(lambda: ScaledLinear.of(W * 1j), ValueError, "expected weights"),
        wrong(lambda: ScaledLinear.of(W[0]), ValueError, r"weights \(m_b, d\)"),
        wrong(
            lambda: ScaledLinear.of(W, [DirectScale(np.ones(4))] * 2),
            ValueError,
            "scales_in to be none, one or 1",
        ),
        wrong(
            lambda: ScaledLinear.of({"a": W, "b": W}, (), [DirectScale(np.ones(3))]),
            ValueError,
            "scales_out to be none or 2",
        ),
        wrong(lambda: ScaledLinear.of(W, bias=np.ones(2)), ValueError, "bias of shape"),
        wrong(
            lambda: ScaledLinear(4, 3, scale="both", key=KEY),
            ValueError,
            "expected scale",
        ),
        wrong(
            lambda: ScaledLinear(4, 3, reparam="log", key=KEY),
            ValueError,
            "expected reparam",
        ),
        wrong(
            lambda: ScaledLinear(4, 3, branches=("q", "q", "k"), key=KEY),
            ValueError,
            "distinct names",
        ),
        wrong(
            lambda: ScaledLinear(4, 3, branches=("q", "k"), key=KEY),
            ValueError,
            "add up to 3",
        ),
        wrong(lambda: LAYER(np.ones((2, 4))), ValueError, r"x of shape \(4,\)"),
        wrong(
            lambda: RMSNorm(4)(np.ones(3)), ValueError, r"RMSNorm: expected x of shape"
        ),
        wrong(lambda: RMSNorm(4, "post"), ValueError, "'input', 'output' or None"),
        wrong(lambda: RMSNorm(4, eps=0.0), ValueError, "eps > 0"),
        wrong(lambda: ScaleVector(), ValueError, "expected c,"),
        wrong(lambda: ScaleVector(np.nan), ValueError, "expected c finite"),
        wrong(lambda: ScaleVector(1.0, rho=0.0), ValueError, "rho > 0"),
        wrong(
            lambda: ScaleVector(np.ones(3)).velocity(Point(jnp.ones((2, 4))), 0.0),
            ValueError,
            r"c to be a scalar or of shape \(4,\)",
        ),
        wrong(
            lambda: ScaleVector(1.0).velocity(Point(LAYER), 0.0),
            UnsupportedMeasureError,
            r"Point whose value is \(m, d\)",
        ),
        wrong(
            lambda: EffectiveLoss(jnp.sum).value(
                Particles.from_samples(jnp.ones((2, 2)))
            ),
            UnsupportedMeasureError,
            "Point of a ScaledLinear",
        ),
        wrong(
            lambda: Decay({"matrix": 1.0}).value(
                Particles.from_samples(jnp.ones((2, 2)))
            ),
            UnsupportedMeasureError,
            "Decay does not act on Particles",
        ),
        wrong(lambda: Decay({"matrix": -1.0}), ValueError, "matrix.* >= 0"),
        wrong(
            lambda: Decay({"weights": 1.0}),
            ValueError,
            "Decay: expected every key of rates",
        ),
        wrong(lambda: RoleRates({"matrix": 0.0}), ValueError, "matrix.* > 0"),
        wrong(lambda: scale_by_role({"w": 1.0}), ValueError, "scale_by_role: expected"),
        wrong(
            lambda: LinearRegression(np.ones((3, 2)), np.ones((4, 1))),
            ValueError,
            r"targets \(n, m\)",
        ),
        wrong(
            lambda: LinearRegression(np.ones((3, 2), int), np.ones((3, 1))),
            TypeError,
            "inputs of floating",
        ),
        wrong(lambda: decay_mask(LAYER, ("weight",)), ValueError, "found 'weight'"),
        wrong(
            lambda: roles(LAYER, {"scale": lambda m: m}),
            ValueError,
            "every key of role_overrides",
        ),
        wrong(
            lambda: roles(LAYER, {"bias": lambda m: m.branches}), ValueError, "point at"
        ),
        wrong(
            lambda: scale_report(ScaledLinear.of(W)),
            ValueError,
            "layer with input scales",
        ),
        wrong(
            lambda: scale_report(LAYER, ScaledLinear.of({"a": W}, LAYER.scales_in)),
            ValueError,
            "initial with the branches y, found a",
        ),
        wrong(
            lambda: ByteTransformer(scaling="all", **MODEL),
            ValueError,
            "expected scaling",
        ),
        wrong(
            lambda: ByteTransformer(**{**MODEL, "heads": 3}),
            ValueError,
            "multiple of 2",
        ),
        wrong(lambda: python_topics(1.0), ValueError, "held_out in"),
    ],
)
def test_wrong_input_is_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_block_with_its_norm_before_or_behind():
    x = jnp.array([1.0, -2.0, 3.0, 0.5])
    unit = RMSNorm(4)
    before = ResidualBlock(4, 3, "input", gain=2.0, key=KEY)
    behind = ResidualBlock(4, 3, "output", gain=2.0, key=KEY)
    for block in (before, behind):
        np.testing.assert_array_equal(block.gain, np.full(4, 2.0))
    a, b = before.first.weight, before.second.weight
    np.testing.assert_array_equal(a, behind.first.weight)
    hidden = jax.nn.relu(a @ (2 * unit(x)))
    np.testing.assert_allclose(before(x), x + b @ hidden, rtol=1e-12)
    other = 2 * unit(b @ jax.nn.relu(a @ x))
    np.testing.assert_allclose(behind(x), x + other, rtol=1e-12)
    # A takes over what g loses before a map, and nothing does behind a norm.
    halved = eqx.tree_at(
        lambda block: (block.first.weight, block.first.scales_in[0].vector),
        before,
        (2 * a, before.gain / 2),
    )
    np.testing.assert_allclose(halved(x), before(x), rtol=1e-12)
    assert set(jax.tree.leaves(roles(before))) == {"matrix", "scale_in"}
    assert set(jax.tree.leaves(roles(behind))) == {"matrix", "scale_output_norm"}


def test_training_refuses_what_it_cannot_do():
    text = Corpus(np.zeros(90, np.uint8), np.zeros(60, np.uint8), 150, "")
    with pytest.raises(ValueError, match="steps >= 1"):
        train(None, text, None, 1e-3, Recipe(steps=0), key=KEY)
    with pytest.raises(ValueError, match="longer than a window"):
        train(None, text, None, 1e-3, Recipe(context=64), key=KEY)


def test_drift_needs_a_layer_with_scales():
    with pytest.raises(TypeError, match="of a ScaledLinear"):
        invariant_drift(SimpleNamespace(measures=Point(jnp.ones((1, 3, 4)))))
    with pytest.raises(ValueError, match="layer with scales"):
        invariant_drift(SimpleNamespace(measures=Point(ScaledLinear.of(W))))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_invariants_are_summed_in_single_precision(dtype):
    layer = ScaledLinear(300, 40, scale="in", dtype=dtype, key=KEY)
    exact = {
        name: np.sum(np.asarray(layer.weight, float) ** 2, 0) - 1
        for name in invariants(layer)
    }
    for name, found in invariants(layer).items():
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, exact[name], atol=1e-5)
