"""What a choice is worth on rows kept back, and says of the rows it has seen."""

import dataclasses

import jax
import numpy as np

from wflow.io.base import Layout, SnapshotFile
from wflow.io.cells import Cells
from wflow.io.npz import NPZ
from wflow.learning import Snapshots
from wflow.learning.report import score
from wflow.learning.snapshots import Standardization
from wflow.populations import BestFit
from wflow.populations._batches import leave_batches_out
from wflow.populations._members import members, spread
from wflow.populations.conversion import Units
from wflow.populations.protocols import Split
from wflow.studies import Log, Outcome
from wflow.studies._folder import RunDirectory

from . import _auto
from ._auto_params import Params
from ._fates import Fates, fates
from ._said import Said, write_rows
from ._setting import Setting
from ._written import learned, write_cells


# Mass from type to type.
FATES = "fates.csv"
# Batches that are left out at most.
BATCHES = 8


def same(snapshots: Snapshots) -> Units:
    """The units of the data: the choice has units of its own."""
    return Units.of(
        snapshots, standardize=False, origin=0.0, unit=1.0, dtype=str(snapshots.dtype)
    )


def _setting(p: Params, train: Snapshots, test: Snapshots) -> Setting:
    units = same(train)
    split = Split(train, test, float(np.diff(train.times).min()))
    return Setting(p, SnapshotFile(test, NPZ), units, split, split)


def kept_back(
    p: Params, best: BestFit, test: Snapshots, tracked: bool | None = None
) -> Outcome:
    """Forecasts of snapshots that the choice has not seen, in the units of its scores.

    Those of the data where one is the unit of all coordinates.
    """
    std, clouds = best.units.std, best.forecast(test.times)
    std = std if np.ptp(std) > 0 else np.ones_like(std)
    space = Standardization(np.zeros_like(std), std)
    traced = [best.traced(float(time)) for time in test.times]
    predicted = [cloud._replace(x=cloud.x / std) for cloud in traced]
    train, test = space.apply(best.snapshots), space.apply(test)
    starts = [best.snapshots.before(float(time)) for time in test.times]
    masses = [clouds.mass(k) for k in range(len(clouds))]
    tracked = bool(p.data.tracked) if tracked is None else tracked
    report = score("", predicted, test, train, starts, masses, tracked)
    setting = _setting(p, train, test)
    title = f"Snapshots that were kept back (exact W1, {_auto.unit(best)})"
    table = dataclasses.replace(setting.table(report, ""), title=title)
    return Outcome(setting.metrics(report), [table])


def rows_of(
    p: Params,
    directory: RunDirectory,
    best: BestFit,
    layout: Layout,
    cells: Cells | None,
    said: Said,
    log: Log,
) -> Outcome:
    """Write what is known of every training row, and what types become."""
    if cells is None and said.labels is None:
        return Outcome({})
    columns, found = _columns(p, best, said, _resampled(p, best, log))
    if cells is not None:
        write_cells(directory, cells, best, layout, p.model_dump(), columns)
    elif said.labels is not None:
        velocity, own = learned(best)
        every = {**own, **columns}
        write_rows(directory, layout, best, said.labels, velocity, every)
    if found is None:
        return Outcome({})
    directory.write_table(FATES, found.table)
    told = (
        f"{FATES} has the mass from each {p.annotation} to each. {_auto.said_by(best)}"
    )
    return Outcome({}, remarks=[told])


def _resampled(p: Params, best: BestFit, log: Log) -> list[BestFit]:
    """Laws of resampled rows, as many as the budget leaves time for."""
    if p.members == 0 or best.fit is None:
        return []
    left = max(p.budget - best.seconds, 0.1 * p.budget)
    key = jax.random.fold_in(jax.random.key(p.seed), 1)
    laws = members(best, p.members, key=key, seconds=left)
    log(
        f"{len(laws)} laws of resampled rows say how sure the chosen one is."
        if laws
        else "No law of resampled rows: the budget leaves no time for as many as tell."
    )
    return laws


def _columns(
    p: Params, best: BestFit, said: Said, laws: list[BestFit]
) -> tuple[dict[str, np.ndarray], Fates | None]:
    """Columns for every training row, and what types become."""
    columns = {}
    if laws:
        timed = list(zip(best.snapshots, best.snapshots.times, strict=True))
        each = [
            np.concatenate([law.velocity(x, float(t)) for x, t in timed])
            for law in laws
        ]
        deviation, _ = spread(np.stack(each))
        columns["uncertainty"] = np.linalg.norm(deviation, axis=1)
    if p.annotation is None:
        return columns, None
    found = fates(best, said.columns[p.annotation], laws)
    return columns | (found.columns if found else {}), found


def batches_of(p: Params, best: BestFit, said: Said, log: Log) -> Outcome:
    """The law of all batches but one, on the rows of that one."""
    name = str(p.batch)
    split = np.cumsum(best.snapshots.sizes)[:-1]
    each = [c.tolist() for c in np.split(said.columns[name].astype(str), split)]
    log(f"Each {name} is left out in turn.")
    key = jax.random.fold_in(jax.random.key(p.seed), 2)
    found = leave_batches_out(best, each, BATCHES, key=key)
    if found is None:
        why = (
            "no law was trained"
            if best.fit is None
            else "none has rows enough at two times running and leaves enough of others"
        )
        return Outcome({}, remarks=[f"No {name} is left out: {why}."])
    return _auto.batches(best, name, found)
