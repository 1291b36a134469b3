"""Hold every interior snapshot out in turn, reach it from the others."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.population.build import build_flow, build_velocity, fit_options
from wflow.cli.population.data import Dataset, load, with_data
from wflow.cli.population.kept import keep
from wflow.cli.population.schema import LeaveOneOutConfig
from wflow.cli.population.study import data_of
from wflow.cli.population.times import time_text
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable, median_outcome
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.learning import Fit, Snapshots
    from wflow.populations import HoldOut
    from wflow.populations.leave_one_out import Cloud, Fitter
    from wflow.studies._task import Log


TITLE = "Every interior snapshot from the others"
MIDPOINT = "OT midpoint of the neighbours"
FLOOR_TITLE = "Noise: random halves of each held-out snapshot against each other"
# What the numbers of a table are in, and what that adds to their names.
SPACES = {"units of the data": "", "standardised units": "_standardised"}
NAMES = {
    "model": "w1",
    MIDPOINT: "ot_midpoint_w1",
    "nothing moves": "nothing_moves_w1",
    "forwards alone": "forwards_w1",
    "backwards alone": "backwards_w1",
}
LEARNED = ("model", "forwards alone", "backwards alone")


class PopulationLeaveOneOut(AbstractTask[LeaveOneOutConfig]):
    """As many fits as there are snapshots to hold out, times two for both sides."""

    summary = "hold every interior snapshot out in turn, reach it from the others"
    config = LeaveOneOutConfig

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: LeaveOneOutConfig, source: str) -> None:
        from wflow.populations import hold_outs

        if config.growth is not None:
            raise CommandError(f"{source}: growth: expected null, found a growth.")
        try:
            hold_outs(load(config, source).snapshots)
        except ValueError as error:
            raise CommandError(f"{source}: data: {error}") from error

    def finished(self, directory: RunDirectory) -> Path:
        return directory.metrics

    def run(
        self,
        config: LeaveOneOutConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        study = _Study.of(config, load(config, str(directory.config)))
        keep(config, directory, study.data)
        log(f"{study.snapshots!r}", highlight=False, soft_wrap=True)
        trainings = _Trainings(config, directory, study.snapshots, resume)
        answers = []
        for held in study.held_out:
            answers.append(study.answer(held, trainings.fit))
            log(answers[-1].sentence, highlight=False)
        tables = study.tables(answers)
        trainings.write_history()
        metrics = {**_metrics(tables), **trainings.metrics}
        directory.write_metrics(metrics)
        study.draw(tables[0], answers, directory)
        return Outcome(metrics, tables)

    def pooled(self, outcomes: Sequence[Outcome]) -> Outcome:
        """Medians over seeds; a win is one by the median score of a snapshot."""
        several = median_outcome(outcomes)
        wins = _wins(several.tables)
        return Outcome({**several.metrics, **wins}, several.tables)

    def evaluate(
        self, config: LeaveOneOutConfig, directory: RunDirectory, log: "Log"
    ) -> Outcome:
        study = _Study.of(config, data_of(config, directory))
        saved = _Saved(config, directory).fit
        tables = study.tables([study.answer(held, saved) for held in study.held_out])
        return Outcome(_metrics(tables), tables)

    def plot(self, config: LeaveOneOutConfig, directory: RunDirectory) -> list[Path]:
        study = _Study.of(config, data_of(config, directory))
        saved = _Saved(config, directory).fit
        reached = [study.reached(held, saved) for held in study.held_out]
        table = study.read_table(directory.read_metrics())
        return study.draw(table, reached, directory)

    def forecast(
        self,
        config: LeaveOneOutConfig,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str,
    ) -> Path:
        raise CommandError(
            f"{directory.path} holds laws that each lack a snapshot, none of all of "
            "them: forecast with a run of a config of the task population_forecast."
        )


class _Reached(NamedTuple):
    """A held-out cloud as the model sees it: from both sides, and from each."""

    cloud: "Cloud"
    sides: "list[Cloud]"


class _Answer(NamedTuple):
    """The same with its scores; of each space one for every row of the table."""

    cloud: "Cloud"
    index: int
    scores: dict[str, list[float]]
    floors: list[float]

    @property
    def sentence(self) -> str:
        """For whoever waits."""
        model, midpoint, still, *_ = next(iter(self.scores.values()))
        return (
            f"snapshot {self.index}: model {model:.4f}, OT midpoint {midpoint:.4f}, "
            f"nothing moves {still:.4f}"
        )


@dataclasses.dataclass(frozen=True)
class _Study:
    """A dataset, its snapshots in the model's precision and time, and the hold-outs."""

    config: LeaveOneOutConfig
    data: Dataset
    snapshots: "Snapshots"
    held_out: "list[HoldOut]"

    @classmethod
    def of(cls, config: LeaveOneOutConfig, data: Dataset) -> "_Study":
        """Of these data."""
        from wflow.populations import hold_outs

        units = data.units(data.snapshots, False, config.precision)
        if units.unit == 1:
            # Times that need no change keep their names.
            units = dataclasses.replace(units, origin=0.0)
        snapshots = units.to_model(data.snapshots)
        return cls(config, data, snapshots, hold_outs(snapshots))

    @property
    def methods(self) -> list[str]:
        """The rows of a table."""
        both = self.config.sides == "both"
        return [name for name in NAMES if both or name != "backwards alone"]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table."""
        label = self.data.clock.label
        times = [held.time for held in self.held_out]
        return tuple(f"{label} {time_text(time, times)}" for time in times)

    def reached(self, held: "HoldOut", fitter: "Fitter") -> _Reached:
        """The held-out cloud by the laws of ``fitter``."""
        from wflow.populations import reach

        cloud, sides, _ = reach(
            held,
            fitter,
            both_sides=self.config.sides == "both",
            substeps=self.config.evaluation.substeps,
        )
        return _Reached(cloud, sides)

    def answer(self, held: "HoldOut", fitter: "Fitter") -> _Answer:
        """The same, scored."""
        from wflow.populations import score, yardsticks

        cloud, sides = self.reached(held, fitter)
        scores, floors = {}, []
        for space, suffix in SPACES.items():
            standardised = bool(suffix)
            # The yardsticks do not depend on the run's seed.
            free = yardsticks(held.standardised() if standardised else held)
            own = [score(each, held, standardised=standardised) for each in sides]
            scores[space] = [
                score(cloud, held, standardised=standardised),
                free.ot_midpoint,
                free.nothing_moves,
                *own,
            ]
            floors.append(free.half_sample)
        return _Answer(cloud, held.index, scores, floors)

    def tables(self, answers: Sequence[_Answer]) -> list[ScoreTable]:
        """One for each space, and one of the noise."""
        models = tuple(name for name in LEARNED if name in self.methods)
        floors = zip(*(answer.floors for answer in answers), strict=True)
        noise = dict(zip(SPACES, map(list, floors), strict=True))
        tables = []
        for space in SPACES:
            columns = zip(*(answer.scores[space] for answer in answers), strict=True)
            rows = dict(zip(self.methods, map(list, columns), strict=True))
            title = f"{TITLE} (exact W1, {space})"
            tables.append(
                ScoreTable(title, self.columns, rows, models, floor=noise[space])
            )
        # No baselines: what sampling alone would score.
        tables.append(ScoreTable(FLOOR_TITLE, self.columns, noise, tuple(SPACES)))
        return tables

    def read_table(self, metrics: dict[str, float]) -> ScoreTable:
        """The first table of a finished run."""
        count = range(1, len(self.held_out) + 1)
        rows = {
            name: [metrics.get(f"{NAMES[name]}_{k}") for k in count]
            for name in self.methods
        }
        models = tuple(name for name in LEARNED if name in self.methods)
        return ScoreTable(TITLE, self.columns, rows, models)

    def draw(
        self,
        table: ScoreTable,
        reached: "Sequence[_Reached | _Answer]",
        directory: RunDirectory,
    ) -> list[Path]:
        """Scores; and what was predicted, over the truth and its neighbours."""
        from wflow.plotting import plot_forecasts, plot_scores

        scores = plot_scores(
            table.columns,
            table.rows,
            models=table.models,
            label="$W_1$ (units of the data)",
        )
        neighbours = [
            np.concatenate([held.train[held.index - 1], held.train[held.index]])
            for held in self.held_out
        ]
        clouds = plot_forecasts(
            [held.time for held in self.held_out],
            [held.truth[0] for held in self.held_out],
            [each.cloud[0] for each in reached],
            start=neighbours,
            start_label="snapshots before and after",
            scores=table.rows["model"],
            weights=[each.cloud[1] for each in reached],
            title="Held-out snapshots",
            labels=self.data.axes.labels,
            time_label=self.data.clock.label,
            equal=self.data.axes.equal,
        )
        drawn = {"scores": scores, "held_out": clouds}
        return [directory.write_figure(name, figure) for name, figure in drawn.items()]


def _name(held: "HoldOut", backwards: bool) -> str:
    """Of the files of one fit."""
    return f"{held.index}-{'backwards' if backwards else 'forwards'}"


class _Saved:
    """The fits of a finished run."""

    def __init__(self, config: LeaveOneOutConfig, directory: RunDirectory):
        self.config, self.directory = config, directory

    def fit(self, train: "Snapshots", held: "HoldOut", backwards: bool) -> "Fit":
        """The fit to ``train``.

        Raises:
            CommandError: there is none, it is of another model or of other snapshots.
        """
        import jax

        from wflow.learning import Fit

        path = self.directory.models / f"{_name(held, backwards)}.eqx"
        if not path.is_file():
            raise CommandError(f"{path} is missing: run the config again.")
        try:
            found = Fit.load(
                path, build_flow(self.config, train.dim, jax.random.key(0))
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        same = found.snapshots.sizes == train.sizes and all(
            np.array_equal(a, b) for a, b in zip(found.snapshots, train, strict=True)
        )
        if not same:
            raise CommandError(
                f"{self.directory.path} was trained on other snapshots: what holds out "
                "one of these needs fits of its own; use wflow run with --data."
            )
        return found


class _Trainings:
    """The fits of one seed, one compiled program for all of them."""

    def __init__(
        self,
        config: LeaveOneOutConfig,
        directory: RunDirectory,
        snapshots: "Snapshots",
        resume: bool,
    ):
        self.config, self.directory, self.resume = config, directory, resume
        self.padding = max(snapshots.sizes)
        self.history: list[dict[str, np.ndarray]] = []
        self.fits: list[Fit] = []

    def fit(self, train: "Snapshots", held: "HoldOut", backwards: bool) -> "Fit":
        """Train on ``train``; its random numbers are those of seed and hold-out."""
        import jax

        from wflow.learning import fit

        config = self.config
        key = jax.random.fold_in(jax.random.key(config.seed), held.index)
        flow_key, fit_key = jax.random.split(jax.random.fold_in(key, int(backwards)))
        name = _name(held, backwards)
        fitted = fit(
            build_flow(config, train.dim, flow_key),
            train,
            key=fit_key,
            velocity=build_velocity(config.velocity),
            dt0=held.gap,
            padding=self.padding,
            checkpoint_dir=self.directory.checkpoints(name),
            resume=self.resume,
            progress=False,
            **fit_options(config.fit),
        )
        self.directory.save_fit(fitted, self.directory.models / f"{name}.eqx")
        count = len(fitted.history["step"])
        self.history.append(
            {
                "held_out": np.full(count, held.index),
                "backwards": np.full(count, int(backwards)),
                **{k: row for k, row in fitted.history.items() if len(row) == count},
            }
        )
        self.fits.append(fitted)
        return fitted

    def write_history(self) -> None:
        """Write the steps of all fits, one after the other."""
        names = list(self.history[0])
        self.directory.write_history(
            {name: np.concatenate([h[name] for h in self.history]) for name in names}
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of the trainings."""
        numbers = {
            "fits": len(self.fits),
            "friction": float(np.median([fitted.friction for fitted in self.fits])),
        }
        trained = [f for f in self.fits if f.compile_seconds > 0]
        if trained:
            rates = [fitted.seconds_per_step for fitted in trained]
            numbers["seconds_per_step"] = float(np.median(rates))
            numbers["compile_seconds"] = sum(f.compile_seconds for f in trained)
        return numbers


def _metrics(tables: Sequence[ScoreTable]) -> dict[str, float]:
    """A mean and a number for every hold-out, of every method in either space."""
    *spaces, noise = tables
    rows = {
        NAMES[name] + suffix: row
        for table, suffix in zip(spaces, SPACES.values(), strict=True)
        for name, row in table.rows.items()
    }
    rows |= {f"half_sample_w1{SPACES[space]}": row for space, row in noise.rows.items()}
    found: dict[str, float] = {}
    for name, row in rows.items():
        values = [float(value) for value in row if value is not None]
        found[f"{name}_mean"] = float(np.mean(values))
        for k, value in enumerate(values, 1):
            found[f"{name}_{k}"] = value
    return {**found, **_wins(tables)}


def _wins(tables: Sequence[ScoreTable]) -> dict[str, float]:
    """Shares of the hold-outs at which the model is nearer than a baseline."""
    baselines = {"ot_midpoint": MIDPOINT, "nothing_moves": "nothing moves"}
    found = {}
    for table, suffix in zip(tables, SPACES.values(), strict=False):
        rows = {name: np.asarray(row, float) for name, row in table.rows.items()}
        for key, name in baselines.items():
            wins = rows["model"] < rows[name]
            found[f"wins_over_{key}{suffix}"] = float(np.mean(wins))
    return found


TASK = PopulationLeaveOneOut()
