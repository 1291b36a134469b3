"""What a function of the caller's gave back."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike, Float

from .arrays import described
from .ranges import named


def returned(
    owner: Any, name: str, value: Any, shape: tuple[int, ...], dtype: DTypeLike
) -> Array:
    """What a function returned, refused unless it is real numbers of one shape.

    Shape and dtype alone are looked at, so that it costs nothing in compiled code. One
    number stands for an array of one entry; whole numbers become ``dtype``, floats
    stay as they are.

    Args:
        owner: whose function it is: an object, or the name of one.
        name: of the function.
        value: what it returned.
        shape: what it has to have.
        dtype: of whole numbers.

    Raises:
        ValueError: it has another shape, or is complex.
        TypeError: it is no array of numbers at all.
    """
    found = _real(owner, name, value, shape)
    floating = jnp.issubdtype(found.dtype, jnp.floating)
    return found if floating else found.astype(dtype)


def one_number(owner: Any, name: str, value: Any) -> Float[Array, ""]:
    """What a function returned, refused unless it is one real number, of any dtype.

    Args:
        owner: as in ``returned``.
        name: of the function.
        value: what it returned.

    Returns:
        The number as an array.

    Raises:
        ValueError: it is an array of another shape, or complex.
        TypeError: it is no number at all.
    """
    return _real(owner, name, value, ())


def _real(owner: Any, name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """Real numbers of one shape, or a sentence."""
    what = f"real numbers of shape {shape}" if shape else "one real number"
    expected = f"{named(owner)}: expected {name} to return {what}, found "
    try:
        if value is None:
            raise TypeError
        found = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{expected}{described(value)}.") from error
    if jnp.issubdtype(found.dtype, jnp.complexfloating):
        raise ValueError(f"{expected}complex ones ({found.dtype}).")
    if found.shape == () and np.prod(shape) == 1:
        found = found.reshape(shape)
    if found.shape != shape:
        raise ValueError(f"{expected}shape {found.shape}.")
    return found
