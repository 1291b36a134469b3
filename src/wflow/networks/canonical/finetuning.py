"""Where fine-tuning ends under every penalty: gradient descent, all strengths."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, PyTree

from wflow.checks import (
    count,
    instance,
    known,
    non_negative,
    positive,
    shape,
    to_real,
)
from wflow.energies import AbstractEnergy
from wflow.learning.training import Trainer
from wflow.measures import Point

from .optax_form import arc_ridge
from .ridge import Ridge


class Finetuned(NamedTuple):
    """Models that fine-tuning ends in; penalized ones with an axis of m strengths.

    Attributes:
        unregularized: after the last step without a penalty.
        early_stopping: at the least validation loss along that same run.
        arc: where that run first meets the arc rule of each strength, and its end where
            it does not.
        anchored: after the last step with ridge towards the start.
        standard: after the last step with ridge towards zero.
        reached: whether the run met the arc rule, ``(m,)``.
    """

    unregularized: Point
    early_stopping: Point
    arc: Point
    anchored: Point
    standard: Point
    reached: Bool[Array, " m"]


def descend(
    energy: AbstractEnergy, start: Point, *, rate: ArrayLike, steps: int
) -> Point:
    r"""Gradient descent, $\theta \leftarrow \theta - \mathrm{rate}\,\nabla F(\theta)$.

    Raises:
        TypeError: an energy or a start that is none.
        ValueError: a rate that is not one positive number, or steps < 1.
    """
    instance("descend", "energy", energy, AbstractEnergy, "an energy")
    rate = _checked_rate("descend", start, rate, steps)
    return _descend(energy, start, rate, steps)


def finetune(
    start: Point,
    train: AbstractEnergy,
    validation: AbstractEnergy,
    strengths: Float[ArrayLike, " m"],
    *,
    rate: ArrayLike,
    steps: int,
) -> Finetuned:
    r"""Gradient descent on ``train`` under arc, anchored and standard ridge.

    One run gives the ends without a penalty, by stopping early and under arc ridge for
    every strength; the two ridges take a run for each strength,
    $\theta \leftarrow \theta - \mathrm{rate}\,(\nabla L + \lambda(\theta - \theta_0))$
    with $\theta_0$ the start or 0, which diverges unless $\lambda < 2/\mathrm{rate}$.

    Args:
        start: the pretrained model.
        train: the loss that is lowered, such as ``Supervised``.
        validation: the loss that says when to stop early.
        strengths: of every penalty, ``(m,)``.
        rate: of learning.
        steps: of every run.

    Raises:
        TypeError: a start or an energy that is none.
        ValueError: strengths that are no vector, negative or not finite, a rate that is
            not one positive number, or steps < 1.

    Reference: ``arc_ridge``, ``Ridge``.
    """
    instance("finetune", "train", train, AbstractEnergy, "an energy")
    instance("finetune", "validation", validation, AbstractEnergy, "an energy")
    rate = _checked_rate("finetune", start, rate, steps)
    strengths = to_real(strengths, "strengths").astype(start.dtype)
    shape("finetune", "strengths", strengths, ("m",))
    if not strengths.size:
        raise ValueError("finetune: expected strengths, found none.")
    non_negative("finetune", "strengths", strengths)
    return _finetune(start, train, validation, strengths, rate, steps)


def _checked_rate(owner: str, start: Any, rate: Any, steps: Any) -> Any:
    """The rate, without a dtype of its own where it is known."""
    instance(owner, "start", start, Point, "a Point")
    shape(owner, "rate", rate, ())
    positive(owner, "rate", rate)
    count(owner, "steps", steps)
    found = known(rate)
    return rate if found is None else float(found)


@eqx.filter_jit
def _descend(energy: AbstractEnergy, start: Point, rate: Any, steps: int) -> Point:
    def step(params: PyTree, _: None) -> tuple[PyTree, None]:
        gradient = energy.differential(start.with_state(params))
        return jax.tree.map(lambda p, g: p - rate * g, params, gradient), None

    return start.with_state(jax.lax.scan(step, start.state, None, length=steps)[0])


@eqx.filter_jit
def _finetune(
    start: Point,
    train: AbstractEnergy,
    validation: AbstractEnergy,
    strengths: Array,
    rate: Any,
    steps: int,
) -> Finetuned:
    def penalized(strength: Array, anchor: PyTree) -> PyTree:
        penalty = strength * Ridge(start.with_state(anchor))
        return _descend(train + penalty, start, rate, steps).state

    end, early, arc, reached = _one_run(
        start, train, validation, strengths, rate, steps
    )
    # One program for both: the start and zero are two anchors.
    anchors = jax.tree.map(lambda w: jnp.stack([w, jnp.zeros_like(w)]), start.state)
    both = jax.vmap(jax.vmap(penalized, (0, None)), (None, 0))(strengths, anchors)
    anchored, standard = (jax.tree.map(lambda w, i=i: w[i], both) for i in (0, 1))
    return Finetuned(
        unregularized=start.with_state(end),
        early_stopping=start.with_state(early),
        arc=start.with_state(arc),
        anchored=start.with_state(anchored),
        standard=start.with_state(standard),
        reached=reached,
    )


def _one_run(
    start: Point,
    train: AbstractEnergy,
    validation: AbstractEnergy,
    strengths: Array,
    rate: Any,
    steps: int,
) -> tuple[PyTree, PyTree, PyTree, Array]:
    """Last, best on validation, and first at every strength of one plain run."""
    descent = _watched(
        arc_ridge(optax.sgd(rate), 0.0),
        lambda params: validation.value(start.with_state(params)),
        strengths,
    )

    def loss(params: PyTree, *_: Any) -> tuple[Array, dict]:
        return train.value(start.with_state(params)), {}

    # The loss draws nothing: a key is what steps have.
    end, _ = Trainer(loss, descent, steps).run(start.state, jax.random.key(0))
    seen: _Watched = end.optimizer
    arc = _keep(~seen.reached, end.params, seen.arc)
    return end.params, seen.early, arc, seen.reached


class _Watched(NamedTuple):
    """What a run has met so far, beside the state of its optimizer.

    ``early`` has the ``least`` validation loss; ``arc`` is where each strength was
    first ``reached``, and what was met last until then.
    """

    inner: Any
    least: Array
    early: PyTree
    arc: PyTree
    reached: Array


def _watched(
    optimizer: optax.GradientTransformation,
    score: Callable[[PyTree], Array],
    strengths: Array,
) -> optax.GradientTransformation:
    """An optimizer with arc ridge's state that remembers what it has met."""

    def init(params: PyTree) -> _Watched:
        many = jax.tree.map(lambda w: jnp.stack([w] * len(strengths)), params)
        none = jnp.zeros(strengths.shape, bool)
        worst = jnp.array(jnp.inf, strengths.dtype)
        return _Watched(optimizer.init(params), worst, params, many, none)

    def update(gradient: PyTree, seen: _Watched, params: PyTree) -> tuple:
        found = score(params)
        early = _keep(found < seen.least, params, seen.early)
        moves, inner = optimizer.update(gradient, seen.inner, params)
        # The state now speaks of ``params``; a strength not yet reached keeps the last.
        arc = _keep(~seen.reached, params, seen.arc)
        reached = seen.reached | (inner.strength <= strengths)
        least = jnp.minimum(seen.least, found)
        return moves, _Watched(inner, least, early, arc, reached)

    return optax.GradientTransformation(init, update)


def _keep(choice: Array, new: PyTree, old: PyTree) -> PyTree:
    """``new`` where the choice, one or one a strength, says so."""

    def leaf(a: Array, b: Array) -> Array:
        flags = choice.reshape(choice.shape + (1,) * (b.ndim - choice.ndim))
        return jnp.where(flags, a, b)

    return jax.tree.map(leaf, new, old)
