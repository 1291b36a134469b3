"""From a config to a filled run directory."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .clock import seconds_since_start
from .config import TaskConfig, override, read_yaml, validate
from .errors import CommandError, failures
from .report import Outcome, show
from .rundir import RunDirectory
from .task import AbstractTask
from .tasks import load_task
from .threads import set_threads


if TYPE_CHECKING:
    from rich.console import Console


def prepare(
    raw: dict[str, Any], source: str, data: Path | None
) -> tuple[AbstractTask, TaskConfig]:
    """The task and the checked config, with its precision and its threads set."""
    raw = {key: value for key, value in raw.items() if key != "environment"}
    task = load_task(raw.get("task"), source)
    if data is not None:
        raw = task.with_data(raw, data)
    config = validate(task.config, raw, source)
    # The width of floats and the threads are chosen before the first array is made.
    import jax

    set_threads(small_matrices=task.small_matrices)
    jax.config.update("jax_enable_x64", config.precision == "float64")
    task.check(config, source)
    return task, config


def run_config(
    path: Path,
    assignments: list[str],
    data: Path | None,
    out: Path | None,
    resume: bool,
    console: "Console",
) -> None:
    """The command ``run``."""
    raw = override(read_yaml(path), assignments)
    task, config = prepare(raw, str(path), data)
    directory = RunDirectory(out or Path("runs") / path.stem)
    resume = resume and _can_resume(directory, config, console)
    if not resume:
        if directory.config.exists():
            console.print(f"Replacing the run in {directory.path}.", highlight=False)
        directory.clear()
        directory.write_config(config.model_dump(mode="json"))
    if config.title:
        console.print(config.title, style="bold", highlight=False, markup=False)
    if config.seeds is None:
        outcome = _one(task, config, directory, resume, console)
    else:
        outcome = _several(task, config, directory, resume, console)
    show(outcome, console)
    # Of the whole process, also where there are several seeds.
    seconds = seconds_since_start()
    metrics = {**outcome.metrics, "total_seconds": seconds}
    if config.seeds is not None:
        metrics["total_seconds_median"] = seconds
    directory.write_metrics(metrics)
    console.print(
        f"{seconds:.0f} s in all; everything is in {directory.path}.", highlight=False
    )


def _one(
    task: AbstractTask,
    config: TaskConfig,
    directory: RunDirectory,
    resume: bool,
    console: "Console",
    began: float = 0.0,
) -> Outcome:
    """One seed; a failure keeps what was computed and ends in a sentence."""
    kept = f"What was computed until then is in {directory.path}."
    with failures(kept):
        outcome = task.run(config, directory, resume=resume, console=console)
    metrics = {**outcome.metrics, "total_seconds": seconds_since_start() - began}
    directory.write_metrics(metrics)
    return Outcome(metrics, outcome.tables, outcome.remarks)


def _several(
    task: AbstractTask,
    config: TaskConfig,
    directory: RunDirectory,
    resume: bool,
    console: "Console",
) -> Outcome:
    outcomes = []
    for seed in config.seeds or []:
        console.print(f"Seed {seed}", style="bold")
        part = directory.seeded(seed)
        part.path.mkdir(exist_ok=True)
        own = config.model_copy(update={"seed": seed, "seeds": None})
        part.write_config(own.model_dump(mode="json"))
        outcome = _one(task, own, part, resume, console, seconds_since_start())
        for table in outcome.tables:
            for model in table.models:
                console.print(table.verdict(model), highlight=False, soft_wrap=True)
        outcomes.append(outcome)
    return task.pooled(outcomes)


def _can_resume(
    directory: RunDirectory, config: TaskConfig, console: "Console"
) -> bool:
    """Whether there is a run to go on with; refuses one of another config."""
    if not directory.config.is_file():
        console.print(f"{directory.path} holds no run yet: starting a new one.")
        return False
    found, wanted = directory.read_config(), config.model_dump(mode="json")
    if different := _difference(found, wanted):
        key, old, new = different
        raise CommandError(
            f"{directory.path} cannot be resumed: {key} was {old!r} there and is "
            f"{new!r} now. Set it back, or leave --resume out to begin again."
        )
    return True


def _difference(old: Any, new: Any, place: str = "") -> tuple[str, Any, Any] | None:
    """The first place where two configs differ, and both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            found = _difference(
                old.get(key), new.get(key), f"{place}.{key}" if place else str(key)
            )
            if found:
                return found
        return None
    return None if old == new else (place, old, new)


def open_run(path: Path, data: Path | None = None) -> tuple[Any, Any, RunDirectory]:
    """Task, config and directory of a finished run."""
    directory = RunDirectory(path)
    raw = directory.read_config()
    # Models lie in the folders below, where there are any.
    for parts, what in (
        ([path / f"seed-{seed}" for seed in raw.get("seeds") or []], "several seeds"),
        (sorted(path.glob("part-*")), "several parts"),
    ):
        if parts:
            names = ", ".join(map(str, parts))
            raise CommandError(f"{path} holds runs of {what}; name one: {names}.")
    wanted = load_task(raw.get("task"), str(directory.config)).finished(directory)
    if not wanted.exists():
        raise CommandError(
            f"{path}: the run has not finished (no {wanted.name}); "
            f"wflow run ... --out {path} --resume goes on with it."
        )
    task, config = prepare(raw, str(directory.config), data)
    return task, config, directory
