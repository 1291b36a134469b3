"""A choice that held-out snapshots speak for: its tables, and what it costs."""

from collections.abc import Sequence

import numpy as np

from wflow.learning import Snapshots
from wflow.learning.paired import MOST, Interval, verdict
from wflow.populations import BestFit
from wflow.populations._batches import BatchScores
from wflow.populations._best_fit import WHERE, Question
from wflow.populations._contest import STILL, Contest
from wflow.populations._search import HELD
from wflow.populations.scores import noise_floor
from wflow.studies import Outcome, ScoreTable

from ._times import time_text


# Seconds of a training of a thousand steps with its compilation, and of one hold-out
# without any, on two cores; what JAX and the programs take, in GB.
_TRAINING, _ANSWER, _BASE = 10.0, 2.0, 1.0
# Laws that are tried.
_LAWS = 3
# Of a noise: points, and splits into halves.
_FEWEST, _SPLITS = 4, 5
# Matrices between two clouds that are held at once.
_MATRICES = 8
# How a verdict is read.
_READ = (
    "In brackets: how much further it is, paired, with a confidence of 95 %; less than "
    "zero by both distances is nearer."
)


def predicted(
    snapshots: Snapshots, budget: float, steps: int, again: int = 0
) -> tuple[float, float]:
    """Minutes and gigabytes that a choice will take on two cores, roughly.

    And so many trainings after it, of the law that is kept.
    """
    inner, total = len(snapshots) - 2, len(snapshots)
    held = min(inner, HELD["between"]) + min(total // 2, HELD["beyond"], inner)
    training = _TRAINING * (0.5 + 0.5 * steps / 1000)
    seconds = held * (_LAWS * training + _ANSWER) + 2 * training
    size = sum(cloud.nbytes for cloud in snapshots.clouds)
    most = min(max(snapshots.sizes), MOST)
    memory = _BASE + (4 * size + 8 * _MATRICES * most**2) / 1e9
    # Their programs are compiled by then.
    later = again * training / 3
    return (min(seconds, budget + 2 * training) + later) / 60, memory


def contests(best: BestFit) -> dict[Question, Contest]:
    """Those that there were."""
    found: dict[Question, Contest | None] = {
        "between": best.between,
        "beyond": best.beyond,
    }
    return {question: one for question, one in found.items() if one is not None}


def judged(best: BestFit, label: str) -> Outcome:
    """Scores of every answer, and how those that were learned stand to the others."""
    metrics: dict[str, float] = {
        "components": best.components,
        "choice_seconds": best.seconds,
    }
    tables, remarks = [], list(best.reasons)
    for question, contest in contests(best).items():
        tables.append(_table(best, question, contest, label))
        for one in contest.standings:
            name = f"{question}_{one.name}".replace(",", "").replace(" ", "_")
            metrics[f"{name}_w1"] = one.w1.value * _scale(best)
            metrics[f"{name}_energy"] = one.energy.value * _scale(best)
        metrics[f"{question}_moves"] = contest.winner != STILL
        remarks += _verdicts(best, question, contest)
    return Outcome(metrics, tables, remarks)


def said_by(best: BestFit) -> str:
    """Which law says what becomes of cells, in a sentence."""
    if best.fit is None:
        return "No law was trained: every point stays where it is."
    question = next(iter(best.fits))
    where = "between snapshots" if question == "between" else "after the last snapshot"
    return f'By the best law {where}, "{best.laws[question]}".'


def _scale(best: BestFit) -> float:
    """From the unit of the laws to that of the data, where it is one for all."""
    std = best.units.std
    return float(std[0]) if np.ptp(std) == 0 else 1.0


def unit(best: BestFit) -> str:
    """What scores are in."""
    one = np.ptp(best.units.std) == 0
    return "units of the data" if one else "standardized units"


def _table(
    best: BestFit, question: Question, contest: Contest, label: str
) -> ScoreTable:
    """Mean scores over what was held out."""
    scale, lead, dim = _scale(best), best.components, best.snapshots.dim
    times = ", ".join(_times(best, contest.times))
    held = _held(best, contest.times)
    columns = {"exact W1": [s.w1 for s in contest.standings]}
    floor = [_floor(held, scale)]
    if lead < dim:
        columns[f"W1 of {lead} leading"] = [s.w1_leading for s in contest.standings]
        few = Snapshots(held.times, [x[:, :lead] for x in held], None, held.weights)
        floor.append(_floor(few, scale))
    columns["energy distance"] = [s.energy for s in contest.standings]
    rows, intervals = {}, {}
    for k, one in enumerate(contest.standings):
        found = [Interval.of(*scores[k]) for scores in columns.values()]
        rows[one.name] = [each.value * scale for each in found]
        # W1 is no less than zero, the energy distance without bias may be.
        least = [0.0] * (len(found) - 1) + [-np.inf]
        intervals[one.name] = [
            (max(each.low, end) * scale, each.high * scale)
            for each, end in zip(found, least, strict=True)
        ]
    return ScoreTable(
        f"{WHERE[question]}: held out at {label} {times} ({unit(best)})",
        tuple(columns),
        rows,
        models=(),
        averaged=False,
        floor=[*floor, 0.0],
        noise_of="two samples of the size of the snapshot",
        intervals=intervals,
    )


def _held(best: BestFit, times: Sequence[float]) -> Snapshots:
    inner = best.units.to_model(best.snapshots)
    return inner.take([int(np.abs(inner.times - time).argmin()) for time in times])


def _times(best: BestFit, times: Sequence[float]) -> list[str]:
    known = [best.units.to_data_time(time) for time in times]
    return [time_text(time, best.snapshots.times) for time in known]


def _floor(held: Snapshots, scale: float) -> float | None:
    """The mean noise of exact distances to some snapshots, None where it is unknown."""
    if min(held.sizes) < _FEWEST:
        return None
    few = [x[np.random.default_rng(0).permutation(len(x))[:MOST]] for x in held]
    return scale * float(np.mean([noise_floor(x, splits=_SPLITS) for x in few]))


def _verdicts(best: BestFit, question: Question, contest: Contest) -> list[str]:
    """How the best law stands to every simple answer, with intervals."""
    law = contest.law
    if law is None:
        return []
    told, quoted = {}, {}
    for one in contest.standings:
        if not one.learned:
            found = contest.difference(law, one.name)
            w1, energy = (_interval(part, _scale(best)) for part in found)
            told[one.name] = found.sign
            quoted[one.name] = f'"{one.name}" (W1 {w1}, energy distance {energy})'
    first = []
    if contest.winner == STILL:
        first.append(f"{WHERE[question]}: what was seen cannot be told from {STILL}.")
    opening = f'{WHERE[question]}: the best law, "{law}",'
    said = verdict(opening, told, quoted, "every simple answer")
    return [*first, f"{said} {_READ}"]


def batches(best: BestFit, name: str, found: BatchScores) -> Outcome:
    """A table of steps of batches that a law has not seen, and what they say of it."""
    scale, lead = _scale(best), best.components
    others, seen = f"law of the other {name}s", f"law of every {name}"
    rows = {others: found.law, seen: found.seen, STILL: found.still}
    where = "" if lead == best.snapshots.dim else f" of {lead} leading components"
    table = ScoreTable(
        f"Each {name} left out, from snapshot to snapshot (exact W1{where}, "
        f"{unit(best)})",
        found.names,
        {row: [value * scale for value in values] for row, values in rows.items()},
        models=(others, seen),
        told={STILL: found.difference.sign},
        gaps={STILL: tuple(scale * end for end in found.difference.w1)},
    )
    metrics = {
        "batches": len(found.names),
        "batches_others_w1": float(np.mean(found.law)) * scale,
        "batches_seen_w1": float(np.mean(found.seen)) * scale,
        "batches_nothing_moves_w1": float(np.mean(found.still)) * scale,
    }
    w1, energy = (_interval(part, scale) for part in found.difference)
    quoted = {STILL: f'"{STILL}" (W1 {w1}, energy distance {energy})'}
    opening = f"Each {name} left out: the law of the others"
    said = verdict(opening, {STILL: found.difference.sign}, quoted)
    return Outcome(metrics, [table], [f"{said} {_READ}"])


def _interval(found: Interval, scale: float) -> str:
    return f"{found.low * scale:+.3g} to {found.high * scale:+.3g}"
