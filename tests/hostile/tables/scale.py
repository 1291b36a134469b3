"""Scale vectors: layers, energies, diagnostics and the language model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from wflow.networks import scale
from wflow.networks.scale.corpus import Corpus
from wflow.networks.scale.scales import DirectScale

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    non_negative,
    part,
    positive,
)


ROOM = "wflow.networks.scale"

KEY = jax.random.key(0)
LAYER = scale.ScaledLinear(3, 2, key=KEY)
W = np.random.default_rng(2).normal(size=(2, 3))
G = np.array([1.0, 2.0, 0.5])


@functools.cache
def model():
    return scale.ByteTransformer(
        vocabulary=8, size=4, heads=1, layers=1, hidden=3, key=KEY
    )


TEXT = Corpus(
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
    "RMSNorm": entry(
        lambda x, **more: scale.RMSNorm(**more)(jnp.asarray(x)),
        x=given(jnp.array(G), shape=G[None], short=G[:-1], empty=G[:0]),
        size=count(3),
        scale=given("input", other="spoiled", nan=np.nan),
        reparam=choice("direct"),
        eps=positive(1e-6),
    ),
    "Recipe": entry(
        lambda **more: trained(recipe=scale.Recipe(**(ONE_STEP | more))),
        steps=count(1),
        batch=count(2),
        context=count(4),
        every=count(1),
        warmup=given(0.05, nan=np.nan, negative=-0.1, above=1.0, text="spoiled"),
        final=given(0.1, nan=np.nan, negative=-0.1, above=1.5, text="spoiled"),
        b2=given(0.95, nan=np.nan, negative=-0.1, above=1.0, text="spoiled"),
        weight_decay=non_negative(0.1),
        clip=positive(1.0, fine="inf", finite="inf"),
    ),
    "ScaleVector": entry(
        lambda c, rho: scale.ScaleVector(c, rho).eigenvalues(W)[0],
        c=given(
            jnp.array(G),
            nan=G * np.nan,
            inf=G + np.inf,
            complex=G * 1j,
            shape=G[None],
            empty=G[:0],
            text="spoiled",
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
        branches=given(("y",), text="spoiled", empty=(), twice=("y", "y"), other=1.5),
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
            text="spoiled",
            integers=W.astype(int),
        ),
        scales_in=given((DirectScale(G),), other=(1.5,), short=(DirectScale(G[:2]),)),
        bias=array(np.ones(2)),
    ),
    "decay_mask": entry(
        lambda **more: jax.tree.leaves(scale.decay_mask(LAYER, **more)),
        decayed=given({"matrix"}, text="matrix", other=1.5, unknown={"matrices"}),
        role_overrides=given({}, text="spoiled", unknown={"bia": lambda m: m}),
    ),
    "fold_scales": entry(lambda model: scale.fold_scales(model), model=given(LAYER)),
    "train": entry(
        trained,
        model=part(model()),
        corpus=part(TEXT),
        recipe=part(scale.Recipe(**ONE_STEP)),
        rate=positive(0.01),
    ),
}
