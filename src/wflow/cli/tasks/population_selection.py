"""Choose one of several energies by a held-out training snapshot, then forecast."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wflow.cli.errors import CommandError
from wflow.cli.population.data import load, with_data
from wflow.cli.population.kept import keep
from wflow.cli.population.schema import ForecastConfig, SelectionConfig
from wflow.cli.population.study import TITLES, Study
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask

from .population_forecast import TASK as FORECAST


if TYPE_CHECKING:
    from wflow.learning import Fit, Snapshots
    from wflow.studies._task import Log

# The folder of the forecast with the energy that was chosen.
CHOSEN = "chosen"


class PopulationSelection(AbstractTask[SelectionConfig]):
    """Every candidate is fitted without one training snapshot; the best one forecasts.

    The test snapshots are scored with the chosen energy alone, in a run of its own.
    """

    summary = "choose an energy by a held-out training snapshot, then forecast with it"
    config = SelectionConfig

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: SelectionConfig, source: str) -> None:
        if CHOSEN in config.candidates:
            raise CommandError(
                f"{source}: candidates.{CHOSEN}: another name, please; the chosen one "
                "has its folder there."
            )
        first = next(iter(config.candidates))
        study = Study.of(_of(config, first), load(config, source))
        count = len(study.split.train)
        if count < 3:
            raise CommandError(
                f"{source}: split: expected at least three snapshots to train on, "
                f"found {count}."
            )
        held_out = config.selection.held_out
        if not (0 < held_out < count or -count < held_out < 0):
            raise CommandError(
                f"{source}: selection.held_out: expected the index of a training "
                f"snapshot but the first, 1 to {count - 1} or {1 - count} to -1, found "
                f"{held_out}."
            )

    def run(
        self,
        config: SelectionConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        from wflow.populations import select_model

        data = load(config, str(directory.config))
        keep(config, directory, data)
        studies = {
            name: Study.of(_of(config, name), data) for name in config.candidates
        }
        train = next(iter(studies.values())).split.train
        choice = config.selection
        found = select_model(
            {
                name: _candidate(study, directory.part(name), resume)
                for name, study in studies.items()
            },
            train,
            held_out=choice.held_out,
            start=choice.start,
            substeps=config.evaluation.substeps,
        )
        study = studies[found.winner]
        when = f"{data.clock.label} {study.time_name(found.time)}"
        table = ScoreTable(
            f"Training snapshot held out to choose by ({study.score_title})",
            (when,),
            {name: [score] for name, score in found.scores.items()}
            | {TITLES[name]: [score] for name, score in found.baselines.items()},
            tuple(found.scores),
        )
        log(f"Chosen by {when}: {found.winner}.", style="bold", highlight=False)
        part = directory.part(CHOSEN)
        part.make()
        own = _of(config, found.winner)
        part.write_config(own.model_dump(mode="json"))
        forecast = FORECAST.run(own, part, resume=resume, log=log)
        metrics = {
            **{f"chosen_{name}": name == found.winner for name in found.scores},
            **{f"selection_w1_{name}": w1 for name, w1 in found.scores.items()},
            **{f"selection_{name}_w1": w1 for name, w1 in found.baselines.items()},
            **forecast.metrics,
        }
        return Outcome(metrics, [table, *forecast.tables], forecast.remarks)


def _candidate(
    study: Study, part: RunDirectory, resume: bool
) -> "Callable[[Snapshots, float], Fit]":
    """Fits the study's law to other snapshots, in a folder of its own."""

    def make(train: "Snapshots", gap: float) -> "Fit":
        part.make()
        split = study.split._replace(train=train, gap=gap)
        return dataclasses.replace(study, split=split).fit(part, resume)

    return make


def _of(config: SelectionConfig, name: str) -> ForecastConfig:
    """The forecast with one of the candidates."""
    fields = config.model_dump(exclude={"candidates", "selection", "seeds", "energy"})
    fields["energy"] = config.candidates[name].model_dump()
    fields["task"] = "population_forecast"
    return ForecastConfig.model_validate(fields)


TASK = PopulationSelection()
