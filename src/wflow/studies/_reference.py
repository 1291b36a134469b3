"""The config reference: every key of every study, as a page."""

from typing import Any

from ._catalog import names
from ._schema import schema


_HEAD = """# Config reference

Every key that a config may have, read from the parameters of the studies and from the
classes that they are built from; `wflow schema [STUDY]` prints the same for editors.
`--set key.below=value` puts another value in place of any of them. A component is the
name of a class, or a mapping with `kind` and its arguments; `{learn: 0.3}` in place of
a number is one that is learned, and a list of energies is their sum.
"""


def reference() -> str:
    """The page, in markdown."""
    lines, components = [_HEAD, "## Studies"], {}
    for name in names():
        made = schema(name)
        models = made.get("$defs", {})
        lines += ["", f"### {name}", "", _text(made.get("description", ""))]
        lines += ["", "| key | default | |", "|---|---|---|"]
        lines += _rows("", made, models, frozenset())
        components |= {k: v for k, v in models.items() if "anyOf" in v}
    lines += ["", "## Components"]
    for contract, one in sorted(components.items()):
        kinds = [o for o in one["anyOf"] if "const" in _kind(o)]
        if not kinds:
            continue
        lines += ["", f"### {contract}"]
        for kind in kinds:
            name = _kind(kind)["const"]
            lines += ["", f"**{name}**: {_text(kind.get('description', ''))}"]
            rows = _rows("", kind, {}, frozenset())
            if rows:
                lines += ["", "| key | default | |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _kind(option: dict[str, Any]) -> dict[str, Any]:
    return option.get("properties", {}).get("kind", {})


def _rows(
    prefix: str, made: dict[str, Any], models: dict[str, Any], above: frozenset[str]
) -> list[str]:
    """A row for each key, those of models below it with their dotted names."""
    rows = []
    for key, value in made.get("properties", {}).items():
        if "const" in value:
            continue
        below = _models(value)
        default = value.get("default", "")
        shown = "" if isinstance(default, dict | list) else f"`{default}`"
        shown = "" if shown == "``" else shown
        meaning = _text(value.get("description", ""))
        links = [name for name in below if "anyOf" in models.get(name, {"anyOf": 0})]
        if links:
            anchors = ", ".join(f"[{n}](#{n.lower()})" for n in links)
            meaning = f"{meaning} ({anchors})" if meaning else anchors
        rows.append(f"| `{prefix}{key}` | {shown} | {meaning} |")
        for name in below:
            if name not in links and name not in above:
                rows += _rows(f"{prefix}{key}.", models[name], models, above | {name})
    return rows


def _models(value: Any) -> list[str]:
    """The names of what a key may be, that are explained elsewhere."""
    if isinstance(value, list):
        return [name for item in value for name in _models(item)]
    if not isinstance(value, dict):
        return []
    if "$ref" in value:
        return [value["$ref"].rpartition("/")[2]]
    parts = ("anyOf", "oneOf", "allOf", "items")
    return [name for part in parts for name in _models(value.get(part, []))]


def _text(said: str) -> str:
    """A docstring on one line of a table."""
    return said.replace("``", "`").replace("|", "\\|").replace("\n", " ")
