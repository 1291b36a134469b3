"""Runs beside each other: scores, numbers, and the settings that differ."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wflow.plotting.report.blocks import Facts, Section, Table
from wflow.plotting.report.charts import score_chart
from wflow.plotting.report.page import Page, rendered

from ._folder import RunDirectory
from ._kept import kept_outcome
from ._outcome import Outcome
from ._report import BARS, SAID, flat, table_of


class Comparison:
    """Runs by name: what they found, and what they were told.

    Args:
        runs: folders of finished runs, by the name that each is to have.

    Raises:
        ValueError: a file of one is missing or damaged.
    """

    def __init__(self, runs: Mapping[str, RunDirectory]):
        self.outcomes: dict[str, Outcome] = {}
        self.settings: dict[str, dict[str, str]] = {}
        for name, directory in runs.items():
            self.settings[name] = dict(flat(directory.read_config()))
            self.outcomes[name] = kept_outcome(directory)

    @property
    def tables(self) -> list[Table]:
        """Scores of one title and unit in one table.

        What every run scores alike, such as a baseline, has one row.
        """
        titles = dict.fromkeys(
            table.title for found in self.outcomes.values() for table in found.tables
        )
        return [self._table(title) for title in titles]

    def _table(self, title: str) -> Table:
        found = {
            name: table_of(table)
            for name, outcome in self.outcomes.items()
            for table in outcome.tables
            if table.title == title
        }
        columns = list(dict.fromkeys(c for t in found.values() for c in t.columns))
        rows: dict[str, list[float | None]] = {}
        spread: dict[str, list[tuple[float, float] | None]] = {}
        models = []
        for method in dict.fromkeys(m for t in found.values() for m in t.rows):
            of = {
                name: _placed(table.columns, table.rows[method], columns)
                for name, table in found.items()
                if method in table.rows
            }
            alike = len(of) > 1 and all(_same(row, of) for row in of.values())
            if alike and not any(method in t.models for t in found.values()):
                rows[method] = next(iter(of.values()))
                continue
            for name, row in of.items():
                label = f"{name}: {method}"
                rows[label] = row
                if ends := found[name].spread.get(method):
                    spread[label] = _placed(found[name].columns, ends, columns)
                if method in found[name].models:
                    models.append(label)
        floors = {
            name: _placed(table.columns, table.floor, columns)
            for name, table in found.items()
            if table.floor is not None
        }
        floor = None
        if floors and all(_same(row, floors) for row in floors.values()):
            floor = next(iter(floors.values()))
        return Table(title, columns, rows, models=models, floor=floor, spread=spread)

    @property
    def differences(self) -> dict[str, list[str]]:
        """Keys of the configs whose values differ, with the value of each run."""
        keys = dict.fromkeys(key for found in self.settings.values() for key in found)
        rows = {
            key: [found.get(key, "-") for found in self.settings.values()]
            for key in keys
            if key not in SAID
        }
        return {key: row for key, row in rows.items() if len(set(row)) > 1}

    @property
    def numbers(self) -> dict[str, list[float | None]]:
        """The numbers that all runs have, one for each run."""
        first, *others = (found.metrics for found in self.outcomes.values())
        ends = ("_median", "_min", "_max")
        names = [
            name
            for name in first
            if all(name in other for other in others) and not name.endswith(ends)
        ]
        found = [outcome.metrics for outcome in self.outcomes.values()]
        return {name: [float(metrics[name]) for metrics in found] for name in names}

    def page(self) -> str:
        """The comparison as a page of one file."""
        scores: list[Any] = []
        for table in self.tables:
            if len(table.columns) <= BARS and len(table.rows) > 1:
                scores.append(score_chart(table))
                table = dataclasses.replace(table, title="")
            scores.append(table)
        names = list(self.outcomes)
        differ = [
            (key, "; ".join(f"{n}: {v}" for n, v in zip(names, row, strict=True)), "")
            for key, row in self.differences.items()
        ]
        numbers = Table("", names, self.numbers, ranked=False)
        sections = [
            Section("Scores", scores),
            Section("Settings that differ", [Facts(differ)] if differ else []),
            Section("Numbers", [numbers] if numbers.rows else []),
        ]
        title = f"{len(names)} runs compared"
        shown = [section for section in sections if section.blocks]
        return rendered(Page(title, ", ".join(names), shown))


def _placed(
    own: Sequence[str], row: Sequence[Any], columns: Sequence[str]
) -> list[Any]:
    """A row of a table in the columns of another."""
    found = dict(zip(own, row, strict=True))
    return [found.get(column) for column in columns]


def _same(
    row: Sequence[float | None], rows: Mapping[str, Sequence[float | None]]
) -> bool:
    """Whether a row has the numbers of the first one, but for rounding."""
    first = next(iter(rows.values()))
    a, b = (
        np.array([np.nan if v is None else v for v in r], float) for r in (row, first)
    )
    return bool(np.allclose(a, b, rtol=1e-6, atol=0, equal_nan=True))
