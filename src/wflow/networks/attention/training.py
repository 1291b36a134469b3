"""Heads trained on fresh prompts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import count, function, instance
from wflow.geometries import AbstractGeometry, Euclidean, Sphere
from wflow.learning.training import Trainer
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
        steps: of the optimizer.
        optimizer: by default Adam with 0.01, falling to 0 by a cosine. Clipping would
            bias the norm of mu: gradients have heavy tails.
        geometry: what makes a direction of a gradient; on the ``Sphere`` mu is
            normalized after every step. Euclidean by default.

    Raises:
        TypeError: a head, optimizer or geometry that is none, or prompts that are no
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
            "an Optax optimizer",
        )
    if optimizer is None:
        optimizer = optax.adam(optax.cosine_decay_schedule(0.01, steps))
    geometry = Euclidean() if geometry is None else geometry

    def loss(mu: Array, _: Any, key: PRNGKeyArray) -> tuple[Array, dict[str, Array]]:
        return PromptRisk(head, prompts(key)).value(Point(mu)), {"mu": mu}

    trainer = Trainer(
        loss,
        optax.chain(_gradient_in(geometry), optimizer),
        steps,
        retract=(
            (lambda mu: geometry.point(mu).value)
            if isinstance(geometry, Sphere)
            else None
        ),
    )
    end, records = trainer.run(head.mu, key)
    path = jnp.concatenate([records["mu"][1:], end.params[None]])
    trained = eqx.tree_at(lambda head: head.mu, head, end.params)
    return Trained(trained, records["loss"], path)


def _gradient_in(geometry: AbstractGeometry) -> optax.GradientTransformation:
    """The steepest ascent in a geometry, of the differential at a point."""

    def uphill(differential: Array, mu: Array) -> Array:
        return -geometry.velocity(Point(mu), differential)

    return optax.stateless(uphill)
