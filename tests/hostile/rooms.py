"""The public names of every room, and the tables that spoil their arguments."""

import importlib
import inspect
import pkgutil
from typing import Any

import wflow

from . import tables
from .engine import Entry


def public() -> dict[str, Any]:
    """Every name of an ``__all__`` below the command, as "wflow.room.Name"."""
    found = {
        f"wflow.{name}": getattr(wflow, name)
        for name in wflow.__all__
        if not inspect.ismodule(getattr(wflow, name))
    }
    for module in pkgutil.walk_packages(wflow.__path__, "wflow."):
        if module.ispkg and not module.name.startswith(("wflow.cli", "wflow.studies")):
            room = importlib.import_module(module.name)
            for name in getattr(room, "__all__", ()):
                found[f"{module.name}.{name}"] = getattr(room, name)
    return found


def files() -> list[str]:
    """The tables' files, of which several may belong to a room; none is loaded."""
    return sorted(module.name for module in pkgutil.iter_modules(tables.__path__))


def table(file: str) -> tuple[str, dict[str, Entry | str]]:
    """The room of a file, and its table."""
    module = importlib.import_module(f"{tables.__name__}.{file}")
    return module.ROOM, module.TABLE


def load() -> dict[str, dict[str, Entry | str]]:
    """The tables by room: entries by name, or the reason why there is none."""
    found = {}
    for room, entries in map(table, files()):
        found.setdefault(room, {}).update(entries)
    return found


def missing() -> list[str]:
    """Public names that no table holds, under this name or another of the object."""
    names = public()
    held = {
        id(names[f"{room}.{key}"])
        for room, entries in load().items()
        for key in entries
        if f"{room}.{key}" in names
    }
    return sorted(name for name, value in names.items() if id(value) not in held)
