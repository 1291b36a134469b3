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


def load() -> dict[str, dict[str, Entry | str]]:
    """The tables by room: entries by name, or the reason why there is none."""
    found = {}
    for module in pkgutil.iter_modules(tables.__path__):
        table = importlib.import_module(f"{tables.__name__}.{module.name}")
        found.setdefault(table.ROOM, {}).update(table.TABLE)
    return found


def missing() -> list[str]:
    """Public names that no table holds, under this name or another of the object."""
    names = public()
    held = {
        id(names[f"{room}.{key}"])
        for room, table in load().items()
        for key in table
        if f"{room}.{key}" in names
    }
    return sorted(name for name, value in names.items() if id(value) not in held)
