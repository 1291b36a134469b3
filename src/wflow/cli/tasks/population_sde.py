"""Learn diffusions in several potentials; does the friction say gradient flow?"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.population.data import load
from wflow.cli.population.schema import ForecastConfig, SDEConfig
from wflow.cli.population.study import Study
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask

from .population_forecast import PopulationForecast


if TYPE_CHECKING:
    from wflow.learning import Fit, Snapshots
    from wflow.populations import Split
    from wflow.studies._task import Log

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


class PopulationSDE(AbstractTask[SDEConfig]):
    """A ``population_forecast`` for each potential, in a folder of its own.

    Means over the potentials, and the least of the learned frictions.
    """

    summary = "learn diffusions in several potentials, forecast, and read the friction"
    config = SDEConfig

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        raise CommandError(
            "population_sde simulates its data; for a file take population_forecast."
        )

    def check(self, config: SDEConfig, source: str) -> None:
        Study.of(_of(config, config.potentials[0]), load(config, source))

    def run(
        self,
        config: SDEConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        scores: dict[str, dict[str, float]] = {}
        for name in config.potentials:
            log(name.replace("_", " "), style="bold", highlight=False)
            part = directory.part(name)
            part.make()
            own = _of(config, name)
            part.write_config(own.model_dump(mode="json"))
            task = _Forecast(config.scored_points)
            found = task.run(own, part, resume=resume, log=log).metrics
            # Per unit of the data's time, whatever the model's.
            friction = found["friction"] / config.data.time.unit
            scores[name] = {**found, "friction": friction}
            log(
                f"W1 from the first snapshot {found['test_w1_from_first']:.4f}, from "
                f"the last {found['test_w1_from_last']:.4f}, between two samples "
                f"{found['noise_floor_w1']:.4f}; friction {friction:.3g} per time",
                highlight=False,
                soft_wrap=True,
            )
            # Of the parts, for whoever looks before the end.
            directory.write_metrics(_metrics(scores))
        outcome = Outcome(_metrics(scores), _tables(scores), _remarks(scores))
        _draw(outcome, directory)
        return outcome


class _Forecast(PopulationForecast):
    """The forecast of one potential, with the sampling noise beside it."""

    def __init__(self, points: int):
        self.points = points

    def score(self, study: Study, fitted: "Fit") -> Outcome:
        from wflow.populations import noise_floor

        # Exact W1 is cubic in the points: it is taken between the first ones.
        study, fitted = _thinned(study, fitted, self.points)
        outcome = super().score(study, fitted)
        floor = np.mean([noise_floor(cloud, splits=2) for cloud in study.split.test])
        first = outcome.tables[1]
        persistence = first.mean("nothing moves")
        return dataclasses.replace(
            outcome,
            metrics={
                **outcome.metrics,
                "noise_floor_w1": float(floor),
                "persistence_w1_from_first": float(persistence or 0),
            },
        )

    def draw(
        self, study: Study, fitted: "Fit", outcome: Outcome, directory: RunDirectory
    ) -> list[Path]:
        return super().draw(*_thinned(study, fitted, self.points), outcome, directory)


def _of(config: SDEConfig, potential: str) -> ForecastConfig:
    """The forecast that belongs to one potential."""
    fields = config.model_dump(exclude={"potentials", "scored_points", "seeds"})
    fields["data"]["potential"] = potential
    fields["task"] = "population_forecast"
    return ForecastConfig.model_validate(fields)


def _thinned(study: Study, fitted: "Fit", points: int) -> tuple[Study, "Fit"]:
    """The first ``points`` of every cloud; samples are in no order."""
    from wflow.learning import Snapshots

    def thin(snapshots: "Snapshots") -> "Snapshots":
        given = snapshots.velocities
        return Snapshots(
            snapshots.times,
            [cloud[:points] for cloud in snapshots],
            given and [None if v is None else v[:points] for v in given],
        )

    def both(split: "Split") -> "Split":
        return split._replace(train=thin(split.train), test=thin(split.test))

    study = dataclasses.replace(study, shown=both(study.shown), split=both(study.split))
    velocities = [None if v is None else v[:points] for v in fitted.velocities]
    fitted = dataclasses.replace(
        fitted, snapshots=thin(fitted.snapshots), velocities=tuple(velocities)
    )
    return study, fitted


def _metrics(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    """Means over the potentials, the least friction, and every potential's own."""
    found = {
        f"{name}_mean": float(np.mean([row[key] for row in scores.values()]))
        for name, key in _MEANS.items()
    }
    # The same number under the name that says where it starts.
    found["forecast_w1_from_first_mean"] = found["forecast_w1_mean"]
    found["friction_min"] = min(row["friction"] for row in scores.values())
    for name, row in scores.items():
        found |= {f"{key}_{name}": row[old] for key, old in _MEANS.items()}
        found[f"friction_{name}"] = row["friction"]
    timings = [row for row in scores.values() if "seconds_per_step" in row]
    if timings:
        for key in ("seconds_per_step", "compile_seconds"):
            found[key] = max(row[key] for row in timings)
    found["steps"] = max(row["steps"] for row in scores.values())
    return found


def _tables(scores: dict[str, dict[str, float]]) -> list[ScoreTable]:
    rows = {
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
    return [
        ScoreTable(
            f"Forecasts {start} (exact W1, mean over the test snapshots)",
            tuple(scores),
            {name: [row[key] for row in scores.values()] for name, key in keys.items()},
        )
        for start, keys in rows.items()
    ]


def _remarks(scores: dict[str, dict[str, float]]) -> list[str]:
    shown = ", ".join(
        f"{name.replace('_', ' ')} {row['friction']:.3g}"
        for name, row in scores.items()
    )
    floor = ", ".join(
        f"{name.replace('_', ' ')} {row['noise_floor_w1']:.3f}"
        for name, row in scores.items()
    )
    return [
        f"Friction per unit of the data's time: {shown}.",
        f"W1 between two samples of the truth: {floor}.",
    ]


def _draw(outcome: Outcome, directory: RunDirectory) -> list[Path]:
    """Scores beside the sampling noise, and the course of every friction."""
    from wflow.plotting import plot_frictions, plot_scores

    first, last = outcome.tables
    frictions = {
        name: directory.part(name).read_history()["friction"] for name in first.columns
    }
    floor = [outcome.metrics[f"noise_floor_w1_{name}"] for name in first.columns]
    unit = directory.read_config()["data"]["time"]["unit"]
    figures = {
        "scores": plot_scores(
            first.columns,
            {**first.rows, "two samples of the truth": floor},
            label="$W_1$ from the first snapshot",
        ),
        "scores_from_last": plot_scores(
            last.columns,
            {**last.rows, "two samples of the truth": floor},
            label="$W_1$ from the last training snapshot",
        ),
        "friction": plot_frictions(
            {name: np.array(row) / unit for name, row in frictions.items()},
            unit="per unit of the data's time",
        ),
    }
    return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


TASK = PopulationSDE()
