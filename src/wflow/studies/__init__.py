"""Experiments that configs describe and the command runs: studies.

A study is four things in one file, ``studies/<domain>/<name>.py``: parameters,
``run`` from parameters to arrays, ``report`` and ``figures`` from arrays. Modules of
studies are imported when they are asked for, by ``load``.
"""

import ast
import importlib
from pathlib import Path
from typing import Any

from ._build import Spec, build
from ._outcome import Outcome, ScoreTable, median_outcome, standard_error
from ._params import (
    HERE,
    Count,
    Name,
    NonNegative,
    Positive,
    Seed,
    Share,
    Strict,
    StudyParams,
    closest,
)
from ._parts import Options, Part
from ._study import Arrays, Study
from ._task import AbstractTask, Keep, Log


__all__ = [
    "HERE",
    "AbstractTask",
    "Arrays",
    "Count",
    "Keep",
    "Log",
    "Name",
    "NonNegative",
    "Options",
    "Outcome",
    "Part",
    "Positive",
    "ScoreTable",
    "Seed",
    "Share",
    "Spec",
    "Strict",
    "Study",
    "StudyParams",
    "build",
    "load",
    "median_outcome",
    "names",
    "standard_error",
    "summaries",
]

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
    module = importlib.import_module(f"{__name__}.{path.parent.name}.{name}")
    return module.STUDY
