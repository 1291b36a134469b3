"""Fits that each lack a snapshot."""

import dataclasses
from typing import Any

import jax
import numpy as np

from wflow.io.base import SnapshotFile
from wflow.learning import Fit, Snapshots
from wflow.populations.conversion import Units
from wflow.populations.leave_one_out import HoldOut
from wflow.studies._folder import RunDirectory

from ._setting import per_step, same


def in_model_time(p: Any, data: SnapshotFile) -> Snapshots:
    """The snapshots in the time and the precision of the model."""
    clock, first = p.data.time, data.snapshots.times[0]
    origin = first if clock.origin is None else clock.origin
    # Times that need no change keep their names.
    origin = 0.0 if clock.unit == 1 else origin
    return Units.of(
        data.snapshots,
        standardize=False,
        origin=origin,
        unit=clock.unit,
        dtype=p.precision,
    ).to_model(data.snapshots)


def _name(held: HoldOut, backwards: bool) -> str:
    """Of the files of one fit."""
    return f"{held.index}-{'backwards' if backwards else 'forwards'}"


@dataclasses.dataclass(frozen=True)
class Saved:
    """The fits of a finished run."""

    p: Any
    directory: RunDirectory

    def fit(self, train: Snapshots, held: HoldOut, backwards: bool) -> Fit:
        """The fit to ``train``.

        Raises:
            ValueError: there is none, it is of another model or of other snapshots.
        """
        path = self.directory.models / f"{_name(held, backwards)}.eqx"
        if not path.is_file():
            raise ValueError(f"{path} is missing: run the config again.")
        found = Fit.load(path, self.p.law_for(train, jax.random.key(0)))
        if not same(found.snapshots, train):
            raise ValueError(
                f"{self.directory.path} was trained on other snapshots: what holds out "
                "one of these needs fits of its own; use wflow run with --data."
            )
        return found


@dataclasses.dataclass(frozen=True)
class Trainings:
    """The fits of one seed, one compiled program for all of them.

    ``padding`` is the size of the largest snapshot.
    """

    p: Any
    directory: RunDirectory
    padding: int
    resume: bool
    fits: dict[tuple[int, int], Fit] = dataclasses.field(default_factory=dict)

    def fit(self, train: Snapshots, held: HoldOut, backwards: bool) -> Fit:
        """Train on ``train``; its random numbers are those of seed and hold-out."""
        key = jax.random.fold_in(jax.random.key(self.p.seed), held.index)
        name = _name(held, backwards)
        fitted = self.p.train(
            train,
            jax.random.fold_in(key, int(backwards)),
            held.gap,
            padding=self.padding,
            checkpoint_dir=self.directory.checkpoints(name),
            resume=self.resume,
            progress=False,
        )
        self.directory.save_fit(fitted, self.directory.models / f"{name}.eqx")
        self.fits[held.index, int(backwards)] = fitted
        self.write_history()
        return fitted

    def write_history(self) -> None:
        """Write the steps of all fits so far, one after the other."""
        tables = []
        for (index, backwards), fitted in self.fits.items():
            rows = per_step(fitted)
            which = {"held_out": index, "backwards": backwards}
            columns = {k: np.full(len(rows["step"]), v) for k, v in which.items()}
            tables.append({**columns, **rows})
        # Laws of another order write down other numbers of themselves.
        shared = [key for key in tables[0] if all(key in table for table in tables)]
        self.directory.write_history(
            {key: np.concatenate([table[key] for table in tables]) for key in shared}
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of the trainings."""
        fits = self.fits.values()
        numbers: dict[str, float] = {"fits": len(fits)}
        second = [f for f in fits if hasattr(f, "friction")]
        if second:
            numbers["friction"] = float(np.median([f.friction for f in second]))
        if trained := [fitted for fitted in fits if fitted.compile_seconds > 0]:
            rates = [fitted.seconds_per_step for fitted in trained]
            numbers["seconds_per_step"] = float(np.median(rates))
            numbers["compile_seconds"] = sum(f.compile_seconds for f in trained)
        return numbers
