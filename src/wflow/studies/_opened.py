"""A finished run, opened again."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._folder import RunDirectory
from ._params import StudyParams, validate
from ._task import AbstractTask


# Points to the newest run of a config: a link, or a file with a name where there are
# no links.
LATEST = "latest"


def followed(path: Path) -> Path | None:
    """The folder that ``path`` is or points to."""
    if path.is_file() and path.name == LATEST:
        with contextlib.suppress(OSError, ValueError):
            path = path.with_name(path.read_text(encoding="utf-8").strip() or ".")
    return path if path.is_dir() else None


def study_of(raw: dict[str, Any], source: str) -> AbstractTask:
    """The study that a config names; ``source`` begins a refusal."""
    from wflow import studies

    try:
        return studies.load(raw.get("task"))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def finished_run(
    path: Path, *, own_data: bool = True
) -> tuple[AbstractTask, dict[str, Any], RunDirectory]:
    """The study of a finished run, its config as it stands there, and its folder.

    Raises:
        ValueError: no folder of a run, several runs in one, one that has not finished,
            or files that were changed.
    """
    path = followed(path) or path
    directory = RunDirectory(path, own_data=own_data)
    if not directory.config.is_file() and followed(path / LATEST):
        raise ValueError(f"{path} holds several runs; name one, as in {path / LATEST}.")
    raw = directory.read_config()
    # Models lie in the folders below, where there are any.
    seeds = raw.get("seeds")
    for parts, what in (
        (
            [path / f"seed-{k}" for k in seeds] if isinstance(seeds, list) else [],
            "several seeds",
        ),
        (directory.parts, "several parts"),
    ):
        if parts:
            names = ", ".join(map(str, parts))
            raise ValueError(f"{path} holds runs of {what}; name one: {names}.")
    task = study_of(raw, str(directory.config))
    wanted = task.finished(directory)
    if not wanted.is_file():
        raise ValueError(
            f"{path}: the run has not finished (no {wanted.name}); "
            f"wflow run ... --out {path} --resume goes on with it."
        )
    directory.verify()
    return task, raw, directory


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A finished run.

    Attributes:
        path: its folder.
        config: its parameters.
        metrics: its numbers.
        fit: what was learned, a ``Fit`` in the ``units`` of the model, or a ``BestFit``
            in those of the data.
        snapshots: what it was learned from, in the units of the data.
        units: ``to_model`` and ``to_data``; None of a ``BestFit``, which needs none.
    """

    path: Path
    config: StudyParams
    metrics: dict[str, float]
    fit: Any
    snapshots: Any
    units: Any = None


def open_run(path: str | Path) -> OpenedRun:
    """Open the folder that ``wflow run`` has filled.

    >>> import subprocess, sys, tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import wflow as wf
    >>> folder = Path(tempfile.mkdtemp())
    >>> x = np.random.default_rng(0).normal(size=(2, 20, 2))
    >>> np.savez(folder / "points.npz", t=[0.0, 1.0], positions=x)
    >>> def wflow(words):
    ...     command = [sys.executable, "-m", "wflow", *words.split()]
    ...     return subprocess.run(command, cwd=folder, capture_output=True).returncode
    >>> wflow("new points.npz"), wflow("run points.yaml --out run")
    (0, 0)
    >>> run = wf.open_run(folder / "run")
    >>> run.snapshots.sizes, run.fit.forecast([0.5]).dim
    ((20, 20), 2)

    Args:
        path: the folder.

    Raises:
        ValueError: it holds no finished run of snapshots, or files that were changed; a
            run in double precision while JAX is not set to it.
    """
    import jax

    task, raw, directory = finished_run(Path(path))
    config = validate(task.config, raw, str(directory.config))
    if config.precision == "float64" and not jax.config.jax_enable_x64:
        raise ValueError(
            f"{path} is in double precision: call "
            "jax.config.update('jax_enable_x64', True) first."
        )
    fit, snapshots, units = task.opened(config, directory)
    metrics = dict(directory.read_metrics())
    return OpenedRun(directory.path, config, metrics, fit, snapshots, units)
