"""The command ``compare``: runs beside each other, on the terminal and on a page."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from wflow.studies._compare import Comparison
from wflow.studies._files import explained, write_text
from wflow.studies._folder import RunDirectory

from . import place
from .errors import CommandError
from .report import grid


def compare_runs(paths: Sequence[Path], page: Path | None, console: Console) -> None:
    """Print what finished runs found side by side, and write it as a page.

    Raises:
        CommandError: one run, a folder that holds none or an unfinished one, or a page
            that is there or cannot be written.
    """
    if len(paths) < 2:
        raise CommandError("compare: expected two runs or more, found one.")
    if page is not None and page.exists():
        raise CommandError(f"--html: {page} exists and is kept.")
    found = Comparison(dict(zip(_names(paths), map(_opened, paths), strict=True)))
    if differ := found.differences:
        table = Table("setting", *found.outcomes, box=box.SIMPLE)
        for key, row in differ.items():
            table.add_row(key, *row)
        console.print(table)
    for scores in found.tables:
        console.print(scores.title, style="bold", highlight=False, soft_wrap=True)
        columns, models = scores.columns, scores.models
        console.print(grid(columns, scores.rows, models, scores.floor))
    numbers = Table("number", *found.outcomes, box=box.SIMPLE)
    for name, row in found.numbers.items():
        numbers.add_row(name, *(f"{value:.6g}" for value in row))
    console.print(numbers)
    if page is not None:
        try:
            write_text(page, found.page())
        except OSError as error:
            raise CommandError(f"--html: {explained(error)}.") from error
        console.print(f"The comparison is in {page}.", highlight=False, soft_wrap=True)


def _opened(path: Path) -> RunDirectory:
    directory = RunDirectory(place.followed(path) or path)
    if not directory.config.is_file():
        raise CommandError(
            f"{path}: expected the folder of a run, found no config.yaml."
        )
    if not directory.metrics.is_file():
        raise CommandError(f"{path}: the run has not finished (no metrics.json).")
    return directory


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of runs as short as tells them apart: the last parts of their paths."""
    parts = [(place.followed(path) or path).resolve().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(found[-count:]) for found in parts]
        if len(set(names)) == len(names):
            return names
    raise CommandError("compare: expected different runs, found one twice.")
