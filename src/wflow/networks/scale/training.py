"""Training of the language model: optax in one compiled scan."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, PyTree

from wflow.checks import count, instance, non_negative, positive, shape, within
from wflow.learning.loop import Loop
from wflow.learning.training import Trainer

from .corpus import Corpus
from .transformer import ByteTransformer, nats


class Recipe(eqx.Module):
    """AdamW with warm-up and cosine, on random windows of the text.

    Attributes:
        steps: of the optimizer.
        batch: windows in a step.
        context: bytes that are predicted in a window.
        warmup: share of the steps in which the learning rate rises from zero.
        final: learning rate at the end, as a share of the peak.
        b2: of AdamW.
        weight_decay: decoupled, where the mask is True.
        clip: of the gradient's global norm.
        every: steps between two validations.

    Raises:
        ValueError: a number out of range.
    """

    steps: int = 400
    batch: int = 16
    context: int = 64
    warmup: float = 0.05
    final: float = 0.1
    b2: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0
    every: int = 50

    def __check_init__(self) -> None:
        for name in ("steps", "batch", "context", "every"):
            count(self, name, getattr(self, name))
        for name, closed in (("warmup", "low"), ("final", "both"), ("b2", "low")):
            shape(self, name, getattr(self, name), ())
            within(self, name, getattr(self, name), 0, 1, closed=closed)
        shape(self, "weight_decay", self.weight_decay, ())
        non_negative(self, "weight_decay", self.weight_decay)
        shape(self, "clip", self.clip, ())
        positive(self, "clip", self.clip, infinite=True)

    def optimizer(self, rate: ArrayLike, mask: PyTree[bool]):
        """The optax transformation with peak ``rate``, which may be traced."""
        rising = round(self.warmup * self.steps)
        unit = optax.warmup_cosine_decay_schedule(
            0.0, 1.0, rising, self.steps, self.final
        )
        return optax.chain(
            optax.clip_by_global_norm(self.clip),
            optax.adamw(
                lambda step: rate * unit(step),
                b2=self.b2,
                weight_decay=self.weight_decay,
                mask=mask,
            ),
        )


class Trained(NamedTuple):
    """A model and how it came about.

    Attributes:
        model: at the end.
        steps: at which there was a validation, the start among them, ``(k,)``.
        validation: nats per byte there.
        losses: of every step, ``(steps,)``.
        seconds: of the steps and validations, without compiling.
        compiling: seconds of compiling.
    """

    model: ByteTransformer
    steps: Int[np.ndarray, " k"]
    validation: Float[np.ndarray, " k"]
    losses: Float[np.ndarray, " steps"]
    seconds: float
    compiling: float


def train(
    model: ByteTransformer,
    corpus: Corpus,
    mask: PyTree[bool],
    rate: ArrayLike,
    recipe: Recipe,
    *,
    key: PRNGKeyArray,
) -> Trained:
    """Train a language model: ``recipe.steps`` steps of AdamW at peak rate ``rate``.

    Batches depend on the key alone, so models of one key see the same text.

    Args:
        model: where to start.
        corpus: what to learn.
        mask: what to decay; see ``decay_mask``.
        rate: peak learning rate.
        recipe: everything else.
        key: of the batches.

    Raises:
        TypeError: a model, corpus or recipe that is none.
        ValueError: a text shorter than a window, or a rate that is not positive.
        TrainingError: loss or gradient is not finite.
    """
    instance("train", "corpus", corpus, Corpus, "a Corpus")
    instance("train", "recipe", recipe, Recipe, "a Recipe")
    shape("train", "rate", rate, ())
    positive("train", "rate", rate)
    if min(len(corpus.train), len(corpus.validation)) <= recipe.context + 1:
        raise ValueError(
            "train: expected corpus with texts longer than a window of "
            f"{recipe.context + 1} bytes, found {len(corpus.train)} and "
            f"{len(corpus.validation)}."
        )
    instance("train", "model", model, ByteTransformer, "a ByteTransformer")
    text = jnp.asarray(corpus.train)
    held_out = windows(corpus.validation, recipe.context)
    params, rest = eqx.partition(model, eqx.is_inexact_array)
    rate = jnp.asarray(rate, model.embedding.dtype)
    trainer = Trainer(
        _NextByte(text, held_out, recipe),
        _AtRate(rate, mask, recipe),
        recipe.steps,
        rest,
    )
    every = min(recipe.every, recipe.steps)
    advice = f"rate {float(rate):g}; a lower one may help"
    memory, timing = Loop("train", trainer, key, every, advice=advice).run(params)
    return Trained(
        eqx.combine(memory.state.params, rest),
        memory.scores[:, 0].astype(int),
        memory.scores[:, 1],
        memory.records["loss"],
        timing.steps,
        timing.compiling,
    )


def windows(text: Int[np.ndarray, " n"], context: int) -> Int[Array, "k context+1"]:
    """The text cut into windows that overlap in one byte; a rest is left out."""
    count = (len(text) - 1) // context
    starts = context * np.arange(count)
    return jnp.asarray(text[starts[:, None] + np.arange(context + 1)])


class _NextByte(eqx.Module):
    """Nats per byte of random windows, and of those that are held out."""

    text: Int[Array, " n"]
    held_out: Int[Array, "k context+1"]
    recipe: Recipe

    def __call__(self, model: Any, step: Any, key: PRNGKeyArray) -> tuple[Array, dict]:
        del step
        return nats(model, batch(self.text, key, self.recipe)), {}

    def validate(self, model: Any, key: PRNGKeyArray) -> Array:
        del key
        return nats(model, self.held_out)


class _AtRate(eqx.Module):
    """The recipe's optimizer at a peak learning rate."""

    rate: Float[Array, ""]
    mask: PyTree[bool]
    recipe: Recipe

    def transformation(self, groups: Any, steps: int) -> optax.GradientTransformation:
        del groups, steps
        return self.recipe.optimizer(self.rate, self.mask)


def batch(
    text: Int[Array, " n"], key: PRNGKeyArray, recipe: Recipe
) -> Int[Array, "batch context+1"]:
    """Random windows of the text, of the key of a step."""
    last = text.shape[0] - recipe.context
    starts = jax.random.randint(key, (recipe.batch,), 0, last)
    return text[starts[:, None] + jnp.arange(recipe.context + 1)]
