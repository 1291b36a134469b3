"""Which arrays of a model a fit changes, and in which of two groups."""

from typing import Any, Literal

import equinox as eqx
import jax
from jaxtyping import PyTree

from wflow.parameters import Learnable


Group = Literal["network", "scalar"]


def groups(model: PyTree) -> PyTree[Group | None]:
    """``model`` with the group of every array in its place, None where it is held.

    ``"network"``: floating-point arrays inside layers of ``equinox.nn``; ``"scalar"``:
    what is inside a ``Learnable``. All other arrays are held.
    """

    def label(node: Any) -> Any:
        if isinstance(node, Learnable):
            return _labeled(node, "scalar")
        return _labeled(node, "network" if _is_layer(node) else None)

    return jax.tree.map(
        label,
        model,
        is_leaf=lambda node: isinstance(node, Learnable) or _is_layer(node),
    )


def parted(model: PyTree) -> tuple[PyTree, PyTree]:
    """What is trained and what is held; ``eqx.combine`` joins them again."""
    mask = jax.tree.map(
        lambda group: group is not None, groups(model), is_leaf=lambda g: g is None
    )
    return eqx.partition(model, mask)


def split(model: PyTree) -> tuple[PyTree, PyTree]:
    """What ``parted`` gives.

    Raises:
        ValueError: nothing is trained.
    """
    trained, held = parted(model)
    if not jax.tree.leaves(trained):
        raise ValueError(
            "fit: the flow has nothing to train: no layer of equinox.nn and no "
            "Learnable."
        )
    return trained, held


def _is_layer(node: Any) -> bool:
    return isinstance(node, eqx.Module) and type(node).__module__.startswith(
        "equinox.nn"
    )


def _labeled(node: Any, group: Group | None) -> Any:
    return jax.tree.map(
        lambda leaf: group if eqx.is_inexact_array(leaf) else None, node
    )
