"""Numbers and arrays as they come in: made real, looked at, cast."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from wflow.parameters import Learnable


# Bytes of a float in single precision.
_SINGLE = 4


def to_real(value: ArrayLike | Learnable, name: str) -> Array:
    """``value`` as an array of real numbers; a floating dtype is kept as it is.

    Integers and booleans get the default floating dtype. A ``Learnable`` stays one
    (until it is unwrapped).

    Args:
        value: a number, an array, or anything that NumPy turns into an array.
        name: of the argument, for the sentence.

    Raises:
        TypeError: ``value`` is no array of numbers: text, objects, a mapping, a sparse
            matrix, rows of unequal length.
        ValueError: its numbers are complex, or some are masked.

    Examples:
        >>> to_real([1, 2], "bandwidth").dtype
        dtype('float32')
    """
    if isinstance(value, Learnable):
        return value  # pyright: ignore[reportReturnType]
    if isinstance(value, int | float) and not isinstance(value, np.generic):
        # A number of Python's takes the precision of what it meets.
        return jnp.asarray(float(value))
    array: Any = value if isinstance(value, jax.Array) else _numbers(value, name)
    if isinstance(value, jax.Array) and value.dtype.kind == "f":
        return array
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"expected {name} of real numbers, found {array.dtype}.")
    if jnp.issubdtype(array.dtype, jnp.floating):
        return jnp.asarray(array)
    return jnp.asarray(array, jnp.result_type(float))


def _numbers(value: Any, name: str) -> Any:
    """What JAX can take, or a sentence."""
    expected = f"expected {name} to be a number or an array of numbers"
    if isinstance(value, list | tuple) and any(
        isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)
    ):
        try:
            return jnp.asarray(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{expected}, found rows that do not stack.") from error
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"expected {name} without masked entries, found {np.ma.count_masked(value)}"
            " of them; leave them out, or fill them."
        )
    if hasattr(value, "toarray"):
        raise TypeError(
            f"{expected}, found a sparse {type(value).__name__}; pass value.toarray()."
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{expected}, found rows of unequal length.") from error
    if array.dtype == object:
        array = _from_objects(array)
    # Durations count as integers with numpy.
    if (
        array is None
        or array.dtype.kind == "m"
        or not (
            np.issubdtype(array.dtype, np.number)
            or array.dtype == bool
            or jnp.issubdtype(array.dtype, jnp.floating)
        )
    ):
        raise TypeError(f"{expected}, found {described(value)}.")
    return array


def _from_objects(array: np.ndarray) -> np.ndarray | None:
    """Numbers that lie in an array of objects; None where others do."""
    no_number = str | bytes | None
    if array.size == 0 or any(isinstance(entry, no_number) for entry in array.ravel()):
        return None
    try:
        return array.astype(float)
    except (TypeError, ValueError):
        return None


def to_numpy(value: Any, name: str) -> np.ndarray:
    """``value`` as an array of real numbers on the host, in its own precision.

    Args:
        value: as in ``to_real``.
        name: of the argument, for the sentence.

    Raises:
        TypeError: ``value`` is no array of numbers.
        ValueError: its numbers are complex, or some are masked.
    """
    array = np.asarray(_numbers(value, name))
    if np.issubdtype(array.dtype, np.complexfloating):
        raise ValueError(f"expected {name} of real numbers, found {array.dtype}.")
    return array


def real_field(name: str, *, optional: bool = False) -> Callable[[Any], Any]:
    """The converter of a field that holds real numbers; see ``to_real``.

    Args:
        name: of the field.
        optional: None stays None.

    Examples:
        >>> class Ball(eqx.Module):
        ...     radius: Array = eqx.field(converter=real_field("radius"))
    """
    if optional:
        return lambda value: None if value is None else to_real(value, name)
    return functools.partial(to_real, name=name)


def known(value: Any) -> np.ndarray | None:
    """The numbers of ``value``; None where they are traced, or a template's.

    None too where they are spread over devices of other processes.

    Values that are only being differentiated are known. Floats of less than single
    precision come back in single precision, which NumPy can work with.
    """
    if isinstance(value, float | int):
        return np.asarray(value)
    if not isinstance(value, np.ndarray):
        if isinstance(value, Learnable):
            value = value.value
        if isinstance(value, Tracer):
            value = jax.lax.stop_gradient(value)
        unknown = isinstance(value, Tracer | jax.ShapeDtypeStruct)
        if unknown or not eqx.is_array_like(value):
            return None
        if isinstance(value, jax.Array) and not value.is_fully_addressable:
            return None
    array = np.asarray(value)
    short = array.dtype.itemsize < _SINGLE
    small = short and jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(np.float32) if small else array


def at_least_single(value: Array) -> Array:
    """``value``, in single precision where its floats are shorter than that.

    Linear algebra, tolerances and logarithms of zero need as much. A ``Learnable``
    stays as it is.
    """
    short = eqx.is_array(value) and value.dtype.itemsize < _SINGLE
    return value.astype(jnp.float32) if short else value


def cast(tree: PyTree, dtype: DTypeLike) -> PyTree:
    """``tree`` with its real floating-point arrays in ``dtype``, all else untouched."""

    def other(leaf: Any) -> bool:
        if not (eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)):
            return False
        return leaf.dtype != dtype or getattr(leaf, "weak_type", False)

    # A tree is taken apart much sooner than it is put together.
    if not any(map(other, jax.tree.leaves(tree))):
        return tree
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if other(leaf) else leaf, tree)


def described(value: Any) -> str:
    """A value in a few words, for a sentence."""
    if isinstance(value, Tracer | jax.ShapeDtypeStruct):
        return f"an array of shape {value.shape}"
    if isinstance(value, np.ndarray | jax.Array) and value.ndim > 0:
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, np.ndarray | jax.Array):
        value = value.item()
    text = repr(value)
    if isinstance(value, type) or (callable(value) and not isinstance(value, str)):
        text = f"the {'class' if isinstance(value, type) else 'function'} " + getattr(
            value, "__name__", type(value).__name__
        )
    if len(text) > 60 or "\n" in text or " at 0x" in text:
        text = f"an object of type {type(value).__name__}"
    return text
