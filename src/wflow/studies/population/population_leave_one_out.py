"""Hold every interior snapshot out in turn, reach it from the others."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from matplotlib.figure import Figure

from wflow import learning
from wflow.learning import ExactOT, FlowMatching, Snapshots, SplinePath
from wflow.learning.path_choice import chosen_path
from wflow.learning.velocities import AbstractInitialVelocity
from wflow.plotting import plot_forecasts, plot_scores
from wflow.populations import hold_outs
from wflow.populations.leave_one_out import Cloud, Fitter, HoldOut, reach
from wflow.studies import (
    AbstractTask,
    Log,
    Outcome,
    Part,
    ScoreTable,
    Spec,
    median_outcome,
)
from wflow.studies._folder import RunDirectory

from ._data import keep, load, with_data
from ._hold_out_scores import NAMES, TITLE, answered, metrics, table, tables, wins
from ._hold_outs import Saved, Trainings, in_model_time
from ._params import MatchedParams
from ._saved import data_of


class Params(MatchedParams):
    """Hold out each snapshot but the first and the last, in a fit of its own.

    Training is in units in which its snapshots, pooled, are standard.

    Attributes:
        sides: reach the held-out one from the snapshot ``before`` it, or also by a
            model of reversed time from the one after.
        inertia: whether the law is of second order. ``auto`` matches one of second
            order where a spline through the training snapshots meets each inner one
            better than a line, and else, where paths have no acceleration, one of first
            order.
        velocity: the rule for the velocities that rollouts start with.
    """

    task: Literal["population_leave_one_out"]
    sides: Literal["before", "both"] = "both"
    velocity: Annotated[Spec, Part(learning, of=AbstractInitialVelocity)] = {
        "kind": "Corrected"
    }

    def refuse(self) -> None:
        if self.growth is not None:
            raise ValueError("growth: expected null, found a growth.")
        super().refuse()
        if self.inertia == "auto" and super().matching().path != "auto":
            raise ValueError("inertia: expected true or false beside a path.")

    def matching(self, snapshots: Snapshots | None = None) -> FlowMatching:
        objective = super().matching()
        if self.inertia != "auto" or snapshots is None:
            return objective
        coupling = objective.coupling or ExactOT()
        path = chosen_path(snapshots, coupling, np.random.default_rng(0))
        return dataclasses.replace(objective, path=path)

    def has_inertia(
        self, snapshots: Snapshots, objective: FlowMatching | None = None
    ) -> bool:
        if self.inertia != "auto":
            return super().has_inertia(snapshots, objective)
        return isinstance((objective or self.matching(snapshots)).path, SplinePath)

    @property
    def methods(self) -> list[str]:
        """The rows of a table."""
        both = self.sides == "both"
        return [name for name in NAMES if both or name != "backwards alone"]

    @property
    def reaching(self) -> dict[str, Any]:
        """How a held-out cloud is reached."""
        return {
            "both_sides": self.sides == "both",
            "substeps": self.evaluation.substeps,
        }


class PopulationLeaveOneOut(AbstractTask[Params]):
    """As many fits as there are snapshots to hold out, times two for both sides."""

    config = Params

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: Params, source: str) -> None:
        try:
            hold_outs(load(config, source).snapshots)
        except ValueError as error:
            raise ValueError(f"{source}: data: {error}") from error

    def finished(self, directory: RunDirectory) -> Path:
        return directory.metrics

    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        data = load(config, str(directory.config))
        keep(config, directory, data)
        snapshots = in_model_time(config, data)
        log(f"{snapshots!r}")
        trainings = Trainings(config, directory, max(snapshots.sizes), resume)
        held_out, answers = hold_outs(snapshots), []
        for held in held_out:
            answers.append(answered(held, trainings.fit, **config.reaching))
            scored = next(iter(answers[-1].scores.values()))
            model, midpoint, still = (one.w1.value for one in scored[:3])
            log(
                f"snapshot {held.index}: model {model:.4f}, OT midpoint "
                f"{midpoint:.4f}, nothing moves {still:.4f}"
            )
        found = tables(config, held_out, answers)
        numbers = {**metrics(found), **trainings.metrics}
        directory.write_metrics(numbers)
        clouds = [answer.cloud for answer in answers]
        _draw(config, directory, held_out, found[0], clouds)
        return Outcome(numbers, found)

    def pooled(self, outcomes: Sequence[Outcome]) -> Outcome:
        """Medians over seeds; a win is one by the median score of a snapshot."""
        several = median_outcome(outcomes)
        nearer = wins(several.tables)
        return Outcome({**several.metrics, **nearer}, several.tables)

    def evaluate(self, config: Params, directory: RunDirectory, log: Log) -> Outcome:
        held_out, saved = _opened(config, directory)
        answers = [answered(held, saved, **config.reaching) for held in held_out]
        found = tables(config, held_out, answers)
        return Outcome(metrics(found), found)

    def plot(self, config: Params, directory: RunDirectory) -> list[Path]:
        held_out, saved = _opened(config, directory)
        clouds = [reach(held, saved, **config.reaching)[0] for held in held_out]
        known = directory.read_metrics()
        rows = {
            name: [known.get(f"{NAMES[name]}_{k}") for k, _ in enumerate(held_out, 1)]
            for name in config.methods
        }
        shown = table(config, held_out, TITLE, rows)
        return _draw(config, directory, held_out, shown, clouds)

    def forecast(
        self,
        config: Params,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str | None,
    ) -> Path:
        raise ValueError(
            f"{directory.path} holds laws that each lack a snapshot, none of all of "
            "them: forecast with a run of a config of the task population_forecast."
        )


def _opened(p: Params, directory: RunDirectory) -> tuple[list[HoldOut], Fitter]:
    """The hold-outs of a finished run, and its fits."""
    held_out = hold_outs(in_model_time(p, data_of(p, directory)))
    return held_out, Saved(p, directory).fit


def _draw(
    p: Params,
    directory: RunDirectory,
    held_out: Sequence[HoldOut],
    shown: ScoreTable,
    clouds: Sequence[Cloud],
) -> list[Path]:
    """Scores; and what was predicted, over the truth and its neighbors."""
    neighbors = [
        np.concatenate([held.train[held.index - 1], held.train[held.index]])
        for held in held_out
    ]
    drawn: dict[str, Figure] = {
        "scores": plot_scores(
            shown.columns,
            shown.rows,
            models=shown.models,
            label="$W_1$ (units of the data)",
            floor=shown.floor,
        ),
        "held_out": plot_forecasts(
            [held.time for held in held_out],
            [held.truth[0] for held in held_out],
            [points for points, _ in clouds],
            start=neighbors,
            start_label="snapshots before and after",
            scores=shown.rows["model"],
            weights=[weights for _, weights in clouds],
            title="Held-out snapshots",
            time_label=p.data.time.label,
            **p.data.axes.model_dump(),
        ),
    }
    return [directory.write_figure(name, figure) for name, figure in drawn.items()]


STUDY = PopulationLeaveOneOut()
