"""Heads that are trained on spiked prompts, and what knows more or less than they."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from pydantic import Field, model_validator

from wflow.networks import attention
from wflow.networks.attention import AttentionRisk, train_head
from wflow.networks.attention.covariance import square_root
from wflow.networks.attention.heads import AbstractHead, initial_mu, power_layers
from wflow.networks.attention.prompts import (
    bbp_overlap,
    gaussian_prompts,
    prompt_pca,
    spiked_covariance,
)
from wflow.networks.attention.streaming import stream_pca
from wflow.studies import Count, Positive, Strict, StudyParams


Kind = Literal["LinearAttention", "SoftmaxAttention"]
Draw = Callable[[PRNGKeyArray, int], Float[Array, "batch n d"]]


class Setting(Strict):
    """A law of prompts.

    Attributes:
        theta: strength of the spike, Sigma = I + theta v v'.
        prompt_length: tokens of a prompt.
        degrees: of the Wishart covariance of each prompt; all share Sigma if left out.
    """

    theta: Positive
    prompt_length: Count
    degrees: Count | None = None


class Recovery(Strict):
    """Squared cosines against theta, all prompts with one covariance.

    Attributes:
        thetas: strengths of the spike, each with heads of its own.
        prompt_length: tokens of a prompt.
        steps: of each training.
        prompts: over which PCA of one prompt is averaged.
    """

    thetas: Annotated[list[Positive], Field(min_length=2)]
    prompt_length: Count
    steps: Count = 2000
    prompts: Count = 1000


class HeadsParams(StudyParams):
    """Heads trained on fresh prompts, beside what knows more and what knows less.

    Attributes:
        dimension: of a token.
        heads: that are trained in each setting.
        repeats: trainings of each, from keys of their own.
        steps: of Adam.
        batch: fresh prompts of a step.
        learning_rate: of Adam, falling to 0 by a cosine.
        scale: of the start, mu ~ scale N(0, I/d).
        clip: largest norm of a gradient; clipping biases the norm of mu.
        prompts: over which per-prompt baselines are averaged.
        layers: of power iteration on a prompt, untrained heads.
        oja_rate: c of Oja's steps c / (t + 10 d) on batches.
        recovery: figure against theta.
    """

    dimension: Annotated[int, Field(ge=2)] = 20
    heads: Annotated[list[Kind], Field(min_length=1)] = [
        "LinearAttention",
        "SoftmaxAttention",
    ]
    repeats: Count = 2
    steps: Count = 4000
    batch: Count = 64
    learning_rate: Positive = 0.01
    scale: Positive = 0.3
    clip: Positive | None = None
    prompts: Count = 4000
    layers: Count = 16
    oja_rate: Positive = 2.0
    recovery: Recovery

    @model_validator(mode="after")
    def _distinct(self) -> "HeadsParams":
        if len(set(self.heads)) < len(self.heads):
            raise ValueError("heads: expected each kind once.")
        return self

    @property
    def names(self) -> dict[str, Kind]:
        """The kinds of heads by a short name."""
        return {kind.removesuffix("Attention").lower(): kind for kind in self.heads}


def head_of(kind: Kind, mu: Array) -> AbstractHead:
    """An untrained head."""
    return getattr(attention, kind)(mu)


def recovered(
    p: HeadsParams, setting: Setting, key: PRNGKeyArray
) -> Mapping[str, Array]:
    """Squared cosines and norms of heads and baselines, one for each repeat.

    Heads, ``pooled`` and ``oja`` of a repeat see the same prompts.
    """
    of_spike, *keys = jax.random.split(key, 1 + p.repeats)
    v = jax.random.normal(of_spike, (p.dimension,))
    root = square_root(spiked_covariance(setting.theta, v))
    run = jax.jit(jax.vmap(partial(_one, p, setting), in_axes=(None, None, 0)))
    return run(root, v / jnp.linalg.norm(v), jnp.stack(keys))


def _one(
    p: HeadsParams, setting: Setting, root: Array, v: Array, key: PRNGKeyArray
) -> dict[str, Array]:
    """Heads and baselines of one repeat."""
    of_start, of_prompts, of_tests = jax.random.split(key, 3)
    draw = _draw(setting, root)
    start = initial_mu(of_start, p.dimension, scale=p.scale)
    batch = lambda key: draw(key, p.batch)
    found = _heads(p, p.steps, start, batch, v, of_prompts)
    stream = stream_pca(batch, of_prompts, start, steps=p.steps, rate=p.oja_rate)
    found |= {name: cos2(u, v) for name, u in stream._asdict().items()}
    prompts = draw(of_tests, p.prompts)
    # From a token of the prompt, as a head would.
    layered = jax.vmap(lambda x: power_layers(x, x[0], p.layers))(prompts)
    found["power_layers"] = _mean_cos2(layered, v)
    found["prompt_pca"] = _mean_cos2(prompt_pca(prompts)[..., 0], v)
    return found


def _draw(setting: Setting, root: Array) -> Draw:
    return lambda key, batch: gaussian_prompts(
        key, root, setting.prompt_length, batch, setting.degrees
    )


def _heads(
    p: HeadsParams,
    steps: int,
    start: Array,
    batch: Callable[[PRNGKeyArray], Array],
    v: Array,
    key: PRNGKeyArray,
) -> dict[str, Array]:
    """Squared cosine and norm of a trained head of each kind."""
    optimizer = optax.adam(optax.cosine_decay_schedule(p.learning_rate, steps))
    if p.clip is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(p.clip), optimizer)
    found = {}
    for name, kind in p.names.items():
        head = head_of(kind, start)
        trained = train_head(head, batch, key, steps=steps, optimizer=optimizer)
        found[name] = cos2(trained.head.mu, v)
        found[f"norm_{name}"] = jnp.linalg.norm(trained.head.mu)
    return found


def recovery_curves(p: HeadsParams, key: PRNGKeyArray) -> dict[str, Array]:
    """Squared cosines against theta, of trained heads and of one prompt's PCA."""
    thetas = jnp.asarray(p.recovery.thetas)
    length, d = p.recovery.prompt_length, p.dimension
    setting, v = Setting(theta=1.0, prompt_length=length), jnp.eye(d)[0]

    def at(theta: Array, key: PRNGKeyArray) -> dict[str, Array]:
        of_start, of_prompts, of_tests = jax.random.split(key, 3)
        draw = _draw(setting, square_root(spiked_covariance(theta, v)))
        start = initial_mu(of_start, d, scale=p.scale)
        batch = lambda key: draw(key, p.batch)
        found = _heads(p, p.recovery.steps, start, batch, v, of_prompts)
        prompts = draw(of_tests, p.recovery.prompts)
        return {**found, "prompt_pca": _mean_cos2(prompt_pca(prompts)[..., 0], v)}

    found = jax.jit(jax.vmap(at))(thetas, jax.random.split(key, len(thetas)))
    return {**found, "bbp": bbp_overlap(thetas, d / length)}


def predicted_norm(setting: Setting, dimension: int) -> Array:
    """Norm of the linear head's mu at the minimum of its closed risk."""
    spectrum = jnp.ones(dimension).at[0].add(setting.theta)
    degrees = jnp.inf if setting.degrees is None else setting.degrees
    risk = AttentionRisk(spectrum, setting.prompt_length, degrees)
    return jnp.linalg.norm(risk.minimum)


def cos2(mu: Float[Array, " d"], v: Float[Array, " d"]) -> Float[Array, ""]:
    """Squared cosine with the unit vector v."""
    return (mu @ v) ** 2 / (mu @ mu)


def _mean_cos2(directions: Float[Array, "b d"], v: Float[Array, " d"]) -> Array:
    return jnp.mean(jax.vmap(cos2, (0, None))(directions, v))
