"""Scores of a model, with those of the baselines beside them."""

import dataclasses

import numpy as np
from jaxtyping import Float

from wflow.transport import w1

from .baselines import Cloud, all_baselines
from .snapshots import Snapshots


_TITLES = {
    "model": "model",
    "persistence": "nothing moves",
    "constant_velocity": "constant velocity",
    "extrapolated_velocity": "extrapolated velocity",
    "mean_shift": "mean shift",
    "ot_interpolation": "OT between neighbours",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """Exact $W_1$ to the true snapshots, for the model and for the baselines.

    ``scores`` has one array ``(T,)`` for ``"model"`` and for each baseline by name;
    ``mass_errors`` the model's relative error of the total mass, where it is known.
    ``print(report)`` shows the table and the verdict.
    """

    title: str
    times: Float[np.ndarray, " T"]
    scores: dict[str, Float[np.ndarray, " T"]]
    mass_errors: Float[np.ndarray, " T"] | None = None

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
                f"{means[best]:.4g} ({_TITLES[best]})."
            )
        parts = ", ".join(f"{_TITLES[name]} ({means[name]:.4g})" for name in lost)
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
        width = max(len(_TITLES[name]) for name in self.scores) + 2
        head = "".join(f"{f't = {time:g}':>12}" for time in self.times)
        lines = [self.title, " " * width + head + f"{'mean':>12}"]
        for name, row in self.scores.items():
            cells = "".join(f"{score:12.4f}" for score in [*row, np.mean(row)])
            lines.append(f"{_TITLES[name]:<{width}}{cells}")
        if self.mass_errors is not None:
            row = [*self.mass_errors, np.mean(self.mass_errors)]
            cells = "".join(f"{error:12.4f}" for error in row)
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
