"""Refusals of numbers and shapes that are out of range."""

import operator
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import ArrayLike

from wflow.parameters import Learnable

from .arrays import described, known


# Asymmetry of a covariance that rounding explains, against its largest entries.
_ASYMMETRY = 1e-4


def named(owner: Any) -> str:
    """The name that a sentence begins with: a text, or the class of an object."""
    return owner if isinstance(owner, str) else type(owner).__name__


def _refuse(owner: Any, name: str, expected: str, found: np.ndarray, ok: Any) -> None:
    """The sentence about the first entry that is not ``ok``."""
    if ok.all():
        return
    ok = np.broadcast_to(ok, found.shape)
    if found.ndim == 0:
        what = described(found)
    else:
        at = tuple(int(i) for i in np.argwhere(~ok)[0])
        place = at[0] if len(at) == 1 else at
        what = f"{found[at].item()} at index {place} of {found.shape}"
    raise ValueError(f"{named(owner)}: expected {name} {expected}, found {what}.")


def _known(owner: Any, name: str, value: Any) -> np.ndarray | None:
    """Known real numbers; text and complex numbers are refused."""
    if value is None or isinstance(value, str | bytes):
        raise TypeError(
            f"{named(owner)}: expected {name} to be a number or an array of numbers, "
            f"found {described(value)}."
        )
    if isinstance(value, list | tuple):
        if any(known(leaf) is None for leaf in jax.tree.leaves(value)):
            return None
        value = np.asarray(value)
    found = known(value)
    # An array is not known where other processes hold some of it.
    unknown = Tracer | jax.ShapeDtypeStruct | jax.Array | Learnable
    if found is None and not isinstance(value, unknown):
        raise TypeError(
            f"{named(owner)}: expected {name} to be a number or an array of numbers, "
            f"found {described(value)}."
        )
    if found is not None and found.dtype.kind not in "fiub":
        raise TypeError(
            f"{named(owner)}: expected {name} to be real numbers, found "
            f"{described(found)}."
        )
    return found


def finite(owner: Any, name: str, value: ArrayLike | Any) -> None:
    """Refuse entries that are nan or infinite.

    Args:
        owner: whose argument it is: an object, or the name of a function.
        name: of the argument.
        value: a number or array; what is not known yet passes.

    Raises:
        ValueError: one is; the sentence says which.
        TypeError: they are no real numbers.
    """
    found = _known(owner, name, value)
    if found is not None:
        _refuse(owner, name, "finite", found, np.isfinite(found))


def positive(
    owner: Any, name: str, value: ArrayLike | Any, *, infinite: bool = False
) -> None:
    """Refuse entries that are not above zero, or not finite unless ``infinite``.

    Raises:
        ValueError: one is not; the sentence says which.
        TypeError: they are no real numbers.
    """
    found = _known(owner, name, value)
    if found is not None:
        ok = (found > 0) & (infinite | np.isfinite(found))
        expected = "> 0 and finite" if np.isposinf(found[~ok]).any() else "> 0"
        _refuse(owner, name, expected, found, ok)


def non_negative(
    owner: Any, name: str, value: ArrayLike | Any, *, infinite: bool = False
) -> None:
    """Refuse entries below zero, or not finite unless ``infinite``; nan always.

    Raises:
        ValueError: one is; the sentence says which.
        TypeError: they are no real numbers.
    """
    found = _known(owner, name, value)
    if found is not None:
        ok = (found >= 0) & (infinite | np.isfinite(found))
        expected = ">= 0 and finite" if np.isposinf(found[~ok]).any() else ">= 0"
        _refuse(owner, name, expected, found, ok)


def within(
    owner: Any,
    name: str,
    value: ArrayLike | Any,
    low: float,
    high: float,
    *,
    closed: str = "both",
) -> None:
    """Refuse entries outside an interval; nan always.

    Args:
        owner: as in ``finite``.
        name: of the argument.
        value: a number or array.
        low: lower end.
        high: upper end; it may be infinite.
        closed: which ends belong to the interval: "both", "low", "high" or "neither".

    Raises:
        ValueError: one is; the sentence gives the interval.
        TypeError: they are no real numbers.
    """
    found = _known(owner, name, value)
    if found is None:
        return
    above = found >= low if closed in ("both", "low") else found > low
    below = found <= high if closed in ("both", "high") else found < high
    if np.isinf(high):
        interval = f"{'>=' if closed in ('both', 'low') else '>'} {low:g}"
    else:
        opening = "[" if closed in ("both", "low") else "("
        closing = "]" if closed in ("both", "high") else ")"
        interval = f"in {opening}{low:g}, {high:g}{closing}"
    _refuse(owner, name, interval, found, above & below)


def count(owner: Any, name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no whole number of at least ``least``.

    Raises:
        TypeError: it is not whole: 2.5, True, text, an array.
        ValueError: it is below.
    """
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if whole is None or isinstance(value, bool | np.bool_):
        raise TypeError(
            f"{named(owner)}: expected {name} to be a whole number, found "
            f"{described(value)}."
        )
    if whole < least:
        raise ValueError(
            f"{named(owner)}: expected {name} >= {least}, found {described(value)}."
        )


def shape(owner: Any, name: str, value: Any, expected: tuple[int | str, ...]) -> None:
    """Refuse an array of another shape; what a template or tracer has is looked at too.

    Args:
        owner: as in ``finite``.
        name: of the argument.
        value: an array, or a ``Learnable``.
        expected: a size for each axis, or a letter where any size will do: the same
            letter is the same size.

    Raises:
        ValueError: it has another shape.
    """
    value = getattr(value, "raw", value)
    found = tuple(np.shape(value))
    sizes: dict[str, int] = {}
    fits = len(found) == len(expected) and all(
        size == (sizes.setdefault(want, size) if isinstance(want, str) else want)
        for size, want in zip(found, expected, strict=True)
    )
    if not fits:
        inner = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
        what = f"of shape ({inner})" if expected else "to be one number"
        raise ValueError(
            f"{named(owner)}: expected {name} {what}, found shape {found}."
        )


def increasing(owner: Any, name: str, value: ArrayLike | Any) -> None:
    """Refuse entries that are not finite or not in strict order.

    Raises:
        ValueError: they are not; the sentence gives the first two out of order.
        TypeError: they are no real numbers.
    """
    found = _known(owner, name, value)
    if found is None:
        return
    finite(owner, name, found)
    wrong = np.flatnonzero(np.diff(found) <= 0)
    if wrong.size:
        k = int(wrong[0])
        raise ValueError(
            f"{named(owner)}: expected {name} to increase strictly, found "
            f"{found[k].item()!r} before {found[k + 1].item()!r}."
        )


def weights(owner: Any, name: str, value: ArrayLike | Any) -> None:
    """Refuse weights that are negative or not finite, or that sum to zero.

    Raises:
        ValueError: they are.
        TypeError: they are no real numbers.
    """
    non_negative(owner, name, value)
    found = _known(owner, name, value)
    if found is not None and not found.sum() > 0:
        raise ValueError(
            f"{named(owner)}: expected {name} with a sum > 0, found {found.size} "
            "weights that sum to 0."
        )


def covariance(
    owner: Any, name: str, value: ArrayLike | Any, *, singular: bool = False
) -> None:
    """Refuse a matrix, or a stack of them, that is not symmetric positive definite.

    Judged in units of its own diagonal, so the same at any scale.

    Args:
        owner: as in ``finite``.
        name: of the argument.
        value: ``(d, d)``, or any number of these.
        singular: positive semidefinite is enough.

    Raises:
        ValueError: it is not.
        TypeError: its entries are no real numbers.
    """
    found = _known(owner, name, value)
    if found is None:
        return
    finite(owner, name, found)
    matrix = np.asarray(found, np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"{named(owner)}: expected {name} of shape (d, d), found {found.shape}."
        )
    kind = "semidefinite" if singular else "definite"
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    if not (diagonal >= 0 if singular else diagonal > 0).all():
        raise ValueError(
            f"{named(owner)}: expected {name} positive {kind}, found "
            f"{diagonal.min():g} on its diagonal."
        )
    root = np.sqrt(np.where(diagonal > 0, diagonal, 1))
    scaled = matrix / root[..., :, None] / root[..., None, :]
    gap = np.abs(scaled - np.swapaxes(scaled, -1, -2)).max(initial=0)
    if gap > _ASYMMETRY:
        raise ValueError(
            f"{named(owner)}: expected {name} symmetric, found entries that differ "
            f"from their mirror images by {gap:.3g} (in units of its diagonal)."
        )
    least = np.linalg.eigvalsh(scaled).min(initial=np.inf)
    if not (least > -_ASYMMETRY if singular else least > 0):
        raise ValueError(
            f"{named(owner)}: expected {name} positive {kind}, found the least "
            f"eigenvalue {least:.3g} (in units of its diagonal)."
        )
