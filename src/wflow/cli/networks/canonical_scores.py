"""Scores of every method of fine-tuning, with the strength chosen on validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wflow.studies._outcome import ScoreTable


PENALISED = ("arc", "anchored", "standard")
BASELINES = ("pretrained", "unregularised", "early_stopping")
METHODS = PENALISED + BASELINES


@dataclass(frozen=True)
class Scores:
    """One score of all methods.

    Attributes:
        name: of the score in the metrics.
        values: ``(repeats,)`` of the baselines, ``(repeats, strengths)`` of penalties.
        chosen: ``(repeats,)`` of every method, at the strength of the least validation
            loss.
    """

    name: str
    values: Mapping[str, np.ndarray]
    chosen: Mapping[str, np.ndarray]

    def metrics(self) -> dict[str, float]:
        """Mean over repeats of every method, and its standard error."""
        found = {}
        for method, values in self.chosen.items():
            found[f"{self.name}_{method}"] = float(values.mean())
            found[f"{self.name}_{method}_se"] = float(standard_error(values))
        return found

    def differences(self, one: str, others: Sequence[str]) -> dict[str, float]:
        """Of the same repeats, ``one`` minus each other, with its standard error."""
        found = {}
        for other in others:
            gaps = self.chosen[one] - self.chosen[other]
            found[f"{self.name}_{one}_minus_{other}"] = float(gaps.mean())
            found[f"{self.name}_{one}_minus_{other}_se"] = float(standard_error(gaps))
        return found

    def columns(self) -> dict[str, np.ndarray]:
        """Mean and standard error at every strength."""
        found = {}
        for method in PENALISED:
            found[f"{self.name}_{method}"] = self.values[method].mean(0)
            found[f"{self.name}_{method}_se"] = standard_error(self.values[method])
        return found


def scored(
    name: str, values: Mapping[str, np.ndarray], validation: Mapping[str, np.ndarray]
) -> Scores:
    """The scores, with strengths chosen by ``validation`` losses of the same shapes."""
    chosen = dict(values)
    for method in PENALISED:
        best = np.argmin(validation[method], axis=1)
        chosen[method] = np.take_along_axis(values[method], best[:, None], 1)[:, 0]
    return Scores(name, dict(values), chosen)


def chosen_strengths(
    validation: Mapping[str, np.ndarray], strengths: Sequence[float]
) -> dict[str, float]:
    """The median strength that validation chose."""
    return {
        f"strength_{method}": float(
            np.median(np.asarray(strengths)[np.argmin(validation[method], axis=1)])
        )
        for method in PENALISED
    }


def standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over the first axis."""
    return values.std(axis=0, ddof=1) / len(values) ** 0.5


def chosen_table(title: str, scores: Scores, label: str) -> ScoreTable:
    """Means over repeats by method."""
    rows = {method: [float(scores.chosen[method].mean())] for method in METHODS}
    return ScoreTable(title, (label,), rows, PENALISED[:1])


def strength_table(title: str, score: Scores, strengths: Sequence[float]) -> ScoreTable:
    """Means over repeats, a row for each strength and a column for each penalty."""
    means = np.stack([score.values[method].mean(0) for method in PENALISED], axis=1)
    rows = {f"{s:.2g}": row.tolist() for s, row in zip(strengths, means, strict=True)}
    return ScoreTable(title, PENALISED, rows, ())
