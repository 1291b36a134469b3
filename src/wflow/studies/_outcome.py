"""What a study found: numbers, scores beside every baseline, and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


# Of a score, where nothing else is said.
HALVES = "two halves of the snapshot"


@dataclass(frozen=True)
class ScoreTable:
    """Scores, lower is better: one row per method, one column per case.

    Attributes:
        title: what the scores are, with unit.
        columns: names of the cases.
        rows: for every method a score per case, None where it has none.
        models: the methods that were learned; the others are baselines.
        seeds: the tables of single seeds that this one is the median of.
        averaged: whether a mean over the columns makes sense.
        floor: for every case the noise of a score.
        noise_of: what has it, by default two halves of the snapshot.
        told: for baselines whose difference to the model has a paired interval, its
            sign: -1 where the model is nearer, 0 where that cannot be told.
        gaps: for these the mean score of the model less theirs, with the ends of the
            paired interval.
        intervals: for some of the methods the ends of an interval for every case.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, Sequence[float | None]]
    models: tuple[str, ...] = ("model",)
    seeds: tuple["ScoreTable", ...] = ()
    averaged: bool = True
    floor: Sequence[float | None] | None = None
    noise_of: str = HALVES
    told: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, Sequence[float]] = field(default_factory=dict)
    intervals: Mapping[str, Sequence[tuple[float, float] | None]] = field(
        default_factory=dict
    )

    @property
    def noise(self) -> float | None:
        """Mean of the floor; None if a case has none."""
        known = [value for value in self.floor or () if value is not None]
        return (
            float(np.mean(known)) if known and len(known) == len(self.columns) else None
        )

    def mean(self, method: str) -> float | None:
        """Mean score of a method (of seeds: median mean); None if it lacks a case."""
        if self.seeds:
            means = self._means(method)
            return float(np.median(means)) if means else None
        scores = [score for score in self.rows[method] if score is not None]
        return float(np.mean(scores)) if len(scores) == len(self.columns) else None

    def _means(self, method: str) -> list[float]:
        """Mean scores of the seeds that have one."""
        means = [seed.mean(method) for seed in self.seeds]
        return [mean for mean in means if mean is not None]

    def verdict(self, model: str) -> str:
        """A sentence on which baselines ``model`` beats and which it does not.

        By paired intervals where these are known, which is of the first model; else by
        the numbers.
        """
        # The command reads configs before it needs JAX.
        from wflow.learning.paired import verdict

        own = self.mean(model)
        others = {
            name: score
            for name in self.rows
            if name not in self.models and (score := self.mean(name)) is not None
        }
        if own is None or not others:
            return ""
        spread = ""
        if self.seeds:
            means = self._means(model)
            spread = f", {min(means):.4f} to {max(means):.4f} over seeds"
        opening = f"The {model} ({'mean ' * (len(self.columns) > 1)}{own:.4f}{spread})"
        signs = {name: -1 if own < score else 1 for name, score in others.items()}
        if model == self.models[0]:
            signs |= {name: self.told[name] for name in others if name in self.told}
        shown = {name: f"{name} ({score:.4f})" for name, score in others.items()}
        return verdict(opening, signs, shown)


@dataclass(frozen=True)
class Outcome:
    """What a task found: numbers for metrics.json, tables for the reader.

    Attributes:
        metrics: numbers by name.
        tables: scores.
        remarks: sentences for the reader.
        warnings: what was warned of on the way.
    """

    metrics: Mapping[str, float]
    tables: Sequence[ScoreTable] = ()
    remarks: Sequence[str] = field(default=())
    warnings: Sequence[str] = field(default=())

    def joined(self, other: "Outcome") -> "Outcome":
        """Both, one after the other."""
        return Outcome(
            {**self.metrics, **other.metrics},
            [*self.tables, *other.tables],
            [*self.remarks, *other.remarks],
            [*self.warnings, *other.warnings],
        )


def median_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Medians over seeds of every number and score.

    A number has the same value under its name and its name with ``_median``; least and
    largest values go under ``_min`` and ``_max``.
    """
    names = [
        name
        for name in outcomes[0].metrics
        if all(name in outcome.metrics for outcome in outcomes)
    ]
    metrics: dict[str, float] = {}
    for name in names:
        values = [outcome.metrics[name] for outcome in outcomes]
        metrics[name] = metrics[f"{name}_median"] = float(np.median(values))
        metrics[f"{name}_min"], metrics[f"{name}_max"] = min(values), max(values)
    tables = [
        ScoreTable(
            f"{tables[0].title}, median of {len(outcomes)} seeds",
            tables[0].columns,
            {
                method: [
                    None if None in scores else float(np.median(scores))
                    for scores in zip(*(t.rows[method] for t in tables), strict=True)
                ]
                for method in tables[0].rows
            },
            tables[0].models,
            tables,
            floor=tables[0].floor,
            noise_of=tables[0].noise_of,
            told={
                name: int(np.median([table.told[name] for table in tables]))
                for name in tables[0].told
                if all(name in table.told for table in tables)
            },
        )
        for tables in zip(*(outcome.tables for outcome in outcomes), strict=True)
    ]
    return Outcome(metrics, tables)


def standard_error(values: np.ndarray) -> float:
    """Of the mean of independent values; not a number for a single one."""
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))
