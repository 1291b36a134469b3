"""The report of a run: a page of one file, from what the run found and its files."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wflow import __version__
from wflow.plotting.report.blocks import Block, Facts, Picture, Section, Table, Words
from wflow.plotting.report.charts import score_chart
from wflow.plotting.report.page import Page, rendered

from ._files import write_text
from ._folder import RunDirectory
from ._outcome import Outcome, ScoreTable
from ._params import StudyParams
from ._task import AbstractTask


# Scores of more cases than these are a table alone: bars would be too thin to see.
BARS = 16
# Keys of a config that are for readers alone.
SAID = ("title", "data.needs")


def write_report(
    task: AbstractTask[Any],
    config: StudyParams,
    directory: RunDirectory,
    outcome: Outcome,
) -> None:
    """Write ``report.html`` into the folder of a run that has found ``outcome``.

    Of a run of several seeds the first one is shown, beside the scores of all.
    """
    own, folder, of = config, directory, ""
    if config.seeds is not None:
        seed = config.seeds[0]
        own = config.model_copy(update={"seed": seed, "seeds": None})
        folder, of = directory.seeded(seed), f" (seed {seed})"
    shown = [
        Section(f"{section.title}{of}", section.blocks)
        for section in task.sections(own, folder)
    ]
    found = [
        Section("Scores" if outcome.tables else "Remarks", scores(outcome)),
        *shown,
        Section("Warnings", [Words(outcome.warnings, "warning")]),
        Section("Recipe", [recipe(config, task.reasons(own, folder))]),
        Section("Numbers", [numbers(outcome.metrics)]),
        Section("To have it again", _commands(directory, config)),
    ]
    page = Page(
        config.title or config.task,
        f"A run of {config.task}, {_seeds(config)}, by wflow {__version__}.",
        [section for section in found if any(map(_filled, section.blocks))],
    )
    write_text(directory.claim(directory.report), rendered(page))


def _filled(block: Block) -> bool:
    match block:
        case Words(lines=lines):
            return bool(lines)
        case Facts(rows=rows):
            return bool(rows)
    return True


def _seeds(config: StudyParams) -> str:
    if config.seeds is None:
        return f"seed {config.seed}"
    return f"seeds {', '.join(map(str, config.seeds))}"


def scores(outcome: Outcome) -> list[Block]:
    """Verdicts, every table with its bars, and remarks."""
    verdicts = [
        sentence
        for table in outcome.tables
        for model in table.models
        if (sentence := table.verdict(model))
    ]
    # Where tables have none, the remarks say what they mean.
    first = verdicts or list(outcome.remarks)
    found: list[Block] = [Words(first, "verdict")] if first else []
    for scored in outcome.tables:
        shown = table_of(scored)
        if len(shown.columns) <= BARS and len(shown.rows) > 1:
            found.append(score_chart(shown))
            shown = dataclasses.replace(shown, title="")
        found.append(shown)
        if scored.gaps:
            found.append(_gaps(scored))
    if verdicts and outcome.remarks:
        found.append(Words(outcome.remarks))
    return found


def _gaps(scored: ScoreTable) -> Facts:
    """By how much the model is nearer than each baseline, and how sure that is."""
    rows = [
        (
            f"{scored.models[0]} less {name}",
            f"{gap:+.4g} ({low:+.3g} to {high:+.3g})",
            "",
        )
        for name, (gap, low, high) in scored.gaps.items()
    ]
    return Facts(rows, ("difference of means", "interval of 95 %, paired", ""))


def table_of(scored: ScoreTable) -> Table:
    """A table of scores for a page, with its means and what seeds differ by."""
    several = len(scored.columns) > 1 and scored.averaged
    columns, rows = list(scored.columns), {k: list(v) for k, v in scored.rows.items()}
    spread = {name: list(ends) for name, ends in scored.intervals.items()}
    spread |= {
        name: [
            _ends([seed.rows[name][k] for seed in scored.seeds])
            for k in range(len(scored.columns))
        ]
        for name in (rows if scored.seeds else ())
    }
    floor = None if scored.floor is None else list(scored.floor)
    if several:
        columns.append("mean")
        for name, row in rows.items():
            row.append(scored.mean(name))
        for name, ends in spread.items():
            ends.append(_ends([seed.mean(name) for seed in scored.seeds]))
        if floor is not None:
            floor.append(scored.noise)
    return Table(
        scored.title,
        columns,
        rows,
        models=scored.models,
        floor=floor,
        noise_of=scored.noise_of,
        spread={
            name: ends
            for name, ends in spread.items()
            if any(e is not None for e in ends)
        },
    )


def _ends(values: Sequence[float | None]) -> tuple[float, float] | None:
    """From the least to the greatest, where they differ."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or np.allclose(known, known[0], rtol=1e-6, atol=0):
        return None
    return min(known), max(known)


def recipe(config: StudyParams, reasons: Mapping[str, str]) -> Facts:
    """Every key of the config that says something, its value, and why."""
    plain = config.model_dump(mode="json")
    rows = [
        (key, value, reasons.get(key, ""))
        for key, value in flat(plain)
        if key not in SAID
    ]
    return Facts(rows, ("key", "value", "why"))


def flat(value: Any, place: str = "") -> list[tuple[str, str]]:
    """Dotted keys and their values as a config writes them; what is not set is left."""
    if isinstance(value, dict) and value:
        return [
            row
            for key, inner in value.items()
            for row in flat(inner, f"{place}.{key}" if place else str(key))
        ]
    if value is None or value in ({}, []):
        return []
    return [(place, f"{value:g}" if isinstance(value, float) else str(value))]


def numbers(metrics: Mapping[str, float]) -> Facts:
    """The numbers of a run by name; of a median over seeds once."""
    rows = [
        (name, f"{value:.6g}", "")
        for name, value in metrics.items()
        if not (name.endswith("_median") and name.removesuffix("_median") in metrics)
    ]
    return Facts(rows)


def _commands(directory: RunDirectory, config: StudyParams) -> list[Block]:
    again = ["wflow", "run", str(directory.config), "--out", "again"]
    found: list[Block] = [
        Words(["The same run in another folder:"]),
        Words([shlex.join(again)], "command"),
    ]
    if config.seeds is None:
        drawn = shlex.join(["wflow", "plot", str(directory.path)])
        found += [
            Words(["This page and the figures, from the files of the run:"]),
            Words([drawn], "command"),
        ]
    return found


def pictures(directory: RunDirectory) -> list[Section]:
    """All figures of a run."""
    found = [
        Picture(path.stem.replace("_", " "), path.read_bytes())
        for path in sorted(directory.figures.glob("*.png"))
    ]
    return [Section("Figures", found)] if found else []
