"""Configs: where they lie, how they are read, and single values put in their place."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ._files import explained
from ._params import closest, shown
from ._yamls import MOST_BYTES, parse_yaml


# Packed into the wheel; in a checkout they lie beside the sources.
_PACKED = Path(__file__).resolve().parents[1] / "configs"
_CHECKOUT = Path(__file__).resolve().parents[3] / "configs"


def config_folder() -> Path:
    """The folder of the configs that come with wflow."""
    return _PACKED if _PACKED.is_dir() else _CHECKOUT


def config_names() -> list[str]:
    """The names of the configs that come with wflow."""
    return sorted(path.stem for path in config_folder().glob("*.yaml"))


def find_config(name: Path) -> Path:
    """The file of a config, given by its path or by the name of one of wflow's own.

    Raises:
        ValueError: there is neither such a file nor such a name.
    """
    if name.is_file():
        return name
    own = config_folder() / f"{name.name.removesuffix('.yaml')}.yaml"
    # A path with a folder in it means that folder and no other.
    if name.parent == Path() and own.is_file():
        return own
    beside = [str(path) for path in sorted(name.parent.glob("*.yaml"))]
    nearest = closest(str(name), [*beside, *config_names()])
    hint = f"; did you mean {nearest}?" if nearest else "; wflow list shows them."
    raise ValueError(f"{name}: there is no such config{hint}")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ValueError: it cannot be read, or is not as ``parse_yaml`` takes it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{explained(error)}.") from error
    data = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected keys and values, found {shown(data)}.")
    return data


def override(data: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """``data`` with every ``dotted.key=value`` set; values are YAML.

    A seed alone takes the place of all ``seeds``.
    """
    given = set()
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise ValueError(
                f"--set {assignment}: expected key=value with a dotted key, as in "
                "--set fit.steps=500."
            )
        source = f"--set {assignment}"
        data = _assigned(data, parts, parse_yaml(value, source), source)
        given.add(key.strip())
    if "seed" in given and "seeds" not in given and data.get("seeds") is not None:
        data = {**data, "seeds": [data["seed"]]}
    return data


def _assigned(
    data: dict[str, Any], parts: Sequence[str], value: Any, source: str, place: str = ""
) -> dict[str, Any]:
    first, *rest = parts
    place += first
    if rest:
        inner = data.get(first)
        inner = {} if inner is None else inner
        if not isinstance(inner, dict):
            raise ValueError(f"{source}: {place} is {shown(inner)}, which has no keys.")
        value = _assigned(inner, rest, value, source, f"{place}.")
    return {**data, first: value}
