"""Solves of like size as one compiled program: fixed steps and saved times, filled up.

Compiling takes seconds where most solves take less, and the number of steps or of saved
times is a matter of plots and of data: programs are compiled for powers of two of both.
"""

import functools
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PyTree

from .problem import Problem


# Steps and saved times that a program is compiled for, at least.
_LEAST = 64
# Numbers in the saved states up to which these are filled up.
_MOST = 2**20


def traced(*trees: PyTree) -> bool:
    """Whether some leaf is a tracer: then the program is compiled by someone else."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(trees))


def filled(
    problem: Problem, asked: Any, state: PyTree[Array], saves: bool
) -> tuple[Problem, Any, int | None]:
    """The problem with its fixed steps filled up, by copies of the end.

    And likewise, where ``saves``, its saved times and those that were ``asked`` for,
    unless the saved states are large. The last is how many of the saved states are
    asked for; None is all of them.
    """
    save, steps = problem.save, problem.steps
    if steps is not None:
        problem = problem._replace(steps=_filled(steps))
    rows, numbers = len(save), sum(leaf.size for leaf in jax.tree.leaves(state))
    if not saves or _size(rows) * numbers > _MOST:
        return problem, asked, None
    problem = problem._replace(save=_filled(save))
    return problem, None if asked is None else _filled(asked), rows


def _size(count: int) -> int:
    """The least power of two that ``count`` fits in, from some number on."""
    return max(1 << (count - 1).bit_length(), _LEAST)


def _filled(times: Any) -> Float[np.ndarray, " S"]:
    """``times`` of numbers that are known, and copies of the last."""
    found = np.full(_size(len(times)), times[-1])
    found[: len(times)] = times
    return found


@functools.partial(jax.jit, static_argnums=1)
def first(tree: PyTree[Array], rows: int) -> PyTree[Array]:
    """The first rows of every array."""
    return jax.tree.map(lambda leaf: leaf[:rows], tree)
