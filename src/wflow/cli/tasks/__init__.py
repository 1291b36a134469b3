"""One file for each task that a config can name; each has its own model of a config."""

import importlib
import pkgutil
from typing import Any

from wflow import studies
from wflow.studies._task import AbstractTask


def task_names() -> list[str]:
    """The names that ``task:`` may have."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_task(name: Any, source: str) -> AbstractTask:
    """The task of that name; ``source`` begins the message where there is none."""
    if name in task_names():
        return importlib.import_module(f"{__name__}.{name}").TASK
    try:
        return studies.load(name)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
