"""What a study is told: its parameters, and errors that name the key and its place."""

import difflib
import functools
import operator
import re
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


Model = TypeVar("Model", bound=BaseModel)


# Stands for the key of a component, in a sentence of those who do not know it.
HERE = "@here"

# In single precision a key holds 32 bits of its seed: beyond, seeds would repeat.
Seed = Annotated[int, Field(ge=0, lt=2**32)]

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
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


def _sentences(model: type[BaseModel], problems: Sequence[Any]) -> list[str]:
    """Errors of pydantic in words; the members of a plain union make one of them."""
    lines: dict[str, str] = {}
    for problem in problems:
        # Where the key of a mapping is wrong itself, the key is what is named.
        loc = [item for item in problem["loc"] if item != "[key]"]
        place, owner = _place(model, loc)
        line = _sentence(place, owner, problem)
        if place in lines and ", found" in lines[place]:
            wanted = line.partition(" expected ")[2].partition(", found")[0]
            line = lines[place].replace(", found", f" or {wanted}, found", 1)
        lines[place] = line
    return list(lines.values())


def _sentence(place: str, owner: type[BaseModel] | None, problem: Any) -> str:
    kind, found, context = problem["type"], problem["input"], problem.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return unknown_key(place, owner.model_fields if owner else ())
        case "missing":
            return f"{place} is missing."
        case "union_tag_invalid" | "union_tag_not_found":
            tags = re.findall(r"'([^']*)'", context.get("expected_tags", ""))
            key = context.get("discriminator", "kind").strip("'")
            tags = tags or _tags(owner, problem["loc"], key)
            tag = None if context.get("tag") == "None" else context.get("tag")
            place = f"{place}.{key}"
            if tag is None:
                return f"{place} is missing: expected one of {', '.join(tags)}."
            nearest = closest(tag, tags)
            hint = f" Did you mean {nearest}?" if nearest else ""
            return f"{place}: expected one of {', '.join(tags)}, found {tag!r}.{hint}"
        case "literal_error":
            return f"{place}: expected {context['expected']}, found {shown(found)}."
        case "model_type":
            return f"{place}: expected keys and values, found {shown(found)}."
        case "value_error":
            message = str(context["error"])
            if HERE in message:
                return message.replace(HERE, place)
            return message if not place else f"{place}: {message}"
        case "string_pattern_mismatch":
            expected = f"a text that matches {context['pattern']}"
            return f"{place}: expected {expected}, found {shown(found)}."
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    # As of a list that "should have at least 1 item after validation, not 0".
    expected = expected.partition(" should have ")[2] or expected
    expected = expected.partition(" after validation")[0]
    article = "an" if expected[:1] in "aeiou" else "a"
    if expected in ("integer", "number", "string", "boolean", "list", "dictionary"):
        expected = f"{article} {expected}"
    return f"{place}: expected {expected}, found {shown(found)}."


def _place(
    model: type[BaseModel], loc: Sequence[str | int]
) -> tuple[str, type[BaseModel] | None]:
    """The dotted key of ``loc`` as the user wrote it, and the model it belongs to.

    Pydantic puts the tag of a union's member into the location; a config has no such
    key.
    """
    parts: list[str] = []
    here: Any = model
    owner: type[BaseModel] | None = None
    for item in loc:
        # A part that may be left out: pydantic names no member of such a union.
        present = [m for m in _members(here) if m is not type(None)]
        here = present[0] if len(present) == 1 and _is_model(present[0]) else here
        tagged = [m for m in _members(here) if _is_model(m) and item in _labels(m)]
        if _is_model(here):
            owner = here
            parts.append(str(item))
            field = here.model_fields.get(item)
            here = None if field is None else field.annotation
        elif tagged:
            here = functools.reduce(operator.or_, tagged)
            # Several share a tag where a second field tells them apart.
            owner = tagged[0] if len(tagged) == 1 else owner
        elif isinstance(item, int):
            parts.append(str(item))
            here = next((m for m in _members(here) if get_origin(m) is list), here)
            here = (get_args(here) or (None,))[0]
        elif mapping := [m for m in _members(here) if get_origin(m) is dict]:
            parts.append(str(item))
            here = get_args(mapping[0])[1]
        # Anything else names a member of a plain union, which the user never wrote.
    return ".".join(parts), owner


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _members(annotation: Any) -> list[Any]:
    """The members of a (possibly annotated) union; else the annotation alone."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for arg in get_args(annotation) for m in _members(arg)]
    return [annotation]


def _labels(model: type[BaseModel], *names: str) -> list[Any]:
    """The values of the fields that tell the members of a union apart."""
    fields = (model.model_fields.get(name) for name in names or ("kind", "name"))
    return [tag for f in fields if f is not None for tag in get_args(f.annotation)[:1]]


def _tags(
    owner: type[BaseModel] | None, loc: Sequence[str | int], key: str
) -> list[str]:
    """What ``key`` may be in the members of the union at ``loc``."""
    fields = owner.model_fields if owner else {}
    # Inside a union the location ends in the tag that its members share.
    name, *shared = loc[-1:] if loc[-1] in fields else loc[-2:]
    members = _members(fields[str(name)].annotation) if name in fields else []
    models = [m for m in members if _is_model(m)]
    models = [m for m in models if all(tag in _labels(m) for tag in shared)]
    return [label for m in models for label in _labels(m, key)]
