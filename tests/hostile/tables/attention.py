"""Attention heads, their risks, prompts and diagnostics."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import attention
from wflow.networks.attention.prompts import gaussian_prompts

from ..engine import (
    array,
    choice,
    count,
    entry,
    function,
    given,
    masses,
    part,
    positive,
)


ROOM = "wflow.networks.attention"

KEY = jax.random.key(0)
D = 3
SIGMA = np.diag([3.0, 2.0, 1.0]) + 0.1
MU = np.array([0.3, 0.2, -0.1])
TOKENS = np.random.default_rng(0).normal(size=(5, D))
RISK = attention.AttentionRisk(SIGMA)
HEAD = attention.LinearAttention(MU)


def covariance():
    """A covariance: it may be zero, not negative."""
    return masses(SIGMA, fine="zero")


TABLE = {
    "AttentionPCA": entry(
        lambda x, n_components, kind, **more: (
            attention.AttentionPCA(n_components, kind=kind, random_state=0, **more)
            .fit(x)
            .components_
        ),
        x=array(TOKENS, fine=("short", "zero"), words=("samples", "NaN", "infinity")),
        n_components=count(1),
        kind=choice("linear"),
        prompt_length=count(4),
        batch_size=count(2),
        max_iter=count(2),
        learning_rate=positive(0.1),
    ),
    "AttentionRisk": entry(
        lambda mu, **more: attention.AttentionRisk(**more).value(Point(mu)),
        # A Point calls it its value.
        mu=array(MU, fine="shape", words=("value",)),
        covariance=covariance(),
        prompt_length=positive(8.0, fine="inf", finite="inf"),
        degrees=positive(8.0, fine="inf", finite="inf"),
        beta=positive(1.0),
        self_token=choice(True),
    ),
    "LinearAttention": entry(
        lambda tokens, queries, **more: attention.LinearAttention(**more)(
            tokens, queries
        ),
        tokens=array(TOKENS, fine="short"),
        queries=array(TOKENS[:2], fine=("short", "empty")),
        mu=array(MU, fine="shape", words=("tokens",)),
        beta=positive(1.0),
    ),
    "SoftmaxAttention": entry(
        lambda tokens, queries, **more: attention.SoftmaxAttention(**more)(
            tokens, queries
        ),
        tokens=array(TOKENS, fine="short"),
        queries=array(TOKENS[:2], fine=("short", "empty")),
        mu=array(MU, fine="shape", words=("tokens",)),
        beta=positive(1.0),
    ),
    "alignment": entry(
        attention.alignment,
        mu=given(
            jnp.array(MU),
            nan=MU * np.nan,
            inf=MU + np.inf,
            zero=0 * MU,
            complex=MU * 1j,
            shape=MU[None, None],
            short=MU[:-1],
            empty=MU[:0],
            text="spoiled",
        ),
        covariance=given(
            jnp.array(SIGMA),
            nan=SIGMA * np.nan,
            inf=SIGMA + np.inf,
            negative=-SIGMA,
            complex=SIGMA * 1j,
            shape=SIGMA[0, 0],
            short=SIGMA[:-1],
            text="spoiled",
        ),
        k=count(1),
    ),
    "critical_point": entry(
        lambda **given: attention.critical_point(**given).speed,
        flow=part(GradientFlow(RISK, Euclidean())),
        mu=part(Point(attention.AttentionRisk(SIGMA).minimum)),
        tol=positive(1e-5),
    ),
    "train_head": entry(
        lambda **given: attention.train_head(key=KEY, **given).risks,
        head=part(HEAD),
        prompts=function(lambda key: gaussian_prompts(key, jnp.eye(D), 4, 2)),
        steps=count(2),
        optimizer=part(optax.sgd(0.01), fine="none"),
        geometry=part(Euclidean(), fine="none"),
    ),
}
