"""From a config to a filled run directory."""

import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from wflow.io.trackers import LOG, Kind, Tracker, check_tracker, tracker
from wflow.studies._configs import override, read_yaml
from wflow.studies._files import explained
from wflow.studies._folder import RunDirectory
from wflow.studies._kept import keep_outcome
from wflow.studies._opened import finished_run, study_of
from wflow.studies._params import StudyParams, validate
from wflow.studies._task import AbstractTask, Log

from . import place, replacing
from .clock import seconds_since_start
from .errors import CommandError, failures
from .lock import locked
from .report import Outcome, show
from .threads import set_threads


def prepare(
    raw: dict[str, Any], source: str, data: Path | None, *, check: bool = True
) -> tuple[AbstractTask, StudyParams]:
    """The task and the checked config, with its precision and its threads set.

    Without ``check`` nothing but the config itself is looked at, no file.
    """
    raw = {key: value for key, value in raw.items() if key != "environment"}
    # The width of floats and the threads are chosen before the first array is made,
    # which may be when a module is imported, and components of a config become arrays
    # when it is read.
    set_threads(small_matrices=False)
    jax.config.update("jax_enable_x64", raw.get("precision") == "float64")
    task = study_of(raw, source)
    set_threads(small_matrices=task.small_matrices)
    # A study may have a width of its own where the config says none.
    own = task.config.model_fields["precision"].default
    jax.config.update("jax_enable_x64", raw.get("precision", own) == "float64")
    if data is not None:
        raw = task.with_data(raw, data)
    config = validate(task.config, raw, source)
    if check:
        task.check(config, source)
    return task, config


def run_config(
    path: Path,
    assignments: list[str],
    data: Path | None,
    out: Path | None,
    resume: bool,
    console: Console,
    overwrite: bool = False,
    tracked: Kind | None = None,
) -> None:
    """The command ``run``."""
    _check_options(out, resume, overwrite)
    if tracked is not None:
        try:
            check_tracker(tracked)
        except ModuleNotFoundError as error:
            raise CommandError(f"--log: {error}") from error
    raw = override(read_yaml(path), assignments)
    task, config = prepare(raw, str(path), data)
    with (
        _filled(path, config, out, resume, overwrite, console) as (folder, resumed),
        _heard() as warned,
    ):
        directory = RunDirectory(folder)
        if not resumed:
            directory.write_config(config.model_dump(mode="json"))
        if config.title:
            console.print(config.title, style="bold", highlight=False, markup=False)
        if config.seeds is None:
            outcome = _one(task, config, directory, resumed, console, tracked)
        else:
            outcome = _several(task, config, directory, resumed, console, tracked)
        # Of the whole process, also where there are several seeds.
        seconds = seconds_since_start()
        metrics = {**outcome.metrics, "total_seconds": seconds}
        if config.seeds is not None:
            metrics["total_seconds_median"] = seconds
        directory.write_metrics(metrics)
        told = list(dict.fromkeys([*outcome.warnings, *warned]))
        outcome = dataclasses.replace(outcome, metrics=metrics, warnings=told)
        keep_outcome(directory, outcome)
        # Matplotlib comes with it, and other commands have to start quickly.
        from wflow.studies._report import write_report

        write_report(task, config, directory, outcome)
        replacing.finish(folder)
    show(outcome, console)
    console.print(
        f"{seconds:.0f} s in all; everything is in {folder}.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"Report: {directory.report}", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """What is warned of meanwhile; it is said all the same."""
    heard: list[str] = []
    with warnings.catch_warnings():
        said = warnings.showwarning

        def hear(message: Warning | str, *where: Any) -> None:
            heard.append(str(message))
            said(message, *where)

        warnings.showwarning = hear
        yield heard


def _check_options(out: Path | None, resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise CommandError(
            "--overwrite begins again and --resume goes on: give one of them."
        )
    if overwrite and out is None:
        raise CommandError(
            "--overwrite: expected a folder to replace the run of, by --out DIR; "
            "without it every run has a folder of its own."
        )


@contextlib.contextmanager
def _filled(
    path: Path,
    config: StudyParams,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    console: Console,
) -> Iterator[tuple[Path, bool]]:
    """The folder of a run, held while it is filled; whether it goes on with one there.

    A run that computes nothing leaves everything as it was.
    """
    name = path.stem
    before = place.latest(name)
    folder = out
    if folder is None and resume and before is not None:
        folder = before
        console.print(f"Going on in {folder}.", highlight=False, soft_wrap=True)
    fresh = folder is None
    made = fresh or not folder.exists()
    folder = place.new_folder(name) if folder is None else place.made(folder)
    try:
        with _held(folder):
            resumed = resume and _can_resume(folder, config, console)
            kind = (
                replacing.old_run(folder)
                if resumed
                else replacing.new_run(folder, overwrite)
            )
            with kind, failures(lambda: _kept(path, folder)):
                if fresh:
                    place.point(name, folder)
                yield folder, resumed
    finally:
        if made:
            # Where nothing came of it, and only then.
            with contextlib.suppress(OSError):
                folder.rmdir()
        if fresh and not folder.is_dir():
            place.point(name, before)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The lock of ``folder``, and a sentence where nothing can be written there."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except OSError as error:
            raise CommandError(
                f"--out: {folder} cannot be written to: {explained(error)}."
            ) from error
        yield


def _kept(path: Path, folder: Path) -> str:
    """What a run that ends early leaves behind, and how it goes on."""
    if not replacing.holds_results(folder):
        return "Nothing had been computed until then."
    sentence = f"What was computed until then is in {folder}"
    if replacing.holds_checkpoint(folder):
        sentence += (
            f"; the same command with --out {folder} --resume, and without "
            "--overwrite, goes on from its checkpoint"
        )
    if (folder / replacing.ASIDE).is_dir():
        sentence += (
            f". The finished run is in {folder / replacing.ASIDE} until another one "
            "has finished"
        )
    return f"{sentence}."


def lines(console: Console) -> Log:
    """Takes lines for the console, as they are."""
    return functools.partial(
        console.print, highlight=False, soft_wrap=True, markup=False
    )


def _one(
    task: AbstractTask,
    config: StudyParams,
    directory: RunDirectory,
    resume: bool,
    console: Console,
    tracked: Kind | None = None,
    began: float = 0.0,
) -> Outcome:
    """One seed; a failure keeps what was computed."""
    with _tracker(tracked, config, directory) as track:
        outcome = task.run(config, directory, resume=resume, log=lines(console))
        metrics = {**outcome.metrics, "total_seconds": seconds_since_start() - began}
        if track is not None:
            track.finish(metrics)
    directory.write_metrics(metrics)
    found = dataclasses.replace(outcome, metrics=metrics)
    keep_outcome(directory, found)
    return found


def _tracker(
    kind: Kind | None, config: StudyParams, directory: RunDirectory
) -> contextlib.AbstractContextManager[Tracker | None]:
    """What watches the training that fills ``directory``, if anything does."""
    if kind is None:
        return contextlib.nullcontext()
    if kind == "csv":
        directory.claim(directory.path / LOG)
    name = "/".join(directory.path.resolve().parts[-2:])
    told = config.model_dump(mode="json")
    track = tracker(kind, directory.path, name=name, config=told)
    directory.watchers.append(track)
    return track


def _several(
    task: AbstractTask,
    config: StudyParams,
    directory: RunDirectory,
    resume: bool,
    console: Console,
    tracked: Kind | None = None,
) -> Outcome:
    outcomes = []
    for seed in config.seeds or []:
        console.print(f"Seed {seed}", style="bold")
        part = directory.seeded(seed)
        part.make()
        own = config.model_copy(update={"seed": seed, "seeds": None})
        part.write_config(own.model_dump(mode="json"))
        outcome = _one(task, own, part, resume, console, tracked, seconds_since_start())
        for table in outcome.tables:
            for model in table.models:
                console.print(table.verdict(model), highlight=False, soft_wrap=True)
        outcomes.append(outcome)
    return task.pooled(outcomes)


def _can_resume(folder: Path, config: StudyParams, console: Console) -> bool:
    """Whether there is a run to go on with; refuses one of another config."""
    if not replacing.holds_run(folder):
        console.print(f"{folder} holds no run yet: starting a new one.")
        return False
    directory = RunDirectory(folder)
    if not directory.config.is_file():
        # It was stopped before it had written anything.
        return False
    found, wanted = directory.read_config(), config.model_dump(mode="json")
    if different := _difference(found, wanted):
        key, old, new = different
        raise CommandError(
            f"{folder} cannot be resumed: {key} was {_short(old)} there and is "
            f"{_short(new)} now. Set it back, or leave --resume out to begin again."
        )
    return True


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
    """Task, config and directory of a finished run.

    With other ``data`` than its own, these are looked at; its own it keeps.
    """
    task, raw, directory = finished_run(path, own_data=data is None)
    task, config = prepare(raw, str(directory.config), data, check=False)
    if data is not None:
        task.check_other(config, str(directory.config))
    return task, config, directory
