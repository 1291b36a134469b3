"""Hold every interior snapshot out in turn, reach it from the others."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.population.build import build_flow, build_velocity, fit_options
from wflow.cli.population.data import load, with_data
from wflow.cli.population.schema import LeaveOneOutConfig
from wflow.cli.report import Outcome, ScoreTable, median_outcome
from wflow.cli.rundir import RunDirectory
from wflow.cli.task import AbstractTask


if TYPE_CHECKING:
    from rich.console import Console

    from wflow.learning import Fit, Snapshots
    from wflow.populations import HoldOut


TITLE = "Every interior snapshot from the others (exact W1, units of the data)"
MIDPOINT = "OT midpoint of the neighbours"
FLOOR = "halves of the snapshot"
FLOOR_TITLE = "Noise: random halves of each held-out snapshot against each other"


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

    def run(
        self,
        config: LeaveOneOutConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        console: "Console",
    ) -> Outcome:
        from wflow.populations import hold_outs, reach, score, yardsticks

        snapshots = _model_precision(config, directory)
        console.print(f"{snapshots!r}", highlight=False, soft_wrap=True)
        trainings = _Trainings(config, directory, snapshots, resume)
        rows: dict[str, list[float]] = {
            name: [] for name in ("model", MIDPOINT, "nothing moves", "forwards alone")
        }
        both = config.sides == "both"
        if both:
            rows["backwards alone"] = []
        floor: list[float] = []
        held_out = hold_outs(snapshots)
        for held in held_out:
            found, sides, _ = reach(
                held,
                trainings.fit,
                both_sides=both,
                substeps=config.evaluation.substeps,
            )
            # The yardsticks do not depend on the run's seed.
            free = yardsticks(held)
            floor.append(free.half_sample)
            scores = [score(found, held), free.ot_midpoint, free.nothing_moves]
            scores += [score(side, held) for side in sides]
            for row, value in zip(rows.values(), scores, strict=True):
                row.append(value)
            console.print(
                f"snapshot {held.index}: model {rows['model'][-1]:.4f}, OT midpoint "
                f"{free.ot_midpoint:.4f}, nothing moves {free.nothing_moves:.4f}",
                highlight=False,
            )
        names = tuple(f"{config.data.time.label} {held.time:g}" for held in held_out)
        learned = ("model", "forwards alone", "backwards alone")
        models = tuple(name for name in learned if name in rows)
        tables = [
            ScoreTable(TITLE, names, rows, models),
            # No baseline: what sampling alone would score.
            ScoreTable(FLOOR_TITLE, names, {FLOOR: floor}, (FLOOR,)),
        ]
        trainings.write_history()
        metrics = {**_metrics(tables), **trainings.metrics}
        directory.write_metrics(metrics)
        self._draw(tables[0], directory)
        return Outcome(metrics, tables)

    def pooled(self, outcomes: Sequence[Outcome]) -> Outcome:
        """Medians over seeds; a win is one by the median score of a snapshot."""
        several = median_outcome(outcomes)
        wins = _wins(several.tables[0])
        return Outcome({**several.metrics, **wins}, several.tables)

    def _draw(self, table: ScoreTable, directory: RunDirectory) -> list[Path]:
        from wflow.plotting import plot_scores

        figure = plot_scores(
            table.columns,
            table.rows,
            models=table.models,
            label="$W_1$ (units of the data)",
        )
        return [directory.write_figure("scores", figure)]


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
        name = f"{held.index}-{'backwards' if backwards else 'forwards'}"
        fitted = fit(
            build_flow(config, train.dim, flow_key),
            train,
            key=fit_key,
            velocity=build_velocity(config.velocity),
            dt0=held.gap,
            padding=self.padding,
            checkpoint_dir=self.directory.checkpoints / name,
            resume=self.resume,
            progress=False,
            **fit_options(config.fit),
        )
        fitted.save(self.directory.models / f"{name}.eqx")
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


def _model_precision(config: LeaveOneOutConfig, directory: RunDirectory) -> "Snapshots":
    """The snapshots in the model's precision and time."""
    data = load(config, str(directory.config))
    units = data.units(data.snapshots, False, config.precision)
    if units.unit == 1:
        # Times that need no change keep their names.
        units = dataclasses.replace(units, origin=0.0)
    return units.to_model(data.snapshots)


def _metrics(tables: Sequence[ScoreTable]) -> dict[str, float]:
    names = {
        "model": "w1",
        MIDPOINT: "ot_midpoint_w1",
        "nothing moves": "nothing_moves_w1",
        FLOOR: "half_sample_w1",
        "forwards alone": "forwards_w1",
        "backwards alone": "backwards_w1",
    }
    found: dict[str, float] = {}
    rows = {name: row for table in tables for name, row in table.rows.items()}
    for name, row in rows.items():
        values = [float(value) for value in row if value is not None]
        found[f"{names[name]}_mean"] = float(np.mean(values))
        for k, value in enumerate(values, 1):
            found[f"{names[name]}_{k}"] = value
    return {**found, **_wins(tables[0])}


def _wins(table: ScoreTable) -> dict[str, float]:
    """Shares of the hold-outs at which the model is nearer than a baseline."""
    rows = {name: np.asarray(row, float) for name, row in table.rows.items()}
    baselines = {"ot_midpoint": MIDPOINT, "nothing_moves": "nothing moves"}
    return {
        f"wins_over_{key}": float(np.mean(rows["model"] < rows[name]))
        for key, name in baselines.items()
    }


TASK = PopulationLeaveOneOut()
