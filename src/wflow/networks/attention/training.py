"""Heads trained on fresh prompts."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import count, function, instance
from wflow.geometries import AbstractGeometry, Euclidean, Sphere
from wflow.measures import Point

from .heads import AbstractHead
from .risks import PromptRisk


class Trained(NamedTuple):
    """A trained head, the risk of every batch ``(steps,)`` and mu after it."""

    head: AbstractHead
    risks: Float[Array, " steps"]
    path: Float[Array, "steps d ..."]


@eqx.filter_jit
def train_head(
    head: AbstractHead,
    prompts: Callable[[PRNGKeyArray], Float[Array, "batch n d"]],
    key: PRNGKeyArray,
    *,
    steps: int = 4000,
    optimizer: optax.GradientTransformation | None = None,
    geometry: AbstractGeometry | None = None,
) -> Trained:
    r"""Lower the risk of fresh prompts, averaged over their queries, step by step.

    Args:
        head: whose ``mu`` is the start.
        prompts: a batch of prompts from a key; step i gets ``fold_in(key, i)``.
        key: random key.
        steps: of the optimiser.
        optimizer: by default Adam with 0.01, falling to 0 by a cosine. Clipping would
            bias the norm of mu: gradients have heavy tails.
        geometry: what makes a direction of a gradient; on the ``Sphere`` mu is
            normalised after every step. Euclidean by default.

    Raises:
        TypeError: a head, optimiser or geometry that is none, or prompts that are no
            function.
        ValueError: steps < 1, or prompts of another shape than ``(B, L, d)``.
    """
    instance("train_head", "head", head, AbstractHead, "an attention head")
    function("train_head", "prompts", prompts, "a key")
    count("train_head", "steps", steps)
    if geometry is not None:
        instance("train_head", "geometry", geometry, AbstractGeometry, "a geometry")
    if optimizer is not None:
        instance(
            "train_head",
            "optimizer",
            optimizer,
            optax.GradientTransformation,
            "an Optax optimiser",
        )
    if optimizer is None:
        optimizer = optax.adam(optax.cosine_decay_schedule(0.01, steps))
    geometry = Euclidean() if geometry is None else geometry

    def step(carry: tuple[Array, optax.OptState], i: Array) -> tuple[tuple, tuple]:
        mu, state = carry
        risk = PromptRisk(head, prompts(jax.random.fold_in(key, i)))
        value, gradient = Point(mu).differential(risk.value)
        downhill = geometry.velocity(Point(mu), gradient)
        updates, state = optimizer.update(
            jax.tree.map(jnp.negative, downhill), state, mu
        )
        mu = optax.apply_updates(mu, updates)
        if isinstance(geometry, Sphere):
            mu = geometry.point(mu).value
        return (mu, state), (value, mu)

    start = head.mu
    carry = (start, optimizer.init(start))
    (mu, _), (risks, path) = jax.lax.scan(step, carry, jnp.arange(steps))
    return Trained(eqx.tree_at(lambda head: head.mu, head, mu), risks, path)
