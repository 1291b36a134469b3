"""Refusals of parts and options that are not what was expected."""

from collections.abc import Iterable
from types import UnionType
from typing import Any, TypeVar, overload

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from .arrays import described
from .ranges import named


def one_of(owner: Any, name: str, value: Any, options: Iterable[Any]) -> None:
    """Refuse an option that does not exist.

    Args:
        owner: whose argument it is: an object, or the name of a function.
        name: of the argument.
        value: the option.
        options: all that exist.

    Raises:
        ValueError: there is no such option; the sentence lists those that exist.
    """
    options = tuple(options)
    if not any(type(value) is type(option) and value == option for option in options):
        listed = [repr(option) for option in options]
        text = (
            listed[0]
            if len(listed) == 1
            else " or ".join([", ".join(listed[:-1]), listed[-1]])
        )
        raise ValueError(
            f"{named(owner)}: expected {name} {text}, found {described(value)}."
        )


Part = TypeVar("Part")


@overload
def instance(
    owner: Any, name: str, value: Any, kind: type[Part], what: str
) -> Part: ...


@overload
def instance(
    owner: Any, name: str, value: Any, kind: UnionType | tuple[type, ...], what: str
) -> Any: ...


def instance(owner: Any, name: str, value: Any, kind: Any, what: str) -> Any:
    """A part, refused where it does not fulfill a contract.

    Args:
        owner: as in ``one_of``.
        name: of the argument.
        value: the part.
        kind: the contract, or several.
        what: the contract in words, with its article: "an energy".

    Raises:
        TypeError: it does not; the sentence gives its type.
    """
    if not isinstance(value, kind):
        hint = ""
        if isinstance(value, type) and issubclass(value, kind):
            hint = f"; call it: {value.__name__}(...)"
        found = described(value) if isinstance(value, type) else type(value).__name__
        raise TypeError(
            f"{named(owner)}: expected {name} to be {what}, found {found}{hint}."
        )
    return value


def function(owner: Any, name: str, value: Any, signature: str) -> None:
    """Refuse what cannot be called.

    Args:
        owner: as in ``one_of``.
        name: of the argument.
        value: the function.
        signature: how it will be called, for the sentence: "x".

    Raises:
        TypeError: it cannot.
    """
    if not callable(value) or isinstance(value, type):
        raise TypeError(
            f"{named(owner)}: expected {name} to be a function of {signature}, found "
            f"{described(value)}."
        )


def random_key(owner: Any, name: str, value: Any) -> PRNGKeyArray:
    """One random key, typed, from a typed key or from the raw numbers of one.

    Args:
        owner: as in ``one_of``.
        name: of the argument.
        value: the key.

    Raises:
        TypeError: it is none, or several.
    """
    key: Any = value
    if isinstance(value, jax.Array) and value.dtype == jnp.uint32 and value.ndim == 1:
        try:
            key = jax.random.wrap_key_data(value)
        except (TypeError, ValueError):
            key = None
    typed = isinstance(key, jax.Array) and jnp.issubdtype(
        key.dtype, jax.dtypes.prng_key
    )
    if not typed or key.ndim:
        raise TypeError(
            f"{named(owner)}: expected {name} to be one random key, as "
            f"jax.random.key(0), found {described(value)}."
        )
    return key
