"""Scores of a model, with those of the baselines beside them."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from wflow.checks import finite, instance, shape, to_numpy
from wflow.transport import w1

from .baselines import Cloud, all_baselines
from .clock import shown
from .snapshots import Snapshots


_TITLES = {
    "model": "model",
    "persistence": "nothing moves",
    "constant_velocity": "constant velocity",
    "extrapolated_velocity": "extrapolated velocity",
    "mean_shift": "mean shift",
    "ot_interpolation": "OT between neighbours",
}


def _title(name: str) -> str:
    return _TITLES.get(name, name)


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """Exact $W_1$ to the true snapshots, for the model and for the baselines.

    ``scores`` has one array ``(T,)`` for ``"model"`` and for each baseline by name;
    ``mass_errors`` the model's relative error of the total mass, where it is known.
    ``print(report)`` shows the table and the verdict.

    Raises:
        ValueError: no scores of the model, or other numbers of scores than of times.
    """

    title: str
    times: Float[np.ndarray, " T"]
    scores: dict[str, Float[np.ndarray, " T"]]
    mass_errors: Float[np.ndarray, " T"] | None = None

    def __post_init__(self) -> None:
        times = to_numpy(self.times, "times")
        shape(self, "times", times, ("T",))
        finite(self, "times", times)
        instance(self, "scores", self.scores, Mapping, "a mapping of arrays by name")
        if "model" not in self.scores:
            raise ValueError(
                f"Report: expected scores of 'model', found {list(self.scores)}."
            )
        for name, row in self.scores.items():
            row = to_numpy(row, f"scores[{name!r}]")
            if row.shape != times.shape:
                raise ValueError(
                    f"Report: expected scores[{name!r}] of the shape of times, "
                    f"{times.shape}, found {row.shape}."
                )
        if self.mass_errors is not None:
            errors = to_numpy(self.mass_errors, "mass_errors")
            shape(self, "mass_errors", errors, times.shape)

    @property
    def means(self) -> dict[str, float]:
        """Mean score over the times."""
        return {name: float(np.mean(row)) for name, row in self.scores.items()}

    @property
    def model(self) -> float:
        """Mean score of the model."""
        return self.means["model"]

    @property
    def verdict(self) -> str:
        """Which baselines the model beats and which it loses to, in a sentence."""
        means = self.means
        model = means.pop("model")
        if not means:
            return f"The model's mean W1 is {model:.4g}."
        lost = [name for name, mean in means.items() if not model < mean]
        if not lost:
            best = min(means, key=means.__getitem__)
            return (
                f"The model beats every baseline: mean W1 {model:.4g} against "
                f"{means[best]:.4g} ({_title(best)})."
            )
        parts = ", ".join(f"{_title(name)} ({means[name]:.4g})" for name in lost)
        warning = ""
        if "persistence" in lost:
            warning = " It is worse than saying that nothing moves."
        return f"The model (mean W1 {model:.4g}) loses to {parts}.{warning}"

    def to_dict(self) -> dict[str, float]:
        """Flat: ``model_w1``, ``persistence_w1``, ... means over the times.

        And, where masses are known, ``max_relative_mass_error``.
        """
        numbers = {f"{name}_w1": mean for name, mean in self.means.items()}
        if self.mass_errors is not None:
            numbers["max_relative_mass_error"] = float(self.mass_errors.max())
        return numbers

    def __str__(self) -> str:
        width = max(len(_title(name)) for name in self.scores) + 2
        heads = [f"t = {shown(time, *self.times)}" for time in self.times]
        cell = max(12, *(len(head) + 2 for head in heads))
        head = "".join(f"{text:>{cell}}" for text in heads)
        lines = [self.title, " " * width + head + f"{'mean':>{cell}}"]
        for name, row in self.scores.items():
            cells = "".join(f"{score:{cell}.4f}" for score in [*row, np.mean(row)])
            lines.append(f"{_title(name):<{width}}{cells}")
        if self.mass_errors is not None:
            row = [*self.mass_errors, np.mean(self.mass_errors)]
            cells = "".join(f"{error:{cell}.4f}" for error in row)
            lines.append(
                f"The model's relative error of the mass:\n{'':<{width}}{cells}"
            )
        return "\n".join([*lines, self.verdict])


def score(
    title: str,
    predicted: list[Cloud],
    truth: Snapshots,
    train: Snapshots | None = None,
    starts: list[int] | None = None,
    masses: list[float] | None = None,
) -> Report:
    """Score one predicted cloud, and mass, for each snapshot of ``truth``.

    With ``train``, baselines are computed from its snapshots ``starts``, one for each
    predicted cloud; those that apply at every time are kept.
    """
    rows = [{"model": cloud} for cloud in predicted]
    if train is not None and starts is not None:
        for row, k, time in zip(rows, starts, truth.times, strict=True):
            row.update(all_baselines(train, k, float(time)))
    names = [name for name in rows[0] if all(name in row for row in rows)]
    scores = {
        name: np.array([distance(row[name], truth, k) for k, row in enumerate(rows)])
        for name in names
    }
    errors = None
    if masses is not None and truth.masses is not None:
        errors = np.abs(np.asarray(masses) / truth.masses - 1)
    return Report(title, truth.times, scores, errors)


def distance(cloud: Cloud, truth: Snapshots, k: int) -> float:
    """Exact $W_1$ between a weighted cloud and snapshot ``k`` of ``truth``."""
    x, weights = cloud
    return w1(x, truth[k], weights, truth.weight(k))
