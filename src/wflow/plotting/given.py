"""What a figure is given: made arrays of real numbers, or refused in a sentence.

Values that are not finite leave gaps in a curve, a cloud or a landscape; the axes that
these are drawn against have to be finite.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wflow.checks import finite, increasing, instance, known, shape


def real(
    owner: str, name: str, value: Any, expected: tuple[int | str, ...]
) -> np.ndarray:
    """``value`` in float64, of the expected shape and with one entry at least.

    Masked entries are nan.

    Raises:
        TypeError: it holds something else than real numbers.
        ValueError: it has another shape, or is empty.
    """
    if isinstance(value, np.ma.MaskedArray):
        value = value.astype(np.float64).filled(np.nan)
    found = known(value)
    if found is None:
        try:
            found = np.asarray(value)
        except (TypeError, ValueError):
            found = np.asarray(None)
    if found.dtype.kind not in "fiub":
        what = (
            f"an array of {found.dtype}"
            if found.ndim
            else f"an object of type {type(value).__name__}"
        )
        raise TypeError(
            f"{owner}: expected {name} to be an array of real numbers, found {what}."
        )
    shape(owner, name, found, expected)
    if found.size == 0:
        raise ValueError(
            f"{owner}: expected {name} with one entry at least, found none."
        )
    return found.astype(np.float64)


def axis(
    owner: str, name: str, value: Any, size: int | str = "n", *, ordered: bool = False
) -> np.ndarray:
    """Finite numbers that something is drawn against; increasing if ``ordered``."""
    found = real(owner, name, value, (size,))
    finite(owner, name, found)
    if ordered:
        increasing(owner, name, found)
    return found


def grid(owner: str, name: str, value: Any) -> np.ndarray:
    """Two numbers or more in increasing order."""
    found = axis(owner, name, value, ordered=True)
    if len(found) < 2:
        raise ValueError(
            f"{owner}: expected {name} of two numbers or more, found {len(found)}."
        )
    return found


def number(owner: str, name: str, value: Any) -> float:
    """One finite number."""
    found = real(owner, name, value, ())
    finite(owner, name, found)
    return float(found)


def clouds(
    owner: str,
    name: str,
    value: Any,
    size: int | None = None,
    dim: int | None = None,
    *,
    missing: bool = False,
) -> list[np.ndarray | None]:
    """A cloud ``(n, d)`` for each time, all of one dimension; None where it may be."""
    entries = listed(owner, name, value, size, "a cloud for each time")
    found: list[np.ndarray | None] = []
    for k, entry in enumerate(entries):
        if entry is None and missing:
            found.append(None)
            continue
        cloud = real(owner, f"{name} {k}", entry, ("n", "d" if dim is None else dim))
        dim = cloud.shape[1]
        found.append(cloud)
    return found


def listed(owner: str, name: str, value: Any, size: int | None, what: str) -> list[Any]:
    """The entries of a sequence, as many as there are expected."""
    single = getattr(value, "ndim", 1) == 0 or not hasattr(value, "__len__")
    if single or isinstance(value, str | bytes | Mapping):
        raise TypeError(
            f"{owner}: expected {name} to be {what}, found {type(value).__name__}."
        )
    entries = list(value)
    if not entries or (size is not None and len(entries) != size):
        expected = "one at least" if size is None else f"{size} of them"
        raise ValueError(
            f"{owner}: expected {name} to be {what}, {expected}, found {len(entries)}."
        )
    return entries


def named(owner: str, name: str, value: Any, what: str) -> dict[str, Any]:
    """A mapping from names that is not empty."""
    instance(owner, name, value, Mapping, f"a mapping from names to {what}")
    for key in value:
        instance(owner, f"the keys of {name}", key, str, "names")
    if not value:
        raise ValueError(f"{owner}: expected {name} to hold {what}, found none.")
    return dict(value)


def text(owner: str, **values: Any) -> None:
    """Refuse what is no text."""
    for name, value in values.items():
        instance(owner, name, value, str, "a text")


def switch(owner: str, **values: Any) -> None:
    """Refuse what is neither true nor false."""
    for name, value in values.items():
        instance(owner, name, value, (bool, np.bool_), "true or false")
