"""Fine-tuning of a pretrained network under every penalty, all strengths at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from wflow.energies import AbstractEnergy, Supervised
from wflow.measures import Point
from wflow.networks.canonical import Ridge
from wflow.networks.canonical.optax_form import arc_ridge

from .canonical_schema import Descent
from .canonical_scores import METHODS, PENALISED


class Task(NamedTuple):
    """One repeat; of several, with a leading axis.

    Attributes:
        pretrained: the network; every floating-point array of it is trained.
        train: the loss that fine-tuning lowers.
        validation: what chooses strengths, and when to stop.
    """

    pretrained: PyTree
    train: Supervised
    validation: Supervised


class Models(NamedTuple):
    """Networks that fine-tuning ends in; penalised ones with an axis of strengths.

    Attributes:
        pretrained: where all of them start.
        unregularised: after the last step.
        early_stopping: at the least validation loss along the same run.
        arc: where that run first meets the arc rule of each strength.
        anchored: after the last step with decay towards the pretrained weights.
        standard: after the last step with decay towards zero.
        reached: for each strength, whether the run met the arc rule at all.
    """

    pretrained: PyTree
    unregularised: PyTree
    early_stopping: PyTree
    arc: PyTree
    anchored: PyTree
    standard: PyTree
    reached: Array


def descend(energy: AbstractEnergy, model: PyTree, rate: float, steps: int) -> PyTree:
    """Gradient descent."""

    def step(params: PyTree, _: None) -> tuple[PyTree, None]:
        gradient = energy.differential(Point(params))
        return jax.tree.map(lambda p, g: p - rate * g, params, gradient), None

    return jax.lax.scan(step, model, None, length=steps)[0]


@eqx.filter_jit
def finetune(tasks: Task, strengths: Float[Array, " m"], descent: Descent) -> Models:
    """Every method from one start: one run for arc, one a strength for the others."""
    rate, steps = descent.rate, descent.steps

    def one(task: Task) -> Models:
        model = task.pretrained
        end, early, arc, reached = _one_run(task, strengths, rate, steps)

        def penalised(strength: Array, anchor: PyTree) -> PyTree:
            penalty = strength * Ridge(Point(anchor))
            return descend(task.train + penalty, model, rate, steps)

        # One program for both: the pretrained weights and zero are two anchors.
        anchors = jax.tree.map(lambda w: jnp.stack([w, jnp.zeros_like(w)]), model)
        both = jax.vmap(jax.vmap(penalised, (0, None)), (None, 0))(strengths, anchors)
        anchored, standard = (jax.tree.map(lambda w, i=i: w[i], both) for i in (0, 1))
        return Models(model, end, early, arc, anchored, standard, reached)

    return eqx.filter_vmap(one)(tasks)


def _one_run(
    task: Task, strengths: Float[Array, " m"], rate: float, steps: int
) -> tuple[PyTree, PyTree, PyTree, Array]:
    """Last, best on validation, and first at every strength of one plain run."""
    model = task.pretrained
    optimizer = arc_ridge(optax.sgd(rate), 0.0)

    def step(carry: Any, _: None) -> tuple[Any, None]:
        params, state, least, early, arc, reached = carry
        score = task.validation.value(Point(params))
        early = _keep(score < least, params, early)
        gradient = task.train.differential(Point(params))
        moves, state = optimizer.update(gradient, state, params)
        # The state now speaks of ``params``; a strength not yet reached keeps the last.
        arc = _keep(~reached, params, arc)
        reached |= state.strength <= strengths
        params = optax.apply_updates(params, moves)
        return (params, state, jnp.minimum(least, score), early, arc, reached), None

    many = jax.tree.map(lambda w: jnp.stack([w] * len(strengths)), model)
    none = jnp.zeros(strengths.shape, bool)
    worst = jnp.array(jnp.inf, strengths.dtype)
    start = (model, optimizer.init(model), worst, model, many, none)
    params, _, _, early, arc, reached = jax.lax.scan(step, start, None, length=steps)[0]
    return params, early, _keep(~reached, params, arc), reached


def _keep(choice: Array, new: PyTree, old: PyTree) -> PyTree:
    """``new`` where the choice, one or one a strength, says so."""

    def leaf(a: Array, b: Array) -> Array:
        flags = choice.reshape(choice.shape + (1,) * (b.ndim - choice.ndim))
        return jnp.where(flags, a, b)

    return jax.tree.map(leaf, new, old)


def each_method(
    score: Callable[..., Array], models: Models, *data: PyTree
) -> dict[str, np.ndarray]:
    """``score(model, *data)`` of every method, repeat and strength."""

    @eqx.filter_jit
    def all_scores(models: Models, data: tuple[PyTree, ...]) -> dict[str, Array]:
        def one(models: Models, data: tuple[PyTree, ...]) -> dict[str, Array]:
            def single(model: PyTree) -> Array:
                return score(model, *data)

            return {
                name: (jax.vmap(single) if name in PENALISED else single)(
                    getattr(models, name)
                )
                for name in METHODS
            }

        return eqx.filter_vmap(one)(models, data)

    found = all_scores(models, data)
    return {name: np.asarray(found[name]) for name in METHODS}


def loss(model: PyTree, energy: Supervised) -> Array:
    """The energy of a network, as a score."""
    return energy.value(Point(model))
