"""A number that a fit may change."""

import math
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float


# Where a positive parameter starts that was asked to start at zero.
_FLOOR = 1e-2


class Learnable(eqx.Module):
    r"""A number or array that ``fit`` may change, in place of any array of a flow.

    A positive one (the default) is stored as its logarithm, so that every step keeps it
    positive and steps are relative; ``positive=False`` stores the value itself. Flows
    that hold such parameters are used as they are: ``solve`` and ``fit`` replace each
    by its ``value``.

    Raises:
        ValueError: it is not finite, or a positive one is negative somewhere.
        TypeError: it is no array of real numbers.

    Examples:
        >>> import wflow as wf
        >>> bowl = wf.Potential(lambda x: x @ x / 2)
        >>> flow = wf.LagrangianFlow(bowl, friction=wf.Learnable(0.5))
        >>> flow.friction
        Learnable(0.5)
    """

    raw: Float[Array, "..."]
    positive: bool = eqx.field(static=True, default=True)

    def __init__(self, value: ArrayLike, positive: bool = True):
        """Start at ``value``; a positive one that is zero starts at 0.01 instead."""
        if not isinstance(positive, bool):
            raise TypeError(
                "Learnable: expected positive to be True or False, found "
                f"{type(positive).__name__}."
            )
        start = _start(value)
        bad = start[~np.isfinite(start)]
        if bad.size:
            raise ValueError(f"Learnable: expected a finite value, found {bad[0]}.")
        if positive:
            if (start < 0).any():
                raise ValueError(
                    f"Learnable: expected value >= 0, found {start.min()}; "
                    "positive=False takes any sign."
                )
            if (start == 0).any():
                warnings.warn(
                    f"Learnable: a positive parameter cannot start at zero; it starts "
                    f"at {_FLOOR}.",
                    stacklevel=2,
                )
                start = np.where(start == 0, _FLOOR, start)
            start = np.log(start)
        self.raw = jnp.asarray(start, jnp.result_type(float))
        self.positive = positive

    @property
    def value(self) -> Float[Array, "..."]:
        """The parameter itself."""
        return jnp.exp(self.raw) if self.positive else self.raw

    def __repr__(self) -> str:
        """The value, for the eye."""
        if isinstance(self.raw, Tracer | jax.ShapeDtypeStruct):
            return f"Learnable({self.raw})"
        raw = np.asarray(self.raw)
        shown = np.exp(raw) if self.positive else raw
        text = f"{float(shown):.4g}" if math.prod(raw.shape) == 1 else str(shown)
        return f"Learnable({text})"


def _start(value: Any) -> np.ndarray:
    """The numbers of ``value`` in double precision, or a sentence."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "Learnable: expected value to be an array of numbers whose values are "
            f"known, found {type(value).__name__}."
        ) from error
    if np.ma.is_masked(value):
        raise ValueError("Learnable: expected value without masked entries.")
    real = array.dtype.kind in "fiub" or jnp.issubdtype(array.dtype, jnp.floating)
    if not real:
        kind = array.dtype if array.dtype.kind == "c" else type(value).__name__
        raise TypeError(f"Learnable: expected value to be real numbers, found {kind}.")
    if array.size == 0:
        raise ValueError("Learnable: expected value with a number in it, found none.")
    return array.astype(float)


def unwrap(tree: Any) -> Any:
    """``tree`` with every ``Learnable`` replaced by its value."""

    def is_one(leaf: Any) -> bool:
        return isinstance(leaf, Learnable)

    # A tree is taken apart much sooner than it is put together.
    if not any(map(is_one, jax.tree.leaves(tree, is_leaf=is_one))):
        return tree
    return jax.tree.map(
        lambda leaf: leaf.value if is_one(leaf) else leaf, tree, is_leaf=is_one
    )
