"""Several trainings by one compiled program, spread over devices."""

import operator
from collections.abc import Callable, Generator, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import PyTree

from wflow.solvers.elements import each

from .loop import Done, Request, TrainingError
from .training import train_chunk


def driven_together(
    owner: str,
    trainings: Sequence[Generator[Request, Done, Any]],
    mesh: Mesh,
    ended: Callable[[int, Any], None],
) -> None:
    """Run trainings side by side, a chunk of all at a time; ``ended`` takes results.

    Every device trains its share, one after the other, so that each has the bits that
    it has alone. One that ends early, or in numbers that are not finite, leaves the
    others to theirs.

    Raises:
        TrainingError: some met numbers that are not finite; after all others ended.
        ValueError: they differ in more than arrays.
    """
    last: dict[int, Request] = {}
    running: set[int] = set()
    failed: dict[int, TrainingError] = {}

    def on(m: int, done: Any) -> None:
        running.discard(m)
        try:
            last[m] = trainings[m].send(done)
            running.add(m)
        except StopIteration as end:
            ended(m, end.value)
        except TrainingError as error:
            failed[m] = error

    for m in range(len(trainings)):
        on(m, None)
    kept: tuple[list[Any], Any] = ([], None)
    while running:
        # One that has ended goes along without a step, and the program stays the same.
        anyone = last[min(running)]
        asked = [
            last[m] if m in running else last.get(m, anyone)._replace(todo=0)
            for m in range(len(trainings))
        ]
        trainers = [request.trainer for request in asked]
        if not kept[0] or any(map(operator.is_not, trainers, kept[0])):
            kept = trainers, _stacked(owner, trainers)
        done = _chunk(owner, asked, kept[1], mesh)
        for m in sorted(running):
            on(m, jax.tree.map(lambda leaf, m=m: jnp.asarray(leaf[m]), done))
    if failed:
        m, error = next(iter(failed.items()))
        raise TrainingError(
            f"{owner}: member {m} of {len(trainings)} ended early ({len(failed)} in "
            f"all; the others are done). {error}"
        ) from error


def _stacked(owner: str, trees: Sequence[PyTree]) -> tuple[PyTree, PyTree]:
    """The arrays of trees of one structure, stacked, and the rest of the first."""
    arrays, rests = zip(
        *(eqx.partition(tree, eqx.is_array) for tree in trees), strict=True
    )
    same = all(eqx.tree_equal(rest, rests[0]) is True for rest in rests)
    shapes = [jax.tree.map(jnp.shape, part) for part in arrays]
    if not (same and all(shape == shapes[0] for shape in shapes)):
        raise ValueError(
            f"{owner}: members over the devices of a mesh are one program; expected "
            "make_flow to give flows that differ in numbers alone (functions are made "
            "outside of it)."
        )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *arrays), rests[0]


def _chunk(owner: str, asked: Sequence[Request], trainers: Any, mesh: Mesh) -> Any:
    """What ``train_chunk`` makes of each request, stacked, on the host."""
    arrays, rest = trainers
    states, none = _stacked(owner, [(one.state, one.key) for one in asked])
    todo = jnp.asarray([request.todo for request in asked], jnp.int32)
    own, shared = (arrays, states, todo), (rest, none, asked[0].size)
    return jax.device_get(each(_train_one, own, shared, mesh, 1, False))


def _train_one(own: Any, shared: Any) -> Done:
    """A chunk of one training."""
    (arrays, states, todo), (rest, none, size) = own, shared
    state, key = eqx.combine(states, none)
    return train_chunk(eqx.combine(arrays, rest), state, key, todo, size)
