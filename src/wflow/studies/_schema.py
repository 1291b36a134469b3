"""JSON schema of configs, from parameters and from what ``build`` reads."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, Literal, Union

from pydantic import BaseModel

from wflow.parameters import Learnable

from ._build import found_in, hints_of, kinds, only_kind, parameters_of
from ._catalog import load, names
from ._parts import PLACE, Options


DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string"}
_LEARN = {
    "type": "object",
    "properties": {"learn": {"type": "number"}, "positive": {"type": "boolean"}},
    "required": ["learn"],
    "description": "A number that is learned, from where it starts.",
}


def schema(task: str | None = None) -> dict[str, Any]:
    """The JSON schema of the configs of a study, or of every one.

    Raises:
        ValueError: there is no study of that name.
    """
    defs: dict[str, Any] = {}
    found = [_of_study(name, defs) for name in ([task] if task else names())]
    top = found[0] if task else {"oneOf": found}
    return {"$schema": DIALECT, **top, "$defs": defs}


def _of_study(name: str, defs: dict[str, Any]) -> dict[str, Any]:
    model = load(name).config
    made = model.model_json_schema()
    for key, value in made.pop("$defs", {}).items():
        defs[key] = _filled(value, defs)
    described(made, model)
    return _filled(made, defs)


def described(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put what the docstrings say of keys, and of the study, into its schema."""
    said = attributes(model)
    schema["description"] = summary(model)
    for key, value in schema.get("properties", {}).items():
        if key in said:
            value.setdefault("description", said[key])


def summary(owner: Any) -> str:
    """The first sentence of a docstring."""
    text = inspect.getdoc(owner) or ""
    return " ".join(text.partition("\n\n")[0].split())


def attributes(owner: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each of its fields."""
    found: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        if "__doc__" in vars(base):
            found |= arguments(base)
    return found


def arguments(owner: Any) -> dict[str, str]:
    """What a docstring says of each argument or attribute."""
    text = inspect.cleandoc(getattr(owner, "__doc__", None) or "")
    found: dict[str, str] = {}
    for section in re.findall(
        r"^(?:Args|Attributes):\n((?:[ ]+.*\n?|\n)*)", text, re.M
    ):
        for names_, said in re.findall(
            r"^[ ]{4}(\w[\w, ]*):[ ]((?:.*\n?)(?:^[ ]{5,}.*\n?|^\n)*)", section, re.M
        ):
            for name in names_.split(","):
                found[name.strip()] = " ".join(said.split())
    return found


def _filled(value: Any, defs: dict[str, Any]) -> Any:
    """A schema with the components put in."""
    if isinstance(value, list):
        return [_filled(item, defs) for item in value]
    if not isinstance(value, dict):
        return value
    if PLACE not in value:
        return {key: _filled(item, defs) for key, item in value.items()}
    rest = {key: item for key, item in value.items() if key != PLACE}
    mark = value[PLACE]
    if isinstance(mark, Options):
        made = _options(mark, defs)
    else:
        made = _component(mark.rooms, mark.of, defs, mark.needs)
        if mark.optional:
            made = {"anyOf": [made, {"type": "null"}]}
    return {**made, **rest}


def _options(mark: Options, defs: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for function in reversed(mark.functions):
        properties |= _arguments(function, (), defs, mark.needs)["properties"]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _component(
    rooms: Iterable[Any], of: Any, defs: dict[str, Any], needs: Iterable[str] = ()
) -> dict[str, Any]:
    """One of the classes that fulfill a contract; a name, or a name and arguments."""
    rooms, needs = tuple(rooms), tuple(needs)
    name = _contract(of)
    if name not in defs:
        # Known before its arguments are: they may be of the same contract.
        defs[name] = {}
        only = only_kind(of)
        found = kinds(rooms, of, only)
        options: list[Any] = []
        for kind, make in sorted(found.items()):
            one = _arguments(make, rooms, defs, (*needs, "dim", "key"))
            one["properties"] = {"kind": {"const": kind}, **one["properties"]}
            if kind != only:
                one["required"] = ["kind", *one.get("required", [])]
            one["description"] = summary(make)
            options.append(one)
        bare = [kind for kind, one in zip(sorted(found), options, strict=True)]
        options.append({"enum": bare})
        # A list is a sum, ``Class.constructor`` another way to make one.
        options.append({"type": "array", "items": {"$ref": f"#/$defs/{name}"}})
        dotted = {"type": "string", "pattern": r"^\w+\.\w+$"}
        options.append({"type": "object", "properties": {"kind": dotted}})
        defs[name] = {"anyOf": options}
    return {"$ref": f"#/$defs/{name}"}


def _contract(of: Any) -> str:
    """The name of a contract, or of several."""
    each = of if isinstance(of, tuple) else (of,)
    return "-".join(getattr(one, "__name__", "Any") for one in each)


def _arguments(
    make: Callable[..., Any],
    rooms: Any,
    defs: dict[str, Any],
    given: Iterable[str] = (),
) -> dict[str, Any]:
    hints, said, given = hints_of(make), arguments(make), set(given)
    if isinstance(make, type):
        said = {**attributes(make), **arguments(make.__init__), **said}
    properties, required = {}, []
    for name, parameter in parameters_of(make).items():
        if name in given:
            continue
        one = _hinted(hints.get(name), rooms, defs)
        if name in said:
            one = {**one, "description": said[name]}
        if parameter.default is inspect.Parameter.empty:
            required.append(name)
        elif isinstance(parameter.default, bool | int | float | str | None):
            one = {**one, "default": parameter.default}
        properties[name] = one
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**found, "required": required} if required else found


def _hinted(hint: Any, rooms: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """What an annotation takes; anything, where it says nothing that a schema can."""
    options: list[dict[str, Any]] = []
    for one in _members(hint):
        origin = typing.get_origin(one)
        if one is type(None):
            options.append({"type": "null"})
        elif one in _PLAIN:
            options.append({"type": _PLAIN[one]})
        elif origin is Literal:
            options.append({"enum": list(typing.get_args(one))})
        elif one is Learnable:
            options.append(_LEARN)
        elif origin in (tuple, list) or getattr(one, "__name__", "") == "Sequence":
            options.append({"type": "array"})
        elif isinstance(one, type) and one.__module__.startswith("wflow."):
            homes, of = found_in(one, rooms)
            options.append(_component(homes, of, defs))
        else:
            return {}
    return options[0] if len(options) == 1 else {"anyOf": options} if options else {}


def _members(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return [m for part in typing.get_args(hint) for m in _members(part)]
    return [] if hint in (None, inspect.Parameter.empty, Any) else [hint]
