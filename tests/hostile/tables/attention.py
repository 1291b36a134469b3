"""Attention heads, their risks, prompts and diagnostics."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import attention

from ..engine import (
    array,
    choice,
    count,
    entry,
    function,
    given,
    masses,
    number,
    part,
    positive,
)


ROOM = "wflow.networks.attention"

KEY = jax.random.key(0)
D = 3
SIGMA = np.diag([3.0, 2.0, 1.0]) + 0.1
MU = np.array([0.3, 0.2, -0.1])
TOKENS = np.random.default_rng(0).normal(size=(5, D))
PROMPTS = np.random.default_rng(1).normal(size=(2, 5, D))
RISK = attention.AttentionRisk(SIGMA)
HEAD = attention.LinearAttention(MU)


def covariance():
    """A covariance: it may be zero, not negative."""
    return masses(SIGMA, fine="zero")


TABLE = {
    "AbstractHead": "a contract",
    "Alignment": "what alignment returns",
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
    "CovarianceMetric": entry(
        attention.CovarianceMetric,
        covariance=covariance(),
        power=given(1, zero=0, three=3, text="spoilt", nan=np.nan),
    ),
    "CriticalPoint": "what critical_point returns",
    "LinearAttention": entry(
        lambda tokens, queries, **more: attention.LinearAttention(**more)(
            tokens, queries
        ),
        tokens=array(TOKENS, fine="short"),
        queries=array(TOKENS[:2], fine=("short", "empty")),
        mu=array(MU, fine="shape", words=("tokens",)),
        beta=positive(1.0),
    ),
    "PromptRisk": entry(
        lambda mu, **more: attention.PromptRisk(**more).value(Point(mu)),
        mu=array(MU, words=("value",)),
        head=part(HEAD),
        prompts=array(PROMPTS, fine="short"),
    ),
    "SaddleWarning": "a warning",
    "SoftmaxAttention": entry(
        lambda tokens, queries, **more: attention.SoftmaxAttention(**more)(
            tokens, queries
        ),
        tokens=array(TOKENS, fine="short"),
        queries=array(TOKENS[:2], fine=("short", "empty")),
        mu=array(MU, fine="shape", words=("tokens",)),
        beta=positive(1.0),
    ),
    "StreamedPCA": "what stream_pca returns",
    "Trained": "what train_head returns",
    "UncentredWarning": "a warning",
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
            text="spoilt",
        ),
        covariance=given(
            jnp.array(SIGMA),
            nan=SIGMA * np.nan,
            inf=SIGMA + np.inf,
            negative=-SIGMA,
            complex=SIGMA * 1j,
            shape=SIGMA[0, 0],
            short=SIGMA[:-1],
            text="spoilt",
        ),
        k=count(1),
    ),
    "bbp_overlap": entry(
        attention.bbp_overlap,
        theta=positive(2.0, fine=("zero", "shape", "inf"), finite="inf"),
        gamma=positive(0.5, fine=("zero", "shape", "inf"), finite="inf"),
    ),
    "critical_point": entry(
        lambda **given: attention.critical_point(**given).speed,
        flow=part(GradientFlow(RISK, Euclidean())),
        mu=part(Point(attention.AttentionRisk(SIGMA).minimum)),
        tol=positive(1e-5),
    ),
    "gaussian_prompts": entry(
        attention.gaussian_prompts,
        key=KEY,
        root=array(np.eye(D)),
        prompt_length=count(4),
        batch=count(2),
        degrees=count(5),
    ),
    "initial_mu": entry(
        attention.initial_mu,
        key=KEY,
        d=count(3),
        heads=count(2),
        scale=positive(0.3, fine="zero"),
    ),
    "oja": entry(
        lambda covariance: attention.oja(covariance).metric, covariance=covariance()
    ),
    "power_layers": entry(
        attention.power_layers,
        tokens=array(TOKENS, fine="short"),
        x=array(MU),
        layers=count(2),
    ),
    "prompt_pca": entry(
        attention.prompt_pca,
        prompts=array(PROMPTS, fine=("short", "inf")),
        k=count(1),
    ),
    "second_moment": entry(attention.second_moment, rows=array(TOKENS, fine="short")),
    "spiked_covariance": entry(
        attention.spiked_covariance,
        theta=number(2.0, words=("direction",)),
        direction=array(MU, fine="short"),
    ),
    "spiked_wishart": entry(
        attention.spiked_wishart,
        key=KEY,
        d=count(3),
        theta=number(2.0),
        prompt_length=count(4),
        batch=count(2),
        degrees=count(5),
        direction=array(MU),
    ),
    "square_root": entry(attention.square_root, covariance=covariance()),
    "stream_pca": entry(
        lambda **given: jnp.concatenate(attention.stream_pca(key=KEY, **given)),
        prompts=function(lambda key: attention.gaussian_prompts(key, jnp.eye(D), 4, 2)),
        start=array(MU, words=("prompts",)),
        steps=count(2),
        rate=positive(2.0),
    ),
    "train_head": entry(
        lambda **given: attention.train_head(key=KEY, **given).risks,
        head=part(HEAD),
        prompts=function(lambda key: attention.gaussian_prompts(key, jnp.eye(D), 4, 2)),
        steps=count(2),
        optimizer=part(optax.sgd(0.01), fine="none"),
        geometry=part(Euclidean(), fine="none"),
    ),
    "whitened": entry(
        lambda covariance: attention.whitened(covariance).metric,
        covariance=covariance(),
    ),
}
