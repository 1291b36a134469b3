"""One file for each task that a config can name; each has its own model of a config."""

import importlib
import pkgutil
from typing import Any

from wflow import studies
from wflow.studies._params import closest
from wflow.studies._task import AbstractTask


def task_names() -> list[str]:
    """The names that ``task:`` may have."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_task(name: Any, source: str) -> AbstractTask:
    """The task of that name; ``source`` begins the message where there is none."""
    if name in task_names():
        return importlib.import_module(f"{__name__}.{name}").TASK
    if name in studies.names():
        return studies.load(name)
    valid = sorted([*task_names(), *studies.names()])
    nearest = closest(str(name), valid)
    hint = f" Did you mean {nearest}?" if nearest else ""
    found = "nothing" if name is None else repr(name)
    raise ValueError(
        f"{source}: task: expected one of {', '.join(valid)}, found {found}.{hint}"
    )
