"""What a run found, in its folder: tables of scores, remarks and warnings."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ._folder import RunDirectory
from ._outcome import Outcome, ScoreTable
from ._tables import damaged, read_json


def keep_outcome(directory: RunDirectory, outcome: Outcome) -> None:
    """Write what a run found, for pages and comparisons of runs.

    The numbers stand in metrics.json alone.
    """
    kept = {
        "tables": [dataclasses.asdict(table) for table in outcome.tables],
        "remarks": list(outcome.remarks),
        "warnings": list(outcome.warnings),
    }
    directory.write_json(directory.outcome, kept)


def kept_outcome(directory: RunDirectory) -> Outcome:
    """What ``keep_outcome`` wrote, with the numbers of the run.

    Raises:
        ValueError: a file is damaged.
    """
    metrics = directory.read_metrics()
    if not directory.outcome.is_file():
        # A run of before there was one.
        return Outcome(metrics)
    kept = read_json(directory.outcome)
    try:
        tables = [_table(table) for table in kept["tables"]]
        return Outcome(metrics, tables, kept["remarks"], kept["warnings"])
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged(
            directory.outcome, "expected tables, remarks and warnings"
        ) from error


def _table(kept: Mapping[str, Any]) -> ScoreTable:
    return ScoreTable(
        **{
            **kept,
            "columns": tuple(kept["columns"]),
            "models": tuple(kept["models"]),
            "seeds": tuple(map(_table, kept["seeds"])),
            "gaps": {name: tuple(ends) for name, ends in kept["gaps"].items()},
        }
    )
