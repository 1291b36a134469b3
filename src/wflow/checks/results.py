"""What a function of the caller's gave back."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike

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
    floating = jnp.issubdtype(found.dtype, jnp.floating)
    return found if floating else found.astype(dtype)
