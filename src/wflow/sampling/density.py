"""What a log-density has to return."""

from typing import Any

import jax
import jax.numpy as jnp

from wflow.checks import function, one_number


def check_density(owner: Any, name: str, log_density: Any, point: Any) -> None:
    """Refuse what does not return one real number at a point.

    The function is traced, not evaluated; what it raises itself is left alone.

    Args:
        owner: an object, or the name of a function.
        name: of the argument.
        log_density: the function.
        point: an argument of it, or its shape and dtype.

    Raises:
        TypeError: it cannot be called, or does not return a number.
        ValueError: it returns several, or one that is not real.
    """
    function(owner, name, log_density, "one point")
    found = jax.eval_shape(lambda x: one_number(owner, name, log_density(x)), point)
    if not jnp.issubdtype(found.dtype, jnp.floating):
        name_of = owner if isinstance(owner, str) else type(owner).__name__
        raise ValueError(
            f"{name_of}: expected {name} to return one real number, found one of dtype "
            f"{found.dtype}."
        )
