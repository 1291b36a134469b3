"""From a mapping of a config to an object of the library, and the only way there."""

import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from pydantic_core import core_schema

from ._params import HERE, closest, shown, unknown_key


Spec = dict[str, Any]

Rooms = ModuleType | Sequence[ModuleType]

# Names that configs used before they took those of the classes.
_BEFORE = {
    "particle": "ParticleFilter",
    "transport": "CouplingTransport",
    "moments": "MomentTransport",
    "trained": "TrainedTransport",
    "energy": "EnergyDistance",
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
    first, from the room of the class that the signature asks for.

    Args:
        spec: the mapping; a string is the name of a class that needs no arguments.
        rooms: modules where the class is looked up, in ``__all__`` and nowhere else,
            so that nothing in a config names code to import.
        of: a contract that the class fulfils, or a tuple of them.
        place: the dotted key of the config, which begins a refusal.
        given: arguments that no config can hold, such as a dimension or a key; each is
            used where the signature has it and the config does not.

    Raises:
        ValueError: no class of that name, an argument too many, one missing, or what
            the class itself refuses.
    """
    cls = _class_of(spec, rooms, of, place)
    arguments = {} if isinstance(spec, str) else dict(spec)
    arguments.pop("kind", None)
    parameters = _parameters(cls)
    _refuse_unknown(arguments, parameters, place)
    hints = _hints(cls)
    made = {
        name: _built(value, hints.get(name), rooms, _joined(place, name), given)
        for name, value in arguments.items()
    }
    made |= {n: v for n, v in given.items() if n in parameters and n not in made}
    _refuse_missing(made, parameters, place)
    try:
        return cls(**made)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}" if place else str(error)) from error


class Part:
    """Marks a key of ``Params`` as a component: ``Annotated[Spec, Part(kernels)]``.

    The component is built once when the config is read, so that what its class refuses
    is said before anything is computed; the study builds it again where it is used.

    Args:
        rooms: modules where its class is looked up.
        of: a contract that the class fulfils.
        needs: arguments that the study gives itself (see ``build``). Where there are
            any, names alone are checked when the config is read.
    """

    def __init__(self, *rooms: ModuleType, of: Any = object, needs: Sequence[str] = ()):
        self.rooms, self.of, self.needs = rooms, of, tuple(needs)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self._checked,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda spec: spec
            ),
        )

    def _checked(self, spec: Any) -> Spec:
        if self.needs:
            _named(spec, self.rooms, self.of, HERE, self.needs)
        else:
            build(spec, self.rooms, self.of, HERE)
        return {"kind": spec} if isinstance(spec, str) else spec


def _class_of(spec: Any, rooms: Rooms, of: Any, place: str) -> type[Any]:
    rooms = [rooms] if isinstance(rooms, ModuleType) else rooms
    asked = spec.get("kind") if isinstance(spec, Mapping) else spec
    classes = {
        name: found
        for room in rooms
        for name in room.__all__
        # What a room loads when it is asked for may need an extra: only by its name.
        if isinstance(
            found := getattr(room, name) if name == asked else vars(room).get(name),
            type,
        )
        and issubclass(found, of)
        and not issubclass(found, BaseException)
        and not name.startswith("Abstract")
    }
    start = f"{place}: " if place else ""
    valid = ", ".join(sorted(classes))
    kind = spec
    if isinstance(spec, Mapping):
        if "kind" not in spec:
            raise ValueError(f"{_joined(place, 'kind')} is missing: {valid}.")
        kind = spec["kind"]
    if not isinstance(kind, str):
        raise ValueError(
            f"{start}expected a kind and its arguments, found {shown(spec)}."
        )
    if kind not in classes:
        later = {n for room in rooms for n in room.__all__ if n not in vars(room)}
        plain = {_plain(name): name for name in (*classes, *later)}
        nearest = (
            plain.get(_plain(_BEFORE.get(kind, kind)))
            or closest(kind, classes)
            or plain.get(closest(_plain(kind), plain) or "")
        )
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ValueError(
            f"{_joined(place, 'kind')}: expected one of {valid}, found {kind!r}.{hint}"
        )
    return classes[kind]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _parameters(cls: type[Any]) -> dict[str, inspect.Parameter]:
    return {
        name: parameter
        for name, parameter in inspect.signature(cls).parameters.items()
        if not name.startswith("_")
        and parameter.kind
        in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }


def _refuse_unknown(arguments: Iterable[str], valid: Iterable[str], place: str) -> None:
    for name in arguments:
        if name not in valid:
            raise ValueError(unknown_key(_joined(place, name), valid))


def _refuse_missing(
    made: Iterable[str], parameters: Mapping[str, inspect.Parameter], place: str
) -> None:
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in made:
            raise ValueError(f"{_joined(place, name)} is missing.")


def _hints(cls: type[Any]) -> dict[str, Any]:
    """Annotations of the constructor; none where they name what is not loaded."""
    try:
        own = typing.get_type_hints(cls.__init__)
        return own or typing.get_type_hints(cls)
    except NameError:
        return {}


def _below(hint: Any, rooms: Rooms) -> tuple[list[ModuleType], Any]:
    """Where an argument's class is looked up and what it is one of."""
    homes, fitting, rest = [], [], [hint]
    while rest:
        part = typing.get_origin(rest[-1]) or rest[-1]
        rest += typing.get_args(rest.pop())
        own = isinstance(part, type) and part.__module__.startswith("wflow.")
        if own:
            homes.append(sys.modules[".".join(part.__module__.split(".")[:2])])
        # Functions are parts, too: of classes whose objects can be called.
        if own or part is Callable:
            fitting.append(part)
    above = [rooms] if isinstance(rooms, ModuleType) else list(rooms)
    return [*homes, *above], tuple(fitting) or object


def _is_spec(value: Any) -> bool:
    return isinstance(value, Mapping) and "kind" in value


def _built(value: Any, hint: Any, rooms: Rooms, place: str, given: Any) -> Any:
    if _is_spec(value):
        return build(value, *_below(hint, rooms), place, **given)
    if not isinstance(value, list):
        return value
    items = [
        _built(item, hint, rooms, f"{place}.{k}", given) if _is_spec(item) else item
        for k, item in enumerate(value)
    ]
    # YAML has no tuples; what is compared and hashed has to be one.
    return tuple(items) if typing.get_origin(hint) is tuple else items


def _named(spec: Any, rooms: Rooms, of: Any, place: str, needs: Sequence[str]) -> None:
    """Check classes and names of arguments alone, all the way down."""
    cls = _class_of(spec, rooms, of, place)
    arguments = {} if isinstance(spec, str) else {**spec}
    arguments.pop("kind", None)
    parameters, hints = _parameters(cls), _hints(cls)
    _refuse_unknown(arguments, parameters, place)
    _refuse_missing({*needs, *arguments}, parameters, place)
    for name, value in arguments.items():
        found, below = _below(hints.get(name), rooms), _joined(place, name)
        if _is_spec(value):
            _named(value, *found, below, needs)
        elif isinstance(value, list) and any(map(_is_spec, value)):
            for k, each in enumerate(value):
                _named(each, *found, f"{below}.{k}", needs)
