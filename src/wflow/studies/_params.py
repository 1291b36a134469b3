"""What a study is told: its parameters, and errors that name the key and its place."""

import difflib
import types
from collections.abc import Iterable, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)


Model = TypeVar("Model", bound=BaseModel)


# Stands for the key of a component, in a sentence of those who do not know it.
HERE = "@here"

# In single precision a key holds 32 bits of its seed: beyond, seeds would repeat.
Seed = Annotated[int, Field(ge=0, lt=2**32)]

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]


def _increasing(values: list[Any]) -> list[Any]:
    if sorted(set(values)) != values:
        raise ValueError("expected increasing numbers.")
    return values


def _decreasing(values: list[Any]) -> list[Any]:
    if sorted(set(values), reverse=True) != values:
        raise ValueError("expected decreasing numbers.")
    return values


# Of a list, each number above, or below, the one before.
Increasing, Decreasing = AfterValidator(_increasing), AfterValidator(_decreasing)
# What becomes part of the name of a number in metrics.json.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w+-]*$")]


class Strict(BaseModel):
    """A part of a config: no unknown keys, no silent conversions, finite numbers."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False
    )


class StudyParams(Strict):
    """What every study is told.

    Attributes:
        task: the study; see ``wflow list``.
        title: one line on what this config is.
        seed: every random number of the run comes from it.
        seeds: run once for each and report medians; the seed above is then unused.
        precision: of all arrays.
    """

    task: str
    title: str = ""
    seed: Seed = 0
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    precision: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _distinct_seeds(self) -> "StudyParams":
        if self.seeds is not None and len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: expected distinct seeds.")
        return self


def validate(model: type[Model], data: dict[str, Any], source: str) -> Model:
    """``data`` as a ``model``.

    Raises:
        ValueError: with a line for every unknown, missing or ill-typed key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = _sentences(model, error.errors())
        raise ValueError("\n".join(f"{source}: {line}" for line in lines)) from None


def closest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name most like ``name``, if any is like it."""
    found = difflib.get_close_matches(str(name), list(valid), n=1, cutoff=0.5)
    return found[0] if found else None


def shown(value: Any) -> str:
    """A value of a config, cut where it is long."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unknown_key(place: str, valid: Iterable[str]) -> str:
    """The sentence about a dotted key that is none of the ``valid`` ones there."""
    valid = list(valid)
    prefix, _, name = place.rpartition(".")
    nearest = closest(name, valid)
    hint = (
        f" Did you mean {prefix + '.' if prefix else ''}{nearest}?" if nearest else ""
    )
    where = f"under {prefix}" if prefix else "at the top"
    return f"{place} is not a key {where}.{hint} Valid: {', '.join(valid)}."


def unknown_kind(place: str, kinds: Iterable[str], found: Any) -> str:
    """The sentence about a ``kind`` that is none of those there, or missing."""
    valid = ", ".join(kinds)
    if found in (None, "None"):
        return f"{place} is missing: expected one of {valid}."
    nearest = closest(found, kinds)
    hint = f" Did you mean {nearest}?" if nearest else ""
    return f"{place}: expected one of {valid}, found {found!r}.{hint}"


def _sentences(model: type[BaseModel], problems: Sequence[Any]) -> list[str]:
    """Errors of pydantic in words; the members of a plain union make one of them."""
    lines: dict[str, str] = {}
    for problem in problems:
        place, line = _sentence(model, problem)
        if place in lines and ", found" in lines[place]:
            wanted = line.partition(" expected ")[2].partition(", found")[0]
            line = lines[place].replace(", found", f" or {wanted}, found", 1)
        lines[place] = line
    return list(lines.values())


def _sentence(model: type[BaseModel], problem: Any) -> tuple[str, str]:
    """Where something is wrong, and the sentence on it."""
    place, owner, here = _place(model, problem["loc"])
    kind, found, context = problem["type"], problem["input"], problem.get("ctx", {})
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    # As of a list that "should have at least 1 item after validation, not 0".
    expected = expected.partition(" should have ")[2] or expected
    expected = expected.partition(" after validation")[0]
    article = "an" if expected[:1] in "aeiou" else "a"
    match kind:
        case "extra_forbidden":
            return place, unknown_key(place, owner.model_fields)
        case "missing":
            return place, f"{place} is missing."
        case "union_tag_invalid" | "union_tag_not_found":
            place, tag = f"{place}.kind", context.get("tag")
            kinds = [kind for member in _members(here) for kind in _kinds(member)]
            return place, unknown_kind(place, kinds, tag)
        case "value_error":
            message = str(context["error"])
            if HERE in message:
                return place, message.replace(HERE, place)
            return place, message if not place else f"{place}: {message}"
        case "literal_error":
            expected = context["expected"]
        case "model_type":
            expected = "keys and values"
        case "string_pattern_mismatch":
            expected = f"a text that matches {context['pattern']}"
        case _ if expected in _PLAIN:
            expected = f"{article} {expected}"
    return place, f"{place}: expected {expected}, found {shown(found)}."


_PLAIN = ("integer", "number", "string", "boolean", "list", "dictionary")


def _place(
    model: type[BaseModel], loc: Sequence[str | int]
) -> tuple[str, type[BaseModel], Any]:
    """The dotted key of ``loc``, the model that it belongs to and its annotation."""
    parts: list[str] = []
    here: Any = model
    owner = model
    for item in loc:
        members = _members(here)
        first = members[0] if members else None
        if item == "[key]":
            # The key of a mapping is what is wrong.
            continue
        if len(members) > 1:
            # The name of a member of a union, which a config does not have.
            name = str(item).partition("[")[0]
            here = next((m for m in members if name in (*_kinds(m), _name(m))), None)
            continue
        parts.append(str(item))
        if _is_model(first):
            owner = first
            field = owner.model_fields.get(str(item))
            here = None if field is None else field.annotation
        else:
            # A list or a mapping.
            here = (get_args(first) or (None,))[-1]
    return ".".join(parts), owner, here


def _members(annotation: Any) -> list[Any]:
    """The members of a (possibly annotated) union; else the annotation alone."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for arg in get_args(annotation) for m in _members(arg)]
    return [] if annotation in (None, type(None)) else [annotation]


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _name(annotation: Any) -> str:
    """What pydantic calls a member of a union, without what that is made of."""
    return getattr(get_origin(annotation) or annotation, "__name__", "")


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """What ``kind`` may be in a model."""
    field = annotation.model_fields.get("kind") if _is_model(annotation) else None
    return get_args(field.annotation) if field is not None else ()
