"""Learn diffusions in several potentials, forecast, and read the friction."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.checks import one_of
from wflow.learning import Fit
from wflow.plotting import plot_scores
from wflow.plotting.history import plot_frictions
from wflow.populations.scores import noise_floor
from wflow.populations.simulators._gradient_flow_sde import POTENTIALS
from wflow.studies import AbstractTask, Log, Name, Outcome, ScoreTable
from wflow.studies._folder import RunDirectory

from . import _forecasts, population_forecast
from ._data import load
from ._params import PopulationParams, SimulatedData
from ._setting import Setting
from ._splits import Fraction


# Names of the scores of one potential and of their means.
_MEANS = {
    "forecast_w1": "test_w1_from_first",
    "forecast_w1_from_last": "test_w1_from_last",
    "persistence_w1_from_first": "persistence_w1_from_first",
    "persistence_w1_from_last": "persistence_w1",
    "constant_velocity_w1_from_last": "constant_velocity_w1",
    "noise_floor_w1": "noise_floor_w1",
    "train_w1": "train_w1",
}
# The rows of the tables, and of which scores.
_STARTS = {
    "from the first snapshot": {
        "model": "test_w1_from_first",
        "nothing moves": "persistence_w1_from_first",
    },
    "from the last training snapshot": {
        "model": "test_w1_from_last",
        "nothing moves": "persistence_w1",
        "constant velocity": "constant_velocity_w1",
    },
}
Scores = dict[str, dict[str, float]]


class Params(PopulationParams):
    """One fit and one forecast for each of several potentials.

    Attributes:
        data: of ``gradient_flow_sde``, whose potential is each of these in turn.
        potentials: see ``wflow.populations.simulators._gradient_flow_sde.POTENTIALS``.
        scored_points: points of each cloud that are compared.
        split: the first share of the snapshots trains.
    """

    task: Literal["population_sde"]
    data: SimulatedData
    potentials: Annotated[list[Name], Field(min_length=1)] = [
        "poly",
        "styblinski_tang",
        "bohachevsky",
        "oakley_ohagan",
        "wavy_plateau",
    ]
    scored_points: Annotated[int, Field(ge=4)] = 500
    split: Fraction = Fraction(kind="fraction", train=0.5)

    @model_validator(mode="after")
    def _diffuses(self) -> "Params":
        kind = self.data.simulate["kind"]
        if kind != "gradient_flow_sde":
            raise ValueError(
                f"data.simulate.kind: expected gradient_flow_sde, found {kind!r}."
            )
        for name in self.potentials:
            one_of("potentials", "potentials", name, POTENTIALS)
        return self

    def forecast(self, potential: str) -> population_forecast.Params:
        """The forecast that belongs to one potential."""
        fields = self.model_dump(exclude={"potentials", "scored_points", "seeds"})
        fields["data"]["simulate"] = self.data.simulate | {"potential": potential}
        fields["task"] = "population_forecast"
        return population_forecast.Params.model_validate(fields)


class PopulationSDE(AbstractTask[Params]):
    """A ``population_forecast`` for each potential, in a folder of its own.

    Means over the potentials, and the least of the learned frictions.
    """

    config = Params

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        raise ValueError(
            "population_sde simulates its data; for a file take population_forecast."
        )

    def check(self, config: Params, source: str) -> None:
        first = config.forecast(config.potentials[0])
        population_forecast.STUDY.check(first, source)

    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        scores: Scores = {}
        frictions = {}
        for name in config.potentials:
            log(name.replace("_", " "))
            part, own = directory.part(name), config.forecast(name)
            part.make()
            part.write_config(own.model_dump(mode="json"))
            fitted, found = _one(own, part, config.scored_points, resume)
            # Per unit of the data's time, whatever the model's.
            unit = config.data.time.unit
            frictions[name] = fitted.history["friction"] / unit
            scores[name] = {**found, "friction": found["friction"] / unit}
            log(
                f"W1 from the first snapshot {found['test_w1_from_first']:.4f}, from "
                f"the last {found['test_w1_from_last']:.4f}, between two samples "
                f"{found['noise_floor_w1']:.4f}; friction "
                f"{scores[name]['friction']:.3g} per time"
            )
            # Of the parts, for whoever looks before the end.
            directory.write_metrics(_metrics(scores))
        outcome = Outcome(_metrics(scores), _tables(scores), _remarks(scores))
        for name, figure in _figures(outcome, frictions).items():
            directory.write_figure(name, figure)
        return outcome


def _one(
    p: population_forecast.Params, part: RunDirectory, points: int, resume: bool
) -> tuple[Fit, dict[str, float]]:
    """The fit and the scores of one potential, the sampling noise beside them."""
    setting = Setting.of(p, load(p, str(part.config)))
    fitted = setting.fit(part, resume=resume)
    metrics = setting.fit_metrics(fitted)
    # Exact W1 is cubic in the points: it is taken between the first ones.
    few, moved = _forecasts.thinned(setting, fitted, points)
    outcome = _forecasts.scored(few, moved)
    floor = np.mean([noise_floor(cloud, splits=2) for cloud in few.split.test])
    still = outcome.tables[1].mean("nothing moves")
    metrics |= {
        **outcome.metrics,
        "noise_floor_w1": float(floor),
        "persistence_w1_from_first": float(still or 0),
    }
    part.write_metrics(metrics)
    for name, figure in _forecasts.drawn(few, moved, outcome.tables).items():
        part.write_figure(name, figure)
    return fitted, metrics


def _metrics(scores: Scores) -> dict[str, float]:
    """Means over the potentials, the least friction, and every potential's own."""
    rows = scores.values()
    found = {
        f"{name}_mean": float(np.mean([row[key] for row in rows]))
        for name, key in _MEANS.items()
    }
    # The same number under the name that says where it starts.
    found["forecast_w1_from_first_mean"] = found["forecast_w1_mean"]
    found["friction_min"] = min(row["friction"] for row in rows)
    for name, row in scores.items():
        found |= {f"{key}_{name}": row[old] for key, old in _MEANS.items()}
        found[f"friction_{name}"] = row["friction"]
    for key in ("seconds_per_step", "compile_seconds"):
        if timings := [row[key] for row in rows if key in row]:
            found[key] = max(timings)
    return {**found, "steps": max(row["steps"] for row in rows)}


def _tables(scores: Scores) -> list[ScoreTable]:
    return [
        ScoreTable(
            f"Forecasts {start} (exact W1, mean over the test snapshots)",
            tuple(scores),
            {name: [row[key] for row in scores.values()] for name, key in keys.items()},
        )
        for start, keys in _STARTS.items()
    ]


def _remarks(scores: Scores) -> list[str]:
    found = {"friction": [], "noise_floor_w1": []}
    for name, row in scores.items():
        for key, form in (("friction", ".3g"), ("noise_floor_w1", ".3f")):
            found[key].append(f"{name.replace('_', ' ')} {row[key]:{form}}")
    return [
        f"Friction per unit of the data's time: {', '.join(found['friction'])}.",
        f"W1 between two samples of the truth: {', '.join(found['noise_floor_w1'])}.",
    ]


def _figures(outcome: Outcome, frictions: dict[str, np.ndarray]) -> dict[str, Figure]:
    """Scores beside the sampling noise, and the course of every friction."""
    drawn = {}
    for name, start, table in zip(
        ("scores", "scores_from_last"), _STARTS, outcome.tables, strict=True
    ):
        floor = [outcome.metrics[f"noise_floor_w1_{key}"] for key in table.columns]
        label = f"$W_1$ {start}"
        drawn[name] = plot_scores(table.columns, table.rows, label=label, floor=floor)
    unit = "per unit of the data's time"
    return {**drawn, "friction": plot_frictions(frictions, unit=unit)}


STUDY = PopulationSDE()
