"""Scale vectors: layers, energies, diagnostics and the language model."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from wflow import solve
from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import scale

from ..engine import (
    array,
    choice,
    count,
    entry,
    function,
    given,
    masses,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.networks.scale"

KEY = jax.random.key(0)
LAYER = scale.ScaledLinear(3, 2, key=KEY)
X = np.random.default_rng(0).normal(size=(4, 3))
Y = np.random.default_rng(1).normal(size=(4, 2))
W = np.random.default_rng(2).normal(size=(2, 3))
G = np.array([1.0, 2.0, 0.5])
RISK = scale.LinearRegression(X, Y)
TOKENS = np.arange(10).reshape(2, 5) % 7
RATES = {
    "text": "spoilt",
    "none": None,
    "unknown": {"scales": 1.0},
    "negative": {"scale_in": -1.0},
    "nan": {"scale_in": np.nan},
    "inf": {"scale_in": np.inf},
    "shape": {"scale_in": np.ones(3)},
}


@functools.cache
def solution():
    flow = GradientFlow(RISK, Euclidean())
    return solve(flow, Point(LAYER), 0.0, 0.1, times=[0.0, 0.1])


@functools.cache
def model():
    return scale.ByteTransformer(
        vocabulary=8, size=4, heads=1, layers=1, hidden=3, key=KEY
    )


TEXT = scale.Corpus(
    np.arange(40, dtype=np.uint8) % 8, np.arange(40, dtype=np.uint8) % 8, 80, ""
)


ONE_STEP = {"steps": 1, "batch": 2, "context": 4, "every": 1}


def trained(**more):
    """One step of training."""
    recipe = more.pop("recipe", scale.Recipe(**ONE_STEP))
    return scale.train(
        **({"model": model(), "corpus": TEXT, "rate": 0.01} | more),
        mask=scale.decay_mask(model()),
        recipe=recipe,
        key=KEY,
    ).losses


TABLE = {
    "AbstractScale": "a contract",
    "ByteTransformer": entry(
        lambda **more: scale.ByteTransformer(key=KEY, **more),
        vocabulary=count(8),
        size=count(4),
        heads=count(1, words=("size",)),
        layers=count(1),
        hidden=count(3),
        scaling=choice("none"),
        deviation=non_negative(0.02),
    ),
    "Corpus": "a record of texts",
    "Decay": entry(
        lambda rates: scale.Decay(rates).value(Point(LAYER)),
        rates=given({"scale_in": 1.0}, **RATES),
    ),
    "DirectScale": entry(
        scale.DirectScale, vector=array(G, fine="short"), role=choice("scale_in")
    ),
    "EffectiveLoss": entry(
        lambda loss: scale.EffectiveLoss(loss).value(Point(LAYER)),
        loss=function(lambda m: jnp.sum(m**2)),
    ),
    "EffectiveLoss.loss": entry(
        lambda loss: scale.EffectiveLoss(loss).value(Point(LAYER)),
        loss=given(lambda m: jnp.sum(m**2), matrix=lambda m: m, none=lambda m: None),
    ),
    "LinearRegression": entry(
        lambda **more: scale.LinearRegression(**more).value(Point(LAYER)),
        inputs=array(X, words=("targets",)),
        targets=array(Y, words=("inputs",)),
    ),
    "MagnitudeDirection": entry(
        scale.MagnitudeDirection,
        magnitude=number(1.0),
        direction=given(
            jnp.array(G),
            nan=G * np.nan,
            inf=G + np.inf,
            zero=0 * G,
            complex=G * 1j,
            shape=G[None],
            empty=G[:0],
            text="spoilt",
        ),
        role=choice("scale_in"),
        unit=choice(False),
    ),
    "RMSNorm": entry(
        lambda x, **more: scale.RMSNorm(**more)(jnp.asarray(x)),
        x=given(jnp.array(G), shape=G[None], short=G[:-1], empty=G[:0]),
        size=count(3),
        scale=given("input", other="spoilt", nan=np.nan),
        reparam=choice("direct"),
        eps=positive(1e-6),
    ),
    "Recipe": entry(
        lambda **more: trained(recipe=scale.Recipe(**(ONE_STEP | more))),
        steps=count(1),
        batch=count(2),
        context=count(4),
        every=count(1),
        warmup=given(0.05, nan=np.nan, negative=-0.1, above=1.0, text="spoilt"),
        final=given(0.1, nan=np.nan, negative=-0.1, above=1.5, text="spoilt"),
        b2=given(0.95, nan=np.nan, negative=-0.1, above=1.0, text="spoilt"),
        weight_decay=non_negative(0.1),
        clip=positive(1.0, fine="inf", finite="inf"),
    ),
    "ResidualBlock": entry(
        lambda x, **more: scale.ResidualBlock(key=KEY, **more)(jnp.asarray(x)),
        x=given(jnp.array(G), shape=G[None], short=G[:-1], empty=G[:0]),
        size=count(3),
        hidden=count(2),
        norm=choice("input"),
        gain=number(2.0),
    ),
    "RoleRates": entry(
        lambda rates: scale.RoleRates(rates)(LAYER).diagonal.weight,
        rates=given({"scale_in": 2.0}, zero={"scale_in": 0.0}, **RATES),
    ),
    "ScaleReport": "what scale_report returns",
    "ScaleVector": entry(
        lambda c, rho: scale.ScaleVector(c, rho).eigenvalues(W)[0],
        c=given(
            jnp.array(G),
            nan=G * np.nan,
            inf=G + np.inf,
            complex=G * 1j,
            shape=G[None],
            empty=G[:0],
            text="spoilt",
            none=None,
        ),
        rho=positive(1.0),
    ),
    "ScaledLinear": entry(
        lambda x, **more: scale.ScaledLinear(key=KEY, **more)(jnp.asarray(x)),
        x=given(jnp.array(G), shape=G[None], short=G[:-1], empty=G[:0]),
        in_features=count(3),
        out_features=count(2),
        scale=choice("in"),
        branches=given(("y",), text="spoilt", empty=(), twice=("y", "y"), other=1.5),
        share=choice(False),
        reparam=choice("direct"),
        use_bias=choice(False),
        deviation=non_negative(0.5, fine="none"),
    ),
    "ScaledLinear.of": entry(
        lambda **more: scale.ScaledLinear.of(**more).matrix(),
        weights=given(
            jnp.array(W),
            nan=W * np.nan,
            inf=W + np.inf,
            complex=W * 1j,
            shape=W[0],
            text="spoilt",
            integers=W.astype(int),
        ),
        scales_in=given(
            (scale.DirectScale(G),), other=(1.5,), short=(scale.DirectScale(G[:2]),)
        ),
        bias=array(np.ones(2)),
    ),
    "Trained": "what train returns",
    "dead_channels": entry(
        lambda **more: jnp.sum(scale.dead_channels(**more)),
        layer=part(LAYER),
        tolerance=non_negative(0.0),
    ),
    "decay_mask": entry(
        lambda **more: jax.tree.leaves(scale.decay_mask(LAYER, **more)),
        decayed=given({"matrix"}, text="matrix", other=1.5, unknown={"matrices"}),
        role_overrides=given({}, text="spoilt", unknown={"bia": lambda m: m}),
    ),
    "fold_scales": entry(lambda model: scale.fold_scales(model), model=given(LAYER)),
    "imbalance": entry(
        scale.imbalance,
        weight=array(W, fine=("short", "empty")),
        scale=array(G),
        rho=positive(1.0),
    ),
    "invariant_drift": entry(scale.invariant_drift, solution=part(solution())),
    "invariants": entry(scale.invariants, layer=part(LAYER), rho=positive(1.0)),
    "nats": entry(
        lambda **more: scale.nats(**({"model": model()} | more)),
        tokens=given(
            jnp.asarray(TOKENS),
            floats=TOKENS * 1.0,
            shape=TOKENS[0],
            short=TOKENS[:, :1],
            empty=TOKENS[:0],
        ),
    ),
    "nats.model": entry(
        lambda model: scale.nats(model, jnp.asarray(TOKENS)), model=part(model())
    ),
    "python_topics": entry(
        lambda held_out: scale.python_topics(held_out).characters,
        held_out=given(
            0.05, nan=np.nan, zero=0.0, negative=-0.1, above=1.5, text="spoilt"
        ),
    ),
    "roles": entry(
        lambda role_overrides: jax.tree.leaves(scale.roles(LAYER, role_overrides)),
        role_overrides=given(
            {}, text="spoilt", unknown={"bia": lambda m: m}, other={"bias": 1.5}
        ),
    ),
    "scalar_channel": entry(
        scale.scalar_channel,
        times=masses(np.array([0.0, 1.0]), fine=("zero", "short", "shape", "empty")),
        curvature=non_negative(1.0),
        target=number(2.0),
        weight=number(0.5),
        scale=number(1.0),
    ),
    "scale_by_role": entry(
        lambda rates: jax.tree.leaves(
            scale.scale_by_role(rates).update(
                eqx.filter(LAYER, eqx.is_array), None, LAYER
            )[0]
        ),
        rates=given({"scale_in": 2.0}, zero={"scale_in": 0.0}, **RATES),
    ),
    "scale_report": entry(
        scale.scale_report,
        layer=part(LAYER),
        initial=part(LAYER, fine="none"),
        tolerance=non_negative(0.0),
    ),
    "sharpness": entry(scale.sharpness, energy=part(RISK), mu=part(Point(LAYER))),
    "train": entry(
        trained,
        model=part(model()),
        corpus=part(TEXT),
        recipe=part(scale.Recipe(**ONE_STEP)),
        rate=positive(0.01),
    ),
}
