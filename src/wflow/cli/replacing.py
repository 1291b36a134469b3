"""How a run takes its folder: nothing is lost before there is something new."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from wflow.io.refusals import FORMATS
from wflow.studies._files import checksum, explained, unfinished
from wflow.studies._record import NAME, Record

from . import lock
from .errors import CommandError


# Where a finished run waits until the one that replaces it has finished too.
ASIDE = ".replaced"
# What a run writes before it computes anything.
_PREPARED = ("config.yaml", "units.json", "data.npz", "cells.h5ad", NAME)
# What nobody reads again: no checksum is kept of it.
_UNREAD = ("checkpoints", "figures", "report.html")


@contextlib.contextmanager
def new_run(folder: Path, overwrite: bool) -> Iterator[None]:
    """Fill ``folder``, which is locked, with a new run.

    A finished run in it is set aside. It comes back where the new one ends before it
    has computed anything, and goes where the new one has finished.

    Raises:
        CommandError: the folder holds files of others, or a run and not ``overwrite``.
    """
    _begin(folder, overwrite)
    try:
        yield
    finally:
        found = Record.of(folder)
        if found and found.state == "running" and not holds_results(folder):
            _remove(folder)
            _recover(folder)


@contextlib.contextmanager
def old_run(folder: Path) -> Iterator[None]:
    """Go on with the run in ``folder``, which is locked."""
    if found := Record.of(folder):
        found.state = "running"
        found.write()
    yield


def finish(folder: Path) -> None:
    """Mark a run as finished, and keep the checksums of its files."""
    _finish(folder)
    _remove(folder / ASIDE)


def holds_run(folder: Path) -> bool:
    """Whether there is a run to go on with.

    Raises:
        CommandError: there is a run without a record.
    """
    _recover(folder)
    if Record.of(folder) is not None:
        return True
    if (folder / "config.yaml").exists():
        raise CommandError(_foreign(folder))
    return False


def holds_results(folder: Path) -> bool:
    """Whether the run in ``folder`` has computed anything."""
    found = Record.of(folder)
    return found is not None and any(
        not path.name.startswith(_PREPARED) for path in found.paths()
    )


def holds_checkpoint(folder: Path) -> bool:
    """Whether a fit in ``folder`` can go on."""
    found = Record.of(folder)
    return found is not None and any(
        "checkpoints" in path.parts and (folder / path).suffix == ".eqx"
        for path in found.paths()
    )


def _begin(folder: Path, overwrite: bool) -> None:
    _recover(folder)
    found = Record.of(folder)
    if found is None:
        if _others(folder):
            raise CommandError(_foreign(folder))
    elif found.state == "finished":
        if not overwrite:
            raise CommandError(
                f"{folder}: expected a folder without a run, found a finished one. "
                "--overwrite replaces it, --out DIR takes another folder."
            )
        _set_aside(folder, found)
    elif holds_results(folder) and not overwrite:
        raise CommandError(
            f"{folder}: expected a folder without a run, found one that has not "
            "finished. --resume goes on with it, --overwrite begins again."
        )
    else:
        _remove(folder)
        if (folder / ASIDE).is_dir() and not overwrite:
            _recover(folder)
            _begin(folder, overwrite)
            return
    Record(folder).write()


def _foreign(folder: Path) -> str:
    return (
        f"{folder}: expected an empty folder or one of a run, found files without the "
        f"record of a run ({NAME}); give another folder with --out."
    )


def _others(folder: Path) -> bool:
    """Whether files lie there that are not left over from a start that was cut off."""
    own = (lock.NAME, ASIDE, *unfinished(NAME))
    return any(entry.name not in own for entry in folder.iterdir())


def _set_aside(folder: Path, found: Record) -> None:
    """Move a finished run out of the way of the one that replaces it."""
    # The record says so first, and moves last: wherever this ends, it is undone.
    found.state = "replaced"
    found.write()
    files, folders = list(found.paths()), list(found.folders())
    _move(folder, folder / ASIDE, files)
    _prune(folder, folders)


def _recover(folder: Path) -> None:
    """Undo what was cut off: a run that was set aside comes back, or goes."""
    aside = folder / ASIDE
    found = Record.of(folder)
    if found is not None and found.state == "finished":
        _remove(aside)
        return
    if found is not None and found.state == "running":
        return
    if aside.is_dir():
        files = [path for path in aside.rglob("*") if path.is_file()]
        below = [path.relative_to(aside) for path in files]
        # Until all others are back the record says that they are not.
        below.sort(key=lambda path: path != Path(NAME))
        _move(aside, folder, below)
        _prune(aside, [path.relative_to(aside) for path in aside.rglob("*")])
        with contextlib.suppress(OSError):
            aside.rmdir()
    if found := Record.of(folder):
        found.state = "finished"
        found.write()


def _move(source: Path, target: Path, files: Iterable[PurePath]) -> None:
    for path in files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(source / path, target / path)


def _remove(folder: Path) -> None:
    """Remove the files of the run in ``folder``, and folders that are then empty."""
    found = Record.of(folder)
    if found is not None:
        # The record goes last: what is removed by halves is still known to be a run.
        for run in found.runs:
            _remove(folder / run)
            _prune(folder, [PurePath(run)])
        for path in found.paths():
            if path.name != NAME:
                (folder / path).unlink(missing_ok=True)
        _prune(folder, found.folders())
        (folder / NAME).unlink(missing_ok=True)
    if folder.name == ASIDE:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _prune(folder: Path, below: Iterable[PurePath]) -> None:
    """Remove those of the folders ``below`` it that are empty."""
    for path in sorted(set(below), key=lambda path: -len(path.parts)):
        with contextlib.suppress(OSError):
            (folder / path).rmdir()


def _finish(folder: Path) -> None:
    found = Record.of(folder)
    if found is None:
        return
    for run in found.runs:
        _finish(folder / run)
    for name in found.files:
        path = folder / name
        read = not name.startswith(_UNREAD) and name != "config.yaml"
        found.files[name] = checksum(path) if read and path.is_file() else None
    found.state = "finished"
    found.write()


@contextlib.contextmanager
def whole(out: Path, overwrite: bool) -> Iterator[Path]:
    """A place for ``out`` and what is written beside it, which go there when whole.

    Raises:
        CommandError: ``out`` exists and is kept, is of no known format, or cannot be
            written.
    """
    if out.suffix and out.suffix.removeprefix(".").lower() not in FORMATS:
        raise CommandError(
            f"--out: expected a name that ends in .npz, .csv or .h5ad, found {out}."
        )

    def refuse(path: Path) -> None:
        if path.is_dir() or (os.path.lexists(path) and not overwrite):
            remedy = "" if path.is_dir() else "; --overwrite replaces it"
            raise CommandError(f"--out: {path} exists and is kept{remedy}.")

    if out.suffix:
        refuse(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".wflow-", dir=out.parent))
    except OSError as error:
        raise CommandError(
            f"--out: {out} cannot be written: {explained(error)}."
        ) from error
    try:
        yield folder / out.name
        files = sorted(folder.iterdir())
        for file in files:
            refuse(out.with_name(file.name))
        for file in files:
            os.replace(file, out.with_name(file.name))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
