"""Trainings in the tracker that a person has: one argument, by its own package."""

import csv
import importlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, get_args

import numpy as np

from wflow.checks import instance


Kind = Literal["csv", "tensorboard", "trackio", "wandb"]
KINDS: tuple[str, ...] = get_args(Kind)
# The packages that write for them, which are extras under the trackers' names.
PACKAGES = {"tensorboard": "tensorboardX", "trackio": "trackio", "wandb": "wandb"}
# The table of the tracker csv.
LOG = "log.csv"
# What trackers call all runs of wflow together.
_PROJECT = "wflow"


class Progress(Protocol):
    """What a tracker is told after some steps: a ``Chunk`` of ``fit``."""

    step: int
    recent: Mapping[str, np.ndarray]
    validation: float | None


class Tracker:
    """Writes a training down while it runs: a callback of ``fit``, closed at its end.

    ```python
    with tracker("tensorboard", "runs/mine") as track:
        fitted = wf.fit(flow, snapshots, steps=500, key=key, callbacks=[track])
    ```
    """

    def __init__(self, book: "_Book"):
        """A tracker that writes into ``book``."""
        self._book, self._open = book, True

    def __call__(self, chunk: Progress) -> None:
        """Write every step of a chunk, its loss, gradient norm, rate and the rest."""
        columns = {
            name: row
            for name, row in chunk.recent.items()
            if name != "step" and row.ndim == 1
        }
        for i, step in enumerate(chunk.recent["step"]):
            numbers = {name: float(row[i]) for name, row in columns.items()}
            if step == chunk.step and chunk.validation is not None:
                numbers["validation"] = chunk.validation
            self._book.write(int(step), numbers)
        self._book.flush()

    def finish(self, numbers: Mapping[str, float] | None = None) -> None:
        """Write the numbers of the whole run, if any, and close."""
        if not self._open:
            return
        self._open = False
        found = {name: float(value) for name, value in (numbers or {}).items()}
        self._book.close({k: v for k, v in found.items() if math.isfinite(v)})

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()


def tracker(
    kind: Kind,
    folder: str | os.PathLike,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> Tracker:
    """A tracker of trainings, to be given to ``fit`` as a callback.

    Args:
        kind: ``csv`` writes ``log.csv``, and goes on in one that is there;
            ``tensorboard`` event files, by tensorboardX, for ``tensorboard --logdir``;
            ``trackio`` and ``wandb`` into their project wflow.
        folder: where files go.
        name: of the run; by default that of the folder.
        config: what the run was told, for trackers that show it.

    Raises:
        ValueError: another kind.
        TypeError: the folder is no path.
        ModuleNotFoundError: its package is not installed; the sentence says how it is.
    """
    check_tracker(kind)
    instance("tracker", "folder", folder, (str, os.PathLike), "a path")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.name if name is None else name
    if kind == "csv":
        return Tracker(_Csv(folder / LOG))
    package = importlib.import_module(PACKAGES[kind])
    if kind == "tensorboard":
        return Tracker(_TensorBoard(package, folder / "tensorboard"))
    options: dict[str, Any] = {"name": name, "config": dict(config or {})}
    if kind == "wandb":
        options["dir"] = str(folder)
    return Tracker(_Project(package, options))


def check_tracker(kind: str) -> None:
    """Refuse a tracker that there is not, or whose package is missing.

    Raises:
        ValueError: another kind.
        ModuleNotFoundError: its package is not installed.
    """
    if kind not in KINDS:
        raise ValueError(
            f"tracker: expected kind to be one of {', '.join(KINDS)}, found {kind!r}."
        )
    package = PACKAGES.get(kind)
    if package is None:
        return
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the tracker {kind} needs the package {package}, which comes with "
            f"pip install 'wflow-jax[{kind}]'."
        ) from error


class _Book(Protocol):
    """Where numbers are written."""

    def write(self, step: int, numbers: dict[str, float]) -> None: ...

    def flush(self) -> None: ...

    def close(self, numbers: dict[str, float]) -> None: ...


class _Csv:
    """A table with a row for every step, which grows; it may be there already."""

    def __init__(self, path: Path):
        self._path, self._names, self._last = path, [], 0
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                self._last = max((int(row["step"]) for row in rows), default=0)
                self._names = list(rows.fieldnames or [])
        self._rows: list[list[str]] = []

    def write(self, step: int, numbers: dict[str, float]) -> None:
        if step <= self._last:
            return
        if not self._names:
            # Scores come in some steps alone.
            self._names = list(dict.fromkeys(["step", *numbers, "validation"]))
            self._rows.append(self._names)
        cells = {"step": str(step)} | {k: repr(v) for k, v in numbers.items()}
        self._rows.append([cells.get(name, "") for name in self._names])
        self._last = step

    def flush(self) -> None:
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._rows)
        self._rows = []

    def close(self, numbers: dict[str, float]) -> None:
        del numbers


class _TensorBoard:
    """Event files; numbers of the run stand at its last step."""

    def __init__(self, package: ModuleType, folder: Path):
        self._writer, self._step = package.SummaryWriter(str(folder)), 0

    def write(self, step: int, numbers: dict[str, float]) -> None:
        self._step = step
        for name, value in numbers.items():
            self._writer.add_scalar(f"training/{name}", value, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self, numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(f"run/{name}", value, self._step)
        self._writer.close()


class _Project:
    """A run in a project of trackio, or of wandb, whose functions are the same."""

    def __init__(self, package: ModuleType, options: dict[str, Any]):
        self._package = package
        package.init(project=_PROJECT, **options)

    def write(self, step: int, numbers: dict[str, float]) -> None:
        self._package.log(numbers, step=step)

    def flush(self) -> None:
        """Both send what they have by themselves."""

    def close(self, numbers: dict[str, float]) -> None:
        if numbers:
            self._package.log({f"run/{name}": value for name, value in numbers.items()})
        self._package.finish()
