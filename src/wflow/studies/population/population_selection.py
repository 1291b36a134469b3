"""Choose an energy by a held-out training snapshot, then forecast with it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from wflow import energies
from wflow.energies import AbstractEnergy
from wflow.learning import Fit, Snapshots
from wflow.plotting.report.blocks import Section
from wflow.populations import select_model
from wflow.populations.protocols import interpolation_split
from wflow.studies import AbstractTask, Log, Outcome, Part, ScoreTable, Spec, Strict
from wflow.studies._folder import RunDirectory
from wflow.studies._params import validate

from . import population_forecast
from ._data import keep, load, with_data
from ._params import PopulationParams
from ._setting import TITLES, Setting


# The folder of the forecast with the energy that was chosen.
CHOSEN = "chosen"


class Choice(Strict):
    """How an energy is chosen; see ``wflow.populations.select_model``.

    Attributes:
        held_out: index of the training snapshot that decides, counted from the end
            where negative.
        start: a forecast of it begins at the training snapshot before it, or at the
            first.
    """

    held_out: int = -1
    start: Literal["last_snapshot", "initial"] = "last_snapshot"


class Params(population_forecast.Params):
    """Choose one of several energies, then forecast with it.

    The snapshots that the forecast is tested on take no part in the choice.

    Attributes:
        candidates: energies by name; ``energy`` is each of them in turn.
        selection: how one is chosen.
    """

    task: Literal["population_selection"]
    energy: Any = None
    candidates: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[\w+-]+$")],
            Annotated[
                Spec | list[Spec],
                Part(energies, of=AbstractEnergy, needs=["dim", "key"]),
            ],
        ],
        Field(min_length=2),
    ]
    selection: Choice = Choice()

    def refuse(self) -> None:
        if CHOSEN in self.candidates:
            raise ValueError(
                f"candidates.{CHOSEN}: another name, please; the chosen one has its "
                "folder there."
            )
        for name, energy in self.candidates.items():
            try:
                PopulationParams.refuse(self.model_copy(update={"energy": energy}))
            except ValueError as error:
                raise ValueError(f"candidates.{name}: {error}") from error

    def forecast(self, name: str) -> population_forecast.Params:
        """The forecast with one of the candidates."""
        fields = self.model_dump(exclude={"candidates", "selection", "seeds"})
        fields["energy"] = self.candidates[name]
        fields["task"] = "population_forecast"
        return population_forecast.Params.model_validate(fields)


class PopulationSelection(AbstractTask[Params]):
    """Every candidate is fitted without one training snapshot; the best one forecasts.

    The test snapshots are scored with the chosen energy alone, in a run of its own.
    """

    config = Params

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: Params, source: str) -> None:
        first = config.forecast(next(iter(config.candidates)))
        population_forecast.STUDY.check(first, source)
        train = Setting.of(first, load(config, source)).split.train
        index = config.selection.held_out
        try:
            interpolation_split(train, [index + len(train) if index < 0 else index])
        except ValueError as error:
            raise ValueError(f"{source}: selection.held_out: {error}") from error

    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        data = load(config, str(directory.config))
        keep(config, directory, data)
        settings = {
            name: Setting.of(config.forecast(name), data) for name in config.candidates
        }
        found = select_model(
            {
                name: _candidate(setting, directory.part(name), resume)
                for name, setting in settings.items()
            },
            next(iter(settings.values())).split.train,
            held_out=config.selection.held_out,
            start=config.selection.start,
            substeps=config.evaluation.substeps,
        )
        setting = settings[found.winner]
        when = setting.column(found.time)
        table = ScoreTable(
            f"Training snapshot held out to choose by (exact W1, {setting.unit})",
            (when,),
            {name: [score] for name, score in found.scores.items()}
            | {TITLES[name]: [score] for name, score in found.baselines.items()},
            tuple(found.scores),
        )
        log(f"Chosen by {when}: {found.winner}.")
        study, part = population_forecast.STUDY, directory.part(CHOSEN)
        part.make()
        part.write_config(setting.p.model_dump(mode="json"))
        forecast = study.run(setting.p, part, resume=resume, log=log)
        metrics = {
            **{f"chosen_{name}": name == found.winner for name in found.scores},
            **{f"selection_w1_{name}": w1 for name, w1 in found.scores.items()},
            **{f"selection_{name}_w1": w1 for name, w1 in found.baselines.items()},
        }
        return Outcome(metrics, [table]).joined(forecast)

    def sections(self, config: Params, directory: RunDirectory) -> list[Section]:
        """Those of the forecast with the energy that was chosen."""
        part = directory.part(CHOSEN)
        raw = part.read_config()
        own = validate(population_forecast.Params, raw, str(part.config))
        return population_forecast.STUDY.sections(own, part)


def _candidate(
    setting: Setting, part: RunDirectory, resume: bool
) -> Callable[[Snapshots, float], Fit]:
    """Fits the setting's law to other snapshots, in a folder of its own."""

    def make(train: Snapshots, gap: float) -> Fit:
        part.make()
        split = setting.split._replace(train=train, gap=gap)
        return dataclasses.replace(setting, split=split).fit(part, resume=resume)

    return make


STUDY = PopulationSelection()
