"""Where a run goes that is not told where."""

import contextlib
import datetime
import itertools
import os
from pathlib import Path

from wflow.studies._files import explained
from wflow.studies._opened import LATEST, followed

from .errors import CommandError


RUNS = Path("runs")


def new_folder(name: str) -> Path:
    """A new folder ``runs/<name>/<date>_<time>``.

    Raises:
        CommandError: it cannot be made.
    """
    stamp = f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}"
    for k in itertools.count(1):
        folder = RUNS / name / (stamp if k == 1 else f"{stamp}_{k}")
        with contextlib.suppress(FileExistsError):
            made(folder, exist_ok=False)
            return folder
    raise AssertionError


def made(folder: Path, exist_ok: bool = True) -> Path:
    """``folder``, which is there from now on.

    Raises:
        CommandError: it cannot be made.
        FileExistsError: it is there, and must not be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if not exist_ok and folder.is_dir():
            raise
        raise CommandError(
            f"--out: expected a folder, found the file {folder}."
        ) from None
    except OSError as error:
        raise CommandError(
            f"--out: the folder {folder} cannot be made: {explained(error)}."
        ) from error
    return folder


def latest(name: str) -> Path | None:
    """The newest folder of a config, None where there is none."""
    found = followed(RUNS / name / LATEST)
    # By its own name, which does not come to mean another run.
    return found and found.with_name(found.resolve().name)


def point(name: str, folder: Path | None) -> None:
    """Make ``folder`` the newest one of a config; None where there is none any more."""
    pointer = RUNS / name / LATEST
    if pointer.is_dir() and not pointer.is_symlink():
        # Somebody's own folder.
        return
    if folder is None:
        pointer.unlink(missing_ok=True)
        return
    new = pointer.with_name(f".{LATEST}.partial")
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(folder.name, target_is_directory=True)
    except (OSError, NotImplementedError):
        new.write_text(f"{folder.name}\n", encoding="utf-8")
    os.replace(new, pointer)
