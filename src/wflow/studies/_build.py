"""From a mapping of a config to an object of the library, and the only way there."""

import functools
import inspect
import operator
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax

from wflow.parameters import Learnable

from ._params import closest, shown, unknown_key


Spec = dict[str, Any]

Rooms = ModuleType | Sequence[ModuleType]

# Names that configs used before they took those of the classes.
_BEFORE = {
    "particle": "ParticleFilter",
    "transport": "CouplingTransport",
    "moments": "MomentTransport",
    "trained": "TrainedTransport",
    "energy": "EnergyDistance",
    "attention": "AttentionPotential",
    "mlp": "MLPPotential",
    "pair": "PairPotential",
    "polynomial": "Potential",
    "bumps": "Potential",
    "radial_bumps": "Interaction",
    "morse": "Interaction",
    "gaussian_pair": "Interaction",
    "power": "Interaction",
    "ot": "Displacement",
    "smoothed_ot": "SmoothedDisplacement",
    "random": "RandomHorizon",
    "full": "FullHorizon",
    "fixed": "FixedHorizon",
    "characteristic": "CharacteristicDistance",
    "msip": "MeanShift",
    "aldi_gradient_free": "ALDI",
    "mixture": "GaussianMixture",
    "normal": "Gaussian",
}


def build(
    spec: Any, rooms: Rooms, of: Any = object, place: str = "", **given: Any
) -> Any:
    """An object of a public class, from its name and its arguments.

    ``{"kind": "EnKF", "inflation": 1.04}`` is ``EnKF(inflation=1.04)``. An argument
    that is a mapping with a ``kind`` itself, or a list with such mappings, is built
    first, from the room of the class that the signature asks for. Where that is one
    final class, ``kind`` may be left out. ``{"learn": 0.3}`` in place of a number is
    ``Learnable(0.3)``, ``{"learn": 0.3, "positive": False}`` one of any sign. A list in
    place of a component that can be added is the sum of what stands in it.

    Args:
        spec: the mapping; a string is the name of a class that needs no arguments.
            ``Bumps.lattice`` names a constructor of a class.
        rooms: modules where the class is looked up, in ``__all__`` and nowhere else,
            so that nothing in a config names code to import.
        of: a contract that the class fulfills, or a tuple of them. A function counts as
            what it returns.
        place: the dotted key of the config, which begins a refusal.
        given: arguments that no config can hold, such as a dimension or a key; each is
            used where the signature has it and the config does not. Of several
            components in a list each has a ``key`` of its own.

    Raises:
        ValueError: no class of that name, an argument too many, one missing, or what
            the class itself refuses.
    """
    if isinstance(spec, list) and spec and _added(of):
        parts = _each(spec, rooms, of, place, given, every=True)
        return functools.reduce(operator.add, parts)
    make = _maker(spec, rooms, of, place)
    parameters = parameters_of(make)
    made = arguments_of(spec, make, rooms, place, given)
    made |= {n: v for n, v in given.items() if n in parameters and n not in made}
    refuse_missing(made, parameters, place)
    try:
        return make(**made)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}" if place else str(error)) from error


def _maker(spec: Any, rooms: Rooms, of: Any, place: str) -> Callable[..., Any]:
    """The class, constructor or function that ``spec`` names."""
    rooms = [rooms] if isinstance(rooms, ModuleType) else rooms
    asked = spec.get("kind", only_kind(of)) if isinstance(spec, Mapping) else spec
    found = kinds(rooms, of, asked)
    start = f"{place}: " if place else ""
    valid = ", ".join(sorted(found))
    kind = spec
    if isinstance(spec, Mapping):
        kind = spec.get("kind", only_kind(of))
        if kind is None:
            raise ValueError(f"{_joined(place, 'kind')} is missing: {valid}.")
    if not isinstance(kind, str):
        raise ValueError(
            f"{start}expected a kind and its arguments, found {shown(spec)}."
        )
    name, _, constructor = kind.partition(".")
    if name in found and constructor:
        method = getattr(found[name], constructor, None)
        if inspect.ismethod(method) and not constructor.startswith("_"):
            return method
    if kind not in found:
        later = {n for room in rooms for n in room.__all__ if n not in vars(room)}
        plain = {_plain(name): name for name in (*found, *later)}
        nearest = (
            plain.get(_plain(_BEFORE.get(kind, kind)))
            or closest(kind, found)
            or plain.get(closest(_plain(kind), plain) or "")
        )
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ValueError(
            f"{_joined(place, 'kind')}: expected one of {valid}, found {kind!r}.{hint}"
        )
    return found[kind]


def kinds(rooms: Rooms, of: Any, asked: Any = None) -> dict[str, Any]:
    """The classes and functions of ``rooms`` that are, or return, one of ``of``.

    What a room loads when it is asked for may need an extra: only if its name is
    ``asked`` for.
    """
    return {
        name: public
        for room in ([rooms] if isinstance(rooms, ModuleType) else rooms)
        for name in room.__all__
        if _fulfills(
            public := getattr(room, name) if name == asked else vars(room).get(name), of
        )
        and not _is_contract(name)
    }


def _fulfills(public: Any, of: Any) -> bool:
    """Whether a class, or what a function returns, is one of ``of``."""
    if inspect.isfunction(public) and isinstance(of, type) and of is not object:
        public = hints_of(public).get("return")
    fits = isinstance(public, type) and issubclass(public, of)
    return fits and not issubclass(public, BaseException)


def only_kind(of: Any) -> str | None:
    """The name of the final class that the contract is, if it is one."""
    first, *others = of if isinstance(of, tuple) else (of,)
    final = not (first is object or others or inspect.isabstract(first))
    return first.__name__ if final and not _is_contract(first.__name__) else None


def _is_contract(name: str) -> bool:
    return name.startswith("Abstract")


def _added(of: Any) -> bool:
    """Whether components of that contract can be added."""
    return all(hasattr(c, "__add__") for c in (of if isinstance(of, tuple) else (of,)))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def parameters_of(make: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return {
        name: parameter
        for name, parameter in inspect.signature(make).parameters.items()
        if not name.startswith("_")
        and parameter.kind
        in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }


def arguments_of(
    spec: Any,
    make: Callable[..., Any],
    rooms: Rooms,
    place: str,
    given: Mapping[str, Any],
    reserved: Sequence[str] = (),
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """The arguments in ``spec``, components built; a typo may mean one of ``also``."""
    arguments = {} if isinstance(spec, str) else dict(spec)
    arguments.pop("kind", None)
    valid = [name for name in (*parameters_of(make), *also) if name not in reserved]
    _refuse_unknown(arguments, valid, place)
    hints = hints_of(make)
    return {
        name: _built(value, hints.get(name), rooms, _joined(place, name), given)
        for name, value in arguments.items()
    }


def _refuse_unknown(arguments: Iterable[str], valid: Iterable[str], place: str) -> None:
    for name in arguments:
        if name not in valid:
            raise ValueError(unknown_key(_joined(place, name), valid))


def refuse_missing(
    made: Iterable[str], parameters: Mapping[str, inspect.Parameter], place: str
) -> None:
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in made:
            raise ValueError(f"{_joined(place, name)} is missing.")


def hints_of(make: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of a class's constructor or of a function; none where they fail."""
    try:
        if not isinstance(make, type):
            return typing.get_type_hints(make)
        return typing.get_type_hints(make.__init__) or typing.get_type_hints(make)
    except NameError:
        return {}


def found_in(hint: Any, rooms: Rooms) -> tuple[list[ModuleType], Any]:
    """Where an argument's class is looked up and what it is one of."""
    homes, fitting, rest = [], [], [hint]
    while rest:
        inside = typing.get_args(rest[-1])
        part = typing.get_origin(rest[-1]) or rest[-1]
        rest.pop()
        own = isinstance(part, type) and part.__module__.startswith("wflow.")
        # The measures that a contract is generic in are none of its arguments.
        rest += () if own else inside
        if own:
            homes.append(sys.modules[".".join(part.__module__.split(".")[:2])])
        # Functions are parts, too: of classes whose objects can be called.
        if own or part is Callable:
            fitting.append(part)
    above = [rooms] if isinstance(rooms, ModuleType) else list(rooms)
    return [*homes, *above], tuple(fitting) or object


def _holds_several(hint: Any) -> bool:
    """Whether an argument is a list or a mapping itself, as far as is known."""
    origins = map(typing.get_origin, [hint, *typing.get_args(hint)])
    return hint is None or any(
        isinstance(origin, type) and issubclass(origin, Iterable) for origin in origins
    )


def _is_spec(value: Any) -> bool:
    return isinstance(value, Mapping) and "kind" in value


def _is_component(value: Any, hint: Any, of: Any) -> bool:
    """Whether a value stands for one component, or for the sum of several."""
    if isinstance(value, Mapping):
        return "kind" in value or (of is not object and not _holds_several(hint))
    several = isinstance(value, list) and any(map(_is_spec, value))
    return several and of is not object and not _holds_several(hint)


def _built(value: Any, hint: Any, rooms: Rooms, place: str, given: Any) -> Any:
    found, of = found_in(hint, rooms)
    if isinstance(value, Mapping) and "learn" in value:
        return _learnable(value, place)
    if _is_component(value, hint, of):
        return build(value, found, of, place, **given)
    if not isinstance(value, list):
        return value
    items = (
        _each(value, found, of, place, given) if any(map(_is_spec, value)) else value
    )
    # YAML has no tuples; what is compared and hashed has to be one.
    return tuple(items) if typing.get_origin(hint) is tuple else items


def _each(
    specs: list[Any],
    rooms: Rooms,
    of: Any,
    place: str,
    given: Any,
    every: bool = False,
) -> list[Any]:
    """Components of a list, each with random numbers of its own; all else as it is."""
    own = [given] * len(specs)
    if "key" in given:
        keys = jax.random.split(given["key"], len(specs))
        own = [{**given, "key": key} for key in keys]
    return [
        build(spec, rooms, of, f"{place}.{k}", **own[k])
        if every or _is_spec(spec)
        else spec
        for k, spec in enumerate(specs)
    ]


def _learnable(value: Mapping[str, Any], place: str) -> Learnable:
    """``{"learn": 0.3}``, and ``positive`` beside it."""
    _refuse_unknown(value, ("learn", "positive"), place)
    start, sign = value["learn"], value.get("positive", True)
    try:
        if isinstance(start, bool):
            raise TypeError(f"expected the number that it starts at, found {start}.")
        return Learnable(start, sign)
    except (TypeError, ValueError) as error:
        said = str(error).removeprefix("Learnable: ")
        raise ValueError(f"{_joined(place, 'learn')}: {said}") from error


def check_names(
    spec: Any, rooms: Rooms, of: Any, place: str, needs: Sequence[str]
) -> None:
    """Check classes and names of arguments alone, all the way down."""
    if isinstance(spec, list) and spec and _added(of):
        for k, each in enumerate(spec):
            check_names(each, rooms, of, f"{place}.{k}", needs)
        return
    make = _maker(spec, rooms, of, place)
    arguments = {} if isinstance(spec, str) else dict(spec)
    arguments.pop("kind", None)
    parameters, hints = parameters_of(make), hints_of(make)
    _refuse_unknown(arguments, parameters, place)
    refuse_missing({*needs, *arguments}, parameters, place)
    for name, value in arguments.items():
        hint, below = hints.get(name), _joined(place, name)
        found, contract = found_in(hint, rooms)
        if isinstance(value, Mapping) and "learn" in value:
            _learnable(value, below)
        elif _is_component(value, hint, contract):
            check_names(value, found, contract, below, needs)
        elif isinstance(value, list) and any(map(_is_spec, value)):
            for k, each in enumerate(value):
                if _is_spec(each):
                    check_names(each, found, contract, f"{below}.{k}", needs)
