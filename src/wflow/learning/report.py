"""Scores of a model, with those of the baselines beside them."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from wflow.checks import finite, instance, shape, to_numpy
from wflow.transport import w1

from .baselines import Cloud, all_baselines
from .clock import shown
from .paired import (
    Chances,
    Difference,
    Scores,
    Traced,
    Truth,
    check_tracked,
    difference,
    verdict,
)
from .snapshots import Snapshots


_TITLES = {
    "model": "model",
    "persistence": "nothing moves",
    "constant_velocity": "constant velocity",
    "extrapolated_velocity": "extrapolated velocity",
    "mean_shift": "mean shift",
    "ot_interpolation": "OT between neighbors",
}


def _title(name: str) -> str:
    return _TITLES.get(name, name)


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """Exact $W_1$ to the true snapshots, for the model and for the baselines.

    ``print(report)`` shows the table and the verdict.

    Attributes:
        title: what the scores are of.
        times: of the snapshots.
        scores: one array ``(T,)`` for ``"model"`` and for each baseline by name.
        mass_errors: the model's relative error of the total mass, where it is known.
        energies: energy distances without bias, by name as ``scores``.
        differences: of the model and each baseline, with paired intervals.

    Raises:
        ValueError: no scores of the model, or other numbers of scores than of times.
    """

    title: str
    times: Float[np.ndarray, " T"]
    scores: dict[str, Float[np.ndarray, " T"]]
    mass_errors: Float[np.ndarray, " T"] | None = None
    energies: Mapping[str, Float[np.ndarray, " T"]] = dataclasses.field(
        default_factory=dict
    )
    differences: Mapping[str, Difference] = dataclasses.field(default_factory=dict)

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
    def told(self) -> dict[str, int]:
        """For each baseline that is told apart or not, the sign of the difference."""
        return {name: found.sign for name, found in self.differences.items()}

    @property
    def verdict(self) -> str:
        """Which baselines the model beats and which it loses to, in a sentence.

        Those that the intervals tell apart; of scores without intervals the numbers.
        """
        means = self.means
        model = means.pop("model")
        if not means:
            return f"The model's mean W1 is {model:.4g}."
        shown = {name: f"{_title(name)} ({mean:.4g})" for name, mean in means.items()}
        if not self.differences:
            others = ", ".join(shown.values())
            return f"The model's mean W1 is {model:.4g}; of others: {others}."
        told = self.told
        sentence = verdict(f"The model (mean W1 {model:.4g})", told, shown)
        worse = told.get("persistence") == 1
        warning = " It is worse than saying that nothing moves." if worse else ""
        return f"{sentence}{warning}"

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
    predicted: Sequence[Cloud | Traced],
    truth: Snapshots,
    train: Snapshots | None = None,
    starts: list[int] | None = None,
    masses: list[float] | None = None,
    tracked: bool = False,
) -> Report:
    """Score one predicted cloud, and mass, for each snapshot of ``truth``.

    With ``train``, baselines are computed from its snapshots ``starts``, one for each
    predicted cloud; those that apply at every time are kept. The rows of a predicted
    cloud are those of its start, unless it says where they come from. ``tracked`` rows
    are the same individuals at all times.

    Raises:
        ValueError: tracked snapshots of different sizes.
    """
    rows = [{"model": cloud[:2]} for cloud in predicted]
    if train is not None and starts is not None:
        for row, k, time in zip(rows, starts, truth.times, strict=True):
            row.update(all_baselines(train, k, float(time)))
    names = [name for name in rows[0] if all(name in row for row in rows)]
    errors = None
    if masses is not None and truth.masses is not None:
        errors = np.abs(np.asarray(masses) / truth.masses - 1)
    if train is None or starts is None:
        clouds = enumerate(row["model"] for row in rows)
        scores = np.array([distance(cloud, truth, k) for k, cloud in clouds])
        return Report(title, truth.times, {"model": scores}, errors)
    rows = [
        {name: row[name] for name in names} | {"model": cloud}
        for row, cloud in zip(rows, predicted, strict=True)
    ]
    found = _paired(rows, truth, train, starts, tracked)
    return Report(
        title,
        truth.times,
        {name: np.array([s.w1.value for s in found[name]]) for name in names},
        errors,
        {name: np.array([s.energy.value for s in found[name]]) for name in names},
        {
            name: difference(found["model"], found[name])
            for name in names
            if name != "model"
        },
    )


def _paired(
    rows: list[dict[str, Cloud | Traced]],
    truth: Snapshots,
    train: Snapshots,
    starts: list[int],
    tracked: bool,
) -> dict[str, list[Scores]]:
    """Scores of every method at every time, drawn together.

    All but the interpolation move the points of the snapshot that they start from.
    """
    if tracked:
        check_tracked("report", [*train.sizes, *truth.sizes])
    chances, count = Chances(tracked=tracked), len(train)
    found: dict[str, list[Scores]] = {name: [] for name in rows[0]}
    for k, row in enumerate(rows):
        (same,) = np.nonzero(train.times == truth.times[k])
        source = int(same[0]) if len(same) else count + k
        observed = Traced.of(truth[k], truth.weight(k), source)
        seen = Truth(observed, chances, most=None)
        for name, cloud in row.items():
            if not isinstance(cloud, Traced):
                start = -1 - k if name == "ot_interpolation" else starts[k]
                cloud = Traced.of(*cloud, start)
            found[name].append(seen.scores(cloud))
    return found


def distance(cloud: Cloud, truth: Snapshots, k: int) -> float:
    """Exact $W_1$ between a weighted cloud and snapshot ``k`` of ``truth``."""
    x, weights = cloud
    return w1(x, truth[k], weights, truth.weight(k))
