"""The command ``new``: what a file holds, and a config that runs on it."""

import os
import re
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from wflow.io.findings import Findings
from wflow.io.look import look
from wflow.studies._files import explained, write_text

from .errors import CommandError


# What refusals say of a config, and what is said on the command line here.
_OPTIONS = (
    (r"with\s+time \((?:--set )?data\.keys\.time(?:=(\w+))?\)", "time"),
    (r"with positions \(data\.keys\.positions\)()", "representation"),
)
_DEPTH = "numbers of {row}s are how deeply was sampled, and are not taken as masses"


def make_config(
    path: Path,
    out: Path | None,
    time: str | None,
    representation: str | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Look at ``path``, say what was found, write a config for it."""
    out = Path(f"{path.name.partition('.')[0]}.yaml") if out is None else out
    if os.path.lexists(out) and (out.is_dir() or not overwrite):
        remedy = "" if out.is_dir() else "; --overwrite replaces it"
        raise CommandError(f"{out} exists and is kept{remedy}.")
    try:
        found = look(path, time=time, representation=representation)
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        # What a config would say is said on the command line here.
        said = str(error)
        for pattern, option in _OPTIONS:
            said = re.sub(
                pattern, lambda m, o=option: f"with --{o} {m[1] or 'NAME'}", said
            )
        raise CommandError(said) from error
    if len(found.times) < 2:
        raise CommandError(
            f"{path}: expected snapshots at two times or more, found {found.rows} "
            f"{found.row}s at one value of {found.clock!r}."
        )
    _show(found, console)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, config_text(found))
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {explained(error)}.") from error
    console.print(
        f"{out} is written; read it, or begin: wflow run {out}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


def _show(found: Findings, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in described(found):
        table.add_row(name, text)
    console.print(
        f"{found.path}: {found.kind}, {found.rows} {found.row}s",
        style="bold",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(table, highlight=False, markup=False)


def described(found: Findings) -> list[tuple[str, str]]:
    """What was found, in lines of a name and a text."""
    counts = ", ".join(
        f"{time:.12g}: {count}"
        for time, count in zip(found.times, found.counts, strict=True)
    )
    lines = [
        (
            "time",
            f"{found.time or 'none: they are counted'} ({found.row}s at each) {counts}",
        ),
        ("what moves", _moving(found)),
    ]
    if found.velocities:
        lines.append(("velocities", found.velocities))
    if found.weights:
        lines.append(("weights", found.weights))
    lines.append(
        (
            "masses",
            f"{found.masses}: growth enters" if found.masses else _no_mass(found),
        )
    )
    if found.individuals:
        who = f"{found.individuals}: each is there at every time"
        lines.append(("individuals", f"{who}, so scores know which row is which"))
    for name, labels in (
        ("annotations", found.annotations),
        ("batches", found.batches),
    ):
        if labels:
            lines.append((name, ", ".join(f"{k} ({n})" for k, n in labels.items())))
    lines += [("left out", f"{what}: {why}") for what, why in found.left_out]
    lines.append(
        (
            "assumed",
            f"{found.row}s that were sampled at the same {found.clock} are equally "
            "far: those ahead of the others and those behind are not told apart from "
            "different fates",
        )
    )
    return lines


def _moving(found: Findings) -> str:
    if found.columns:
        shown = ", ".join(found.columns[:8]) + ", ..." * (len(found.columns) > 8)
        return f"{found.dim} columns: {shown}"
    others = [
        f"{n} ({d})" for n, d in found.representations.items() if n != found.positions
    ]
    beside = f"; there are also {', '.join(others)}" if others else ""
    return f"{found.positions}, {found.dim} coordinates{beside}"


def _no_mass(found: Findings) -> str:
    return (
        f"none, so nothing grows: {_DEPTH.format(row=found.row)} unless the config "
        "says masses: counts"
    )


def config_text(found: Findings) -> str:
    """A short config for the file, with comments."""
    what = found.positions or f"{found.dim} columns"
    title = f"{found.path.name}: {what} over {found.clock}"
    masses = (
        f"# {found.masses} holds the size of the population: growth is learned with it."
        if found.masses
        else f"# {_DEPTH.format(row=found.row).capitalize()};\n"
        "  # masses: counts takes them so, masses: [1, 1.5, ...] is one for each time."
    )
    lines = [
        f"# Written by wflow new from {found.path.name}: {found.rows} {found.row}s at "
        f"{len(found.times)} times.",
        "# Every key is explained by wflow schema population_auto.",
        "task: population_auto",
        f"title: {_plain(title)}",
        "seed: 0",
        "",
        "data:",
        "  kind: file",
        f"  path: {_plain(str(found.path.resolve()))}",
        "  keys:",
        *(f"    {name}: {_plain(value)}" for name, value in _keys(found).items()),
        f"  {masses}",
        *([] if found.masses else ["  masses: null"]),
        f"  time: {{label: {_plain(found.clock)}}}",
        *_tracked(found),
        "",
        "# Snapshots that are kept from everything, to be scored at the end. With all,",
        "# none is: models are compared by holding out snapshots one by one, and what",
        "# is kept is trained on all. {kind: last, count: 1} keeps the last one back.",
        "split: {kind: all}",
        "",
        "# Several laws are tried, among what needs none, and the best by held-out",
        "# snapshots is kept. Seconds that this may take:",
        "model: auto",
        "budget: 300",
    ]
    if found.annotation:
        others = ", ".join(found.annotations)
        lines += [
            "",
            f"# What a {found.row} is, one of {others}; forecasts get it from their",
            f"# nearest {found.row}s.",
            f"annotation: {_plain(found.annotation)}",
        ]
    if found.batches:
        batch, *others = found.batches
        beside = f"; there are also {', '.join(others)}" if others else ""
        lines += [
            "",
            f"# Each {batch} is left out in turn, and the law of the others scored on "
            f"it{beside}.",
            f"batch: {_plain(batch)}",
        ]
    return "\n".join(lines) + "\n"


def _tracked(found: Findings) -> list[str]:
    if not found.individuals:
        return []
    return [
        f"  # {found.individuals} names each {found.row}, once at every time: scores "
        "know",
        "  # which is which, no law does.",
        f"  tracked: {_plain(found.individuals)}",
    ]


def _keys(found: Findings) -> dict[str, object]:
    keys: dict[str, object] = {
        "time": found.time,
        "positions": found.positions,
        "columns": list(found.columns),
        "velocities": found.velocities,
        "weights": found.weights,
        "masses": found.masses,
    }
    return {name: value for name, value in keys.items() if value}


def _plain(value: object) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10**6, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
