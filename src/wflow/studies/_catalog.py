"""Which studies there are, and what each of them is."""

import ast
import importlib
from pathlib import Path
from typing import Any

from ._params import closest
from ._task import AbstractTask


_HERE = Path(__file__).parent


def _config_files() -> dict[str, Path]:
    return {
        path.stem: path
        for path in sorted(_HERE.glob("*/*.py"))
        if not path.stem.startswith("_")
    }


def names() -> list[str]:
    """The names of all studies."""
    return sorted(_config_files())


def summaries() -> dict[str, str]:
    """For the name of every study what it is, in a line; nothing is imported."""
    lines = {}
    for name, path in _config_files().items():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        lines[name] = text.partition("\n")[0]
    return dict(sorted(lines.items()))


def load(name: Any) -> AbstractTask:
    """The study of that name.

    Import it after the precision is set: components of a config become arrays when
    the config is read.

    Raises:
        ValueError: there is no study of that name.
    """
    files = _config_files()
    if name not in files:
        nearest = closest(str(name), files)
        hint = f" Did you mean {nearest}?" if nearest else ""
        found = "nothing" if name is None else repr(name)
        raise ValueError(
            f"task: expected one of {', '.join(sorted(files))}, found {found}.{hint}"
        )
    path = files[name]
    module = importlib.import_module(f"wflow.studies.{path.parent.name}.{name}")
    return module.STUDY
