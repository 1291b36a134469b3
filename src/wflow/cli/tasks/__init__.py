"""One file for each task that a config can name; each has its own model of a config."""

import importlib
import pkgutil
from typing import Any

from wflow.cli.config import closest
from wflow.cli.errors import CommandError
from wflow.cli.task import AbstractTask


def task_names() -> list[str]:
    """The names that ``task:`` may have."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_task(name: Any, source: str) -> AbstractTask:
    """The task of that name; ``source`` begins the message where there is none."""
    valid = task_names()
    if name not in valid:
        nearest = closest(str(name), valid)
        hint = f" Did you mean {nearest}?" if nearest else ""
        found = "nothing" if name is None else repr(name)
        raise CommandError(
            f"{source}: task: expected one of {', '.join(valid)}, found {found}.{hint}"
        )
    return importlib.import_module(f"{__name__}.{name}").TASK
