"""How near fits that each lack a snapshot come to it, beside what needs no model."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from wflow.learning.baselines import ot_interpolation
from wflow.learning.paired import Chances, Scores, Traced, Truth, difference
from wflow.populations.leave_one_out import Cloud, Fitter, HoldOut, reach
from wflow.populations.scores import half_sample_w1
from wflow.studies import ScoreTable

from ._times import time_text


TITLE = "Every interior snapshot from the others"
FLOOR_TITLE = "Noise: random halves of each held-out snapshot against each other"
MIDPOINT = "OT midpoint of the neighbors"
# The rows of a table, and their names in metrics.json.
NAMES = {
    "model": "w1",
    MIDPOINT: "ot_midpoint_w1",
    "nothing moves": "nothing_moves_w1",
    "forwards alone": "forwards_w1",
    "backwards alone": "backwards_w1",
}
# What the numbers of a table are in, and what that adds to their names.
SPACES = {"units of the data": "", "standardized units": "_standardized"}
LEARNED = ("model", "forwards alone", "backwards alone")


class Answer(NamedTuple):
    """A held-out cloud as the model sees it, and its scores.

    Attributes:
        cloud: the model's.
        scores: for each of ``SPACES`` one for every row of the table.
        floors: for each of ``SPACES`` the distance of two halves of the snapshot.
    """

    cloud: Cloud
    scores: dict[str, list[Scores]]
    floors: dict[str, float]


def answered(
    held: HoldOut, fitter: Fitter, *, both_sides: bool, substeps: int
) -> Answer:
    """What the laws of ``fitter`` say of the held-out cloud, scored."""
    cloud, sides, _ = reach(held, fitter, both_sides=both_sides, substeps=substeps)
    scores, floors = {}, {}
    for space, suffix in SPACES.items():
        # The yardsticks do not depend on the run's seed.
        here = held.standardized() if suffix else held
        mean, std = 0.0, 1.0
        if suffix:
            units = held.train.standardize()[1]
            mean, std = units.mean, units.std
        learned = [((x - mean) / std, w) for x, w in (cloud, *sides)]
        scores[space] = _scored(here, learned)
        floors[space] = half_sample_w1(here.truth[0], splits=5)
    return Answer(cloud, scores, floors)


def _scored(held: HoldOut, learned: Sequence[Cloud]) -> list[Scores]:
    """Of the model, the midpoint, what stays, and each side of the model alone."""
    before, after, train = held.index - 1, held.index + 1, held.train
    truth = Truth(
        Traced.of(held.truth[0], held.truth.weight(0), held.index),
        Chances(),
        most=None,
    )
    # Forwards from the snapshot before, backwards from the one after, row by row.
    sides = [
        Traced.of(x, w, source)
        for (x, w), source in zip(learned[1:], (before, after), strict=False)
    ]
    # No point between two clouds is one of a snapshot: it has chances of its own.
    own = len(train) + 1 + held.index
    model = sides[0] if len(sides) == 1 else Traced.of(*learned[0], own + 1)
    midpoint = ot_interpolation(train, before, held.time)
    still = train[before], train.weight(before)
    return [
        truth.scores(cloud)
        for cloud in (
            model,
            Traced.of(*midpoint, own),
            Traced.of(*still, before),
            *sides,
        )
    ]


def table(
    p: Any,
    held_out: Sequence[HoldOut],
    title: str,
    rows: Mapping[str, Sequence[float | None]],
    **options: Any,
) -> ScoreTable:
    times = [held.time for held in held_out]
    columns = [f"{p.data.time.label} {time_text(time, times)}" for time in times]
    options = {"models": tuple(n for n in LEARNED if n in rows), **options}
    return ScoreTable(title, tuple(columns), rows, **options)


def tables(
    p: Any, held_out: Sequence[HoldOut], answers: Sequence[Answer]
) -> list[ScoreTable]:
    """One for each space, and one of the noise."""
    noise = {space: [answer.floors[space] for answer in answers] for space in SPACES}
    found = []
    for space, floor in noise.items():
        columns = zip(*(answer.scores[space] for answer in answers), strict=True)
        of = dict(zip(p.methods, map(list, columns), strict=True))
        rows = {name: [one.w1.value for one in scores] for name, scores in of.items()}
        differences = {
            name: difference(of["model"], scores)
            for name, scores in of.items()
            if name not in LEARNED
        }
        compared = {
            "told": {name: one.sign for name, one in differences.items()},
            "gaps": {name: tuple(one.w1) for name, one in differences.items()},
        }
        title = f"{TITLE} (exact W1, {space})"
        found.append(table(p, held_out, title, rows, floor=floor, **compared))
    # No baselines: what sampling alone would score.
    return [*found, table(p, held_out, FLOOR_TITLE, noise, models=tuple(SPACES))]


def metrics(tables: Sequence[ScoreTable]) -> dict[str, float]:
    """A mean and a number for every hold-out, of every method in either space."""
    *spaces, noise = tables
    rows = {
        NAMES[name] + suffix: row
        for space, suffix in zip(spaces, SPACES.values(), strict=True)
        for name, row in space.rows.items()
    }
    rows |= {f"half_sample_w1{SPACES[space]}": row for space, row in noise.rows.items()}
    found: dict[str, float] = {}
    for name, row in rows.items():
        values = [float(value) for value in row if value is not None]
        found[f"{name}_mean"] = float(np.mean(values))
        found |= {f"{name}_{k}": value for k, value in enumerate(values, 1)}
    return {**found, **wins(tables)}


def wins(tables: Sequence[ScoreTable]) -> dict[str, float]:
    """Shares of the hold-outs at which the model is nearer than a baseline."""
    baselines = {"ot_midpoint": MIDPOINT, "nothing_moves": "nothing moves"}
    found = {}
    for space, suffix in zip(tables, SPACES.values(), strict=False):
        rows = {name: np.asarray(row, float) for name, row in space.rows.items()}
        for key, name in baselines.items():
            nearer = rows["model"] < rows[name]
            found[f"wins_over_{key}{suffix}"] = float(np.mean(nearer))
    return found
