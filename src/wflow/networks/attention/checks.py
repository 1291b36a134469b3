"""Refusals of numbers that are known before a program runs."""

from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import ArrayLike

from wflow.parameters import Learnable


def known(value: Any) -> np.ndarray | None:
    """The numbers of ``value``; None under a transformation or in a template."""
    if isinstance(value, Tracer | Learnable | jax.ShapeDtypeStruct):
        return None
    return np.asarray(value)


def check_positive(owner: str, name: str, value: ArrayLike, least: float = 0.0) -> None:
    """Refuse a number that is not above zero, or that is below a positive ``least``.

    Raises:
        ValueError: it is.
    """
    found = known(value)
    if found is None:
        return
    allowed = found >= least if least > 0 else found > 0
    if not np.all(allowed):
        bound = f">= {least:g}" if least > 0 else "> 0"
        raise ValueError(f"{owner}: expected {name} {bound}, found {found}.")


def check_finite(owner: str, name: str, value: ArrayLike) -> None:
    """Refuse entries that are not finite.

    Raises:
        ValueError: there are some.
    """
    found = known(value)
    if found is not None and not np.isfinite(found).all():
        raise ValueError(f"{owner}: {name} has entries that are not finite.")


def check_heads(owner: str, heads: int | None, d: int) -> None:
    """Refuse more heads than dimensions.

    Raises:
        ValueError: heads < 1 or heads > d.
    """
    if heads is not None and not 1 <= heads <= d:
        raise ValueError(f"{owner}: expected 1 to d = {d} heads, found {heads}.")
