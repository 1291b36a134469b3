"""Many runs of one config, in processes of this machine, and one table of them."""

import csv
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from wflow.studies._configs import override, read_yaml
from wflow.studies._folder import RunDirectory

from . import place, replacing
from .errors import FAILED, CommandError


TABLE = "sweep.csv"
# Columns for the terminal; the file has all.
_SHOWN = 6
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
# Runs that are tried before anybody means it.
_MOST = 10_000


def parse_grid(words: Sequence[str]) -> dict[str, list[str]]:
    """Values to try by key, of ``key=a,b`` and ``key=0..4``, both ends included.

    Raises:
        CommandError: a word of another form, a key twice, or no values.
    """
    grid: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        values = [value for part in _split(text) for value in _several(part)]
        if not equals or not key or not values or not all(values):
            raise CommandError(
                f"{word}: expected key=value,value or key=0..4, as in "
                "fit.steps=200,1000 seed=0..4."
            )
        if key in grid:
            raise CommandError(f"{word}: {key} is given twice.")
        grid[key] = list(dict.fromkeys(values))
    count = 1
    for values in grid.values():
        count *= len(values)
    if not grid or count > _MOST:
        found = f"{count} runs" if grid else "no key"
        raise CommandError(
            f"wflow sweep: expected keys with values, {_MOST} runs at most, found "
            f"{found}."
        )
    return grid


def _split(text: str) -> list[str]:
    """Parts between commas that are in no brackets and no quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for i, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif sign == "," and not depth:
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in [*parts, text[start:]]]


def _several(part: str) -> Iterator[str]:
    """A value, or the whole numbers of a range."""
    found = _RANGE.fullmatch(part)
    if found is None:
        yield part
        return
    low, high = map(int, found.groups())
    if abs(high - low) >= _MOST:
        raise CommandError(f"{part}: expected {_MOST} values at most.")
    yield from map(
        str, range(low, high + 1) if low <= high else range(low, high - 1, -1)
    )


def run_sweep(
    config: Path,
    words: Sequence[str],
    data: Path | None,
    out: Path | None,
    jobs: int | None,
    console: Console,
) -> None:
    """The command ``sweep``.

    Every run has a process of its own, which ``wflow run`` would be too; joblib starts
    so many of them at a time. A run that has finished in ``out`` before is kept.

    Raises:
        CommandError: some runs failed; the others are in the table.
    """
    from joblib import Parallel, delayed

    grid = parse_grid(words)
    raw = read_yaml(config)
    points = [
        dict(zip(grid, one, strict=True)) for one in itertools.product(*grid.values())
    ]
    for point in points:
        # A word that the config cannot take is refused before anything runs.
        override(raw, [f"{key}={value}" for key, value in point.items()])
    folder = (
        place.new_folder(f"{config.stem}-sweep") if out is None else place.made(out)
    )
    jobs = _jobs(jobs, len(points))
    console.print(
        f"{len(points)} runs, {jobs} at a time, in {folder}.",
        highlight=False,
        soft_wrap=True,
    )
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    work = (delayed(_run)(config, point, data, folder, threads) for point in points)
    failed: dict[str, str] = {}
    runs: Any = Parallel(n_jobs=jobs, prefer="threads", return_as="generator_unordered")
    for name, problem in runs(work):
        console.print(f"{name}: {problem or 'done'}", highlight=False, markup=False)
        if problem:
            failed[name] = problem
    rows = [_row(point, RunDirectory(folder / _name(point))) for point in points]
    columns = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    _show(rows, columns, list(grid), console)
    console.print(f"The table is in {folder / TABLE}.", highlight=False, soft_wrap=True)
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(points)} runs failed: {', '.join(failed)}; "
            f"the same command with --out {folder} tries them again.",
            FAILED,
        )


def _jobs(asked: int | None, runs: int) -> int:
    if asked is None:
        # A training keeps about two cores busy.
        asked = max(1, (os.cpu_count() or 1) // 2)
    if asked < 1:
        raise CommandError(f"--jobs: expected 1 or more, found {asked}.")
    return min(asked, runs)


def _name(point: dict[str, str]) -> str:
    """The folder of a run: what is set in it."""
    return ",".join(
        re.sub(r"[^\w.+-]+", "_", f"{key}-{value}") for key, value in point.items()
    )


def _run(
    config: Path,
    point: dict[str, str],
    data: Path | None,
    folder: Path,
    threads: str,
) -> tuple[str, str]:
    """One run in a process of its own: its name, and how it failed, if it did."""
    name = _name(point)
    to = folder / name
    if RunDirectory(to).read_metrics():
        return name, ""
    command = [sys.executable, "-m", "wflow", "run", str(config), "--quiet"]
    for key, value in point.items():
        command += ["--set", f"{key}={value}"]
    if data is not None:
        command += ["--data", str(data)]
    command += ["--out", str(to)]
    if replacing.holds_run(to):
        command.append("--resume")
    environment = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**environment, **os.environ},
        check=False,
    )
    if done.returncode == 0:
        return name, ""
    lines = done.stderr.strip().splitlines()
    return name, lines[-1] if lines else f"exit code {done.returncode}"


def _row(point: dict[str, str], directory: RunDirectory) -> dict[str, object]:
    """What was set, and the numbers of the run where it has finished."""
    values = {key: yaml.safe_load(value) for key, value in point.items()}
    return {**values, **directory.read_metrics()}


def _show(
    rows: list[dict[str, object]],
    columns: list[str],
    keys: list[str],
    console: Console,
) -> None:
    """The keys and the first numbers that differ between runs."""
    numbers = [
        name
        for name in columns
        if name not in keys and len({row.get(name) for row in rows}) > 1
    ]
    table = Table(*keys, *numbers[:_SHOWN], box=box.SIMPLE)
    for row in rows:
        table.add_row(
            *(str(row[key]) for key in keys),
            *(_cell(row.get(name)) for name in numbers[:_SHOWN]),
        )
    console.print(table)


def _cell(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float | int) else "-"
