"""Hostile calls: every argument of a healthy call is spoiled in turn.

A table names, for every public name of a room, a call that works and its arguments,
each with what may be put there. What comes back is judged: the right thing, a sentence
that names the argument, or something else.
"""

import contextlib
import dataclasses
import inspect
import math
import re
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


LONGEST_SENTENCE = 600
# Of the wall: on a busy machine what takes a second may take many.
SECONDS = 300

Mutation = Literal[
    "nan",
    "inf",
    "zero",
    "negative",
    "fraction",
    "complex",
    "shape",
    "short",
    "empty",
    "text",
    "none",
    "other",
]


@dataclasses.dataclass(frozen=True)
class Argument:
    """A healthy value, how it is spoiled, and which of that has a meaning after all.

    Attributes:
        value: the healthy value.
        mutations: what is put in its place, by name.
        fine: mutations that are computed, not refused. A finite input then has to give
            finite numbers; nan and infinity have to show.
        finite: mutations among ``fine`` that may swallow a nan or an infinity, because
            that is their meaning (a bandwidth of infinity).
        words: what a sentence may say in place of the argument's name.
    """

    value: Any
    mutations: dict[str, Any]
    fine: frozenset[str] = frozenset()
    finite: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


def _set(*names: str | tuple[str, ...]) -> frozenset[str]:
    return frozenset(
        part for name in names for part in ((name,) if isinstance(name, str) else name)
    )


def _scalars(value: float) -> dict[str, Any]:
    return {
        "nan": math.nan,
        "inf": math.inf,
        "zero": 0.0,
        "negative": -abs(value) or -1.0,
        "complex": complex(value, 1.0),
        "shape": np.full(3, float(value)),
        "text": "spoiled",
    }


def number(
    value: float, *, fine: Any = (), finite: Any = (), words: Any = ()
) -> Argument:
    """Any real number."""
    return Argument(
        value,
        _scalars(value),
        _set("zero", "negative", fine),
        _set(finite),
        tuple(words),
    )


def positive(
    value: float, *, fine: Any = (), finite: Any = (), words: Any = ()
) -> Argument:
    """A number > 0."""
    return Argument(value, _scalars(value), _set(fine), _set(finite), tuple(words))


def non_negative(
    value: float, *, fine: Any = (), finite: Any = (), words: Any = ()
) -> Argument:
    """A number >= 0."""
    return Argument(
        value, _scalars(value), _set("zero", fine), _set(finite), tuple(words)
    )


def count(value: int, *, fine: Any = (), words: Any = ()) -> Argument:
    """A whole number >= 1."""
    spoiled = {
        "zero": 0,
        "negative": -1,
        "fraction": value + 0.5,
        "nan": math.nan,
        "text": "spoiled",
    }
    return Argument(value, spoiled, _set(fine), frozenset(), tuple(words))


def _arrays(value: Any) -> dict[str, Any]:
    array = np.asarray(value, float)
    at = (0,) * array.ndim

    def with_first(entry: float) -> np.ndarray:
        spoiled = array.copy()
        spoiled[at] = entry
        return spoiled

    return {
        "nan": with_first(math.nan),
        "inf": with_first(math.inf),
        "zero": np.zeros_like(array),
        "negative": -np.abs(array) - (np.abs(array) == 0),
        "complex": array + 1j,
        "shape": array[..., None],
        "short": array[:-1],
        "empty": array[:0],
        "text": np.full(array.shape, "spoiled"),
    }


def array(value: Any, *, fine: Any = (), finite: Any = (), words: Any = ()) -> Argument:
    """Real numbers of any sign; ``fine="short"`` where the length is free."""
    return Argument(
        jnp.asarray(value),
        _arrays(value),
        _set("zero", "negative", fine),
        _set(finite),
        tuple(words),
    )


def masses(
    value: Any, *, fine: Any = (), finite: Any = (), words: Any = ()
) -> Argument:
    """Numbers >= 0 that do not sum to zero."""
    return Argument(
        jnp.asarray(value), _arrays(value), _set(fine), _set(finite), tuple(words)
    )


def choice(value: Any, *, fine: Any = (), words: Any = ()) -> Argument:
    """One of several options."""
    spoiled = {"other": "spoiled", "none": None, "nan": math.nan}
    return Argument(value, spoiled, _set(fine), frozenset(), tuple(words))


def part(value: Any, *, fine: Any = (), words: Any = ()) -> Argument:
    """An object that fulfills a contract: an energy, a kernel, a measure."""
    spoiled = {"text": "spoiled", "other": 1.5, "none": None}
    return Argument(value, spoiled, _set(fine), frozenset(), tuple(words))


def function(value: Callable, *, fine: Any = (), words: Any = ()) -> Argument:
    """A function."""
    spoiled = {"text": "spoiled", "other": 1.5, "none": None}
    return Argument(value, spoiled, _set(fine), frozenset(), tuple(words))


def given(value: Any, **spoiled: Any) -> Argument:
    """Anything else, spoiled by hand; each of these has to be refused."""
    return Argument(value, spoiled)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A healthy call: ``call`` of the values of ``arguments``.

    A class as ``call`` has to refuse nan and infinity; a function that makes the
    object and uses it may let them through to what it returns.
    """

    call: Callable[..., Any]
    arguments: dict[str, Argument]


def entry(call: Callable[..., Any], /, **arguments: Argument | Any) -> Entry:
    """An entry of a table; what is no ``Argument`` is passed as it is."""
    fixed = {k: v for k, v in arguments.items() if not isinstance(v, Argument)}
    spoiled = {k: v for k, v in arguments.items() if isinstance(v, Argument)}
    if fixed:
        inner = call

        def call(**more: Any) -> Any:
            return inner(**fixed, **more)

        call.is_class = inspect.isclass(inner)
    return Entry(call, spoiled)


@eqx.filter_jit
def asked(method: Callable[..., Any], *arguments: Any) -> Any:
    """What the method of a module returns, by one program.

    Operation by operation it would be a program for each. What is refused when a module
    is made is made outside.
    """
    return method(*arguments)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one spoiled call ended."""

    case: str
    kind: Literal["right", "sentence", "words", "accepted", "nan", "crash", "hang"]
    text: str

    @property
    def bad(self) -> bool:
        """Whether it must not happen at all."""
        return self.kind in ("accepted", "nan", "crash", "hang")


class _LongError(BaseException):
    pass


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise _LongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _numbers(value: Any) -> list[np.ndarray]:
    """The floating-point numbers in a result."""
    leaves = jax.tree.leaves(value)
    arrays = []
    for leaf in leaves:
        if isinstance(leaf, bool | int | str) or callable(leaf) or _is_key(leaf):
            continue
        if dataclasses.is_dataclass(leaf) and not isinstance(leaf, type):
            fields = [getattr(leaf, f.name, None) for f in dataclasses.fields(leaf)]
            arrays += _numbers(fields)
        elif eqx.is_array_like(leaf) or isinstance(leaf, np.ndarray | np.generic):
            found = np.asarray(leaf)
            if jnp.issubdtype(found.dtype, jnp.floating):
                arrays.append(found.astype(float))
    return arrays


def _is_key(leaf: Any) -> bool:
    """Whether it is a random key, which has no numbers."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(
        leaf.dtype, jax.dtypes.prng_key
    )


def _judge(
    name: str, argument: Argument, mutation: str, call: Callable[[], Any], made: bool
) -> tuple[str, str]:
    error, value = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _at_most(SECONDS):
                value = jax.block_until_ready(call())
        except _LongError:
            return "hang", f"not back after {SECONDS} s"
        except Exception as raised:
            error = raised
    words = (rf"\b{re.escape(name)}\b", *argument.words)
    if error is not None:
        return _sentence(error, words)
    told = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    if any(re.search(word, text, re.IGNORECASE) for word in words for text in told):
        return "sentence", told[0]
    numbers = _numbers(value)
    lost = any(not np.isfinite(array).all() for array in numbers)
    if mutation in ("nan", "inf"):
        if mutation in argument.fine and (mutation in argument.finite or lost):
            return "right", ""
        if lost and not made:
            return "right", ""
        return "accepted", f"{mutation} was taken"
    if mutation not in argument.fine:
        return "accepted", f"{mutation} was taken"
    if lost and mutation not in argument.finite:
        return "nan", f"not finite for {mutation}"
    return "right", ""


def _sentence(error: Exception, words: tuple[str, ...]) -> tuple[str, str]:
    text = str(error)
    shown = f"{type(error).__name__}: {' '.join(text.split())[:200]}"
    own = type(error).__module__.partition(".")[0] == "wflow"
    if not (own or isinstance(error, ValueError | TypeError)):
        return "crash", shown
    frames = traceback.extract_tb(error.__traceback__)
    raised = frames[-1].filename.replace("\\", "/") if frames else ""
    # An estimator's data are for scikit-learn to look at, as its interface asks.
    ours = "/wflow/" in raised or "/sklearn/" in raised
    # What a part cannot act on is named by its type, whatever the argument is called.
    words = (*words, "does not act on")
    named = any(re.search(word, text, re.IGNORECASE) for word in words)
    if not ours or not named or len(text) >= LONGEST_SENTENCE:
        return "words", shown
    return "sentence", shown


def attack(name: str, of: Entry) -> Iterator[Outcome]:
    """Spoil every argument of an entry in turn; the healthy call comes first.

    Raises:
        AssertionError: the healthy call does not end in finite numbers.
    """
    healthy = {key: argument.value for key, argument in of.arguments.items()}
    made = getattr(of.call, "is_class", inspect.isclass(of.call))
    filtering = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _numbers(jax.block_until_ready(of.call(**healthy)))
        assert not any(np.isnan(array).any() for array in found), name
        for key, argument in of.arguments.items():
            for mutation, value in argument.mutations.items():
                spoiled = healthy | {key: value}
                kind, text = _judge(
                    key, argument, mutation, lambda s=spoiled: of.call(**s), made
                )
                yield Outcome(f"{name}({key}: {mutation})", kind, text)
    finally:
        jax.config.update("jax_traceback_filtering", filtering)
