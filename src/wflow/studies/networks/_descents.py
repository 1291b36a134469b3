"""Draws of small ReLU networks run by the flow, by a solver, and by descent."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wflow.networks.saddle import ReLUData, follow, small_neurons
from wflow.networks.saddle.course import Course
from wflow.networks.saddle.descent import descend, stable_step
from wflow.networks.saddle.instances import Instance, random_gram
from wflow.networks.saddle.neurons import LogNeurons
from wflow.networks.saddle.staircases import half_times
from wflow.networks.saddle.weights import solve_weights

from ._saddle import lateness


class Runs(NamedTuple):
    """All draws by one method: what each costs, its jumps, and its loss over time.

    Attributes:
        steps: ``(I,)``; nan where the run did not come to its end.
        halves: times at which the jumps are halfway, ``(I, J)``.
        times: ``(I, T)``.
        loss: there.
    """

    steps: np.ndarray
    halves: np.ndarray
    times: np.ndarray
    loss: np.ndarray


def by_flow(instances: list[Instance], scale: float) -> Runs:
    """The flow in logarithms, from exp(-scale)."""
    courses = [follow(each.data, each.neurons(-scale)) for each in instances]
    return _runs(courses, instances)


def by_weights(
    instances: list[Instance], scale: float, *, points: int, rtol: float, max_steps: int
) -> Runs:
    """An adaptive solve in the weights, its absolute tolerance far below the scale."""
    courses = [
        solve_weights(
            each.data,
            each.neurons(-scale),
            float(each.limit.horizon(-scale)),
            points=points,
            rtol=rtol,
            atol=rtol * math.exp(-scale),
            max_steps=max_steps,
        )
        for each in instances
    ]
    return _runs(courses, instances)


def _runs(courses: list[Course], instances: list[Instance]) -> Runs:
    pairs = zip(courses, instances, strict=True)
    return Runs(
        np.array([int(c.steps) if bool(c.finished) else np.nan for c in courses]),
        np.array([half_times(course, each.limit) for course, each in pairs]),
        np.array([course.times for course in courses]),
        np.array([course.loss for course in courses]),
    )


def by_descent(
    instances: list[Instance], scale: float, share: float, largest: float, points: int
) -> Runs:
    """Descent with a share of the largest step.

    Its steps are those until all but a thousandth of the initial loss above the limit's
    end is gone.
    """
    step = share * largest
    end = max(float(each.limit.horizon(-scale)) for each in instances)
    # Jumps are late by half the share at most.
    stride = math.ceil(end * (1 + share / 2) / step / points)

    def one(instance: Instance, neurons: LogNeurons) -> tuple[jax.Array, ...]:
        course = descend(instance.data, neurons, step, points=points, stride=stride)
        return half_times(course, instance.limit), course.times, course.loss

    neurons = [each.neurons(-scale) for each in instances]
    found = jax.jit(jax.vmap(one))(_stacked(instances), _stacked(neurons))
    halves, times, loss = map(np.asarray, found)
    rests = np.array([float(each.limit.plateau_losses[-1]) for each in instances])
    there = loss <= rests[:, None] + 1e-3 * loss[:, :1]
    steps = np.where(there.any(axis=1), stride * there.argmax(axis=1), np.nan)
    return Runs(steps, halves, times, loss)


def grams_of(
    key: jax.Array, samples: int, dims: list[int], cosines: list[float]
) -> list[jax.Array]:
    """Products of inputs: orthogonal ones, random ones, and random ones nearly so.

    Args:
        key: for the draws.
        samples: n, the number of inputs.
        dims: of random inputs.
        cosines: root mean squares that those of inputs of dimension n^2 are scaled to.
    """
    of_dims, of_cosines = jax.random.split(key)
    grams = [jnp.eye(samples)]
    for k, dim in enumerate(dims):
        grams.append(random_gram(jax.random.fold_in(of_dims, k), samples, dim))
    scaled = [random_gram(of_cosines, samples, samples**2, c) for c in cosines]
    return grams + scaled


def on_grams(
    instances: list[Instance],
    grams: np.ndarray,
    scale: float,
    share: float,
    points: int,
) -> dict[str, np.ndarray]:
    """Descent where inputs have other products, beside that of the first of them.

    Args:
        instances: I draws.
        grams: ``(I, cases, n, n)``.
        scale: of the start, exp(-scale).
        share: of the largest step for orthogonal inputs.
        points: saved states.

    Returns:
        By draw and case the worst lateness of a jump (``late``), the squared norm, how
        many units of the sign of their neuron woke up (``woken``), the share of the
        loss that is left, and whether the run came to rest.
    """
    step = share * min(float(stable_step(each.data)) for each in instances)
    end = max(float(each.limit.horizon(-scale)) for each in instances)
    stride = math.ceil(end / step / points)

    def one(instance: Instance, gram: jax.Array) -> dict[str, jax.Array]:
        data = ReLUData(instance.data.y, gram, float(len(gram)))
        start = small_neurons(instance.key, instance.width, data, -scale)
        course = descend(data, start, step, points=points, stride=stride)
        woken = course.final.active & ~start.active & data.signed(start.sign)
        return {
            "halves": half_times(course, instance.limit),
            "norm_squared": course.final.norm_squared(data),
            "woken": jnp.sum(woken),
            "loss": course.loss[-1] / course.loss[0],
            "finished": course.finished,
        }

    # All cases of a draw at once, a draw at a time.
    cases = jax.vmap(one, (None, 0))
    each = jax.jit(lambda rows: jax.lax.map(lambda row: cases(*row), rows))
    found = each((_stacked(instances), jnp.asarray(grams)))
    found = {name: np.asarray(value) for name, value in found.items()}
    halves = found.pop("halves")
    late = np.abs(lateness(halves, halves[:, :1])).max(axis=-1)
    return {"late": late, **found}


def _stacked(trees: list[Any]) -> Any:
    """Trees as one, with an axis in front."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
