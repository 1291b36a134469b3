"""Refusals of values that are known only when a compiled program runs."""

import contextlib
import re
from collections.abc import Iterator
from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool

from .arrays import known


T = TypeVar("T")


def require(value: T, condition: Bool[ArrayLike, "..."], sentence: str) -> T:
    """``value``, refused with ``sentence`` where ``condition`` does not hold.

    At once where the condition is known. Under ``jit`` the program refuses when it
    runs, and only if the returned value is used; that costs a call to the host, so
    there is one of these an entry and none in a loop.

    Args:
        value: any pytree that the caller goes on with.
        condition: what has to hold, everywhere.
        sentence: the whole sentence, beginning with its owner.

    Raises:
        ValueError: the condition is known and does not hold.
    """
    found = known(condition)
    if found is None:
        return eqx.error_if(value, ~jnp.all(condition), sentence)
    if not np.all(found):
        raise ValueError(sentence)
    return value


_SENTENCE = re.compile(r"EquinoxRuntimeError: (.*?)\n\s*\n?-{5,}", re.DOTALL)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Errors of compiled programs inside are raised again as their sentence alone.

    Raises:
        ValueError: in place of Equinox's error and its advice on debugging.
    """
    try:
        yield
    except RuntimeError as error:
        found = _SENTENCE.search(str(error))
        if found is None:
            raise
        raise ValueError(" ".join(found.group(1).split())) from None
